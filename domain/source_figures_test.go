package domain_test

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// What figures tell of latencies is never too short, and too long by a quarter at
// most; sums tell the same as if all had been counted together.
func TestLatenciesAreRightToAQuarter(t *testing.T) {
	var all, one, other domain.SourceFigures
	for i := range 1000 {
		d := time.Duration(i+1) * 3 * time.Millisecond
		all.Count(domain.CallAnswered, d)
		half := &one
		if i%3 == 0 {
			half = &other
		}
		half.Count(domain.CallAnswered, d)
	}
	sum := one.Plus(other)
	for q, want := range map[float64]time.Duration{.5: 1500 * time.Millisecond, .95: 2850 * time.Millisecond, 1: 3 * time.Second} {
		got := all.Latencies.Within(q)
		if got < want || float64(got) > 1.26*float64(want) {
			t.Errorf("%v of the calls were answered within %s, want %s", q, got, want)
		}
		if again := sum.Latencies.Within(q); again != got {
			t.Errorf("the sum says %s and not %s", again, got)
		}
	}
	if none := (domain.Latencies{}).Within(.5); none != 0 {
		t.Errorf("no calls took %s", none)
	}
	var far domain.SourceFigures
	far.Count(domain.CallAnswered, 48*time.Hour)
	far.Count(domain.CallAnswered, 0)
	if got := far.Latencies.Within(1); got < 20*time.Minute {
		t.Errorf("two days count as %s", got)
	}
}

func TestASourceIsTroubledByAShareOfItsCalls(t *testing.T) {
	for _, c := range []struct {
		answered, refused, failed int64
		want                      bool
	}{{0, 0, 0, false}, {95, 0, 5, false}, {94, 1, 5, true}, {94, 6, 0, true}, {0, 0, 19, false}, {0, 0, 20, true}} {
		f := domain.SourceFigures{Answered: c.answered, Refused: c.refused, Failed: c.failed}
		if f.Troubled() != c.want {
			t.Errorf("%+v: %t", c, f.Troubled())
		}
	}
}
