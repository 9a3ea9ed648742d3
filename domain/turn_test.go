package domain_test

import (
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

func TestTheJobWithTheFewestWorkersForItsWeightIsNext(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	big := domain.Share{Job: "big", Held: 4, Since: at(0)}
	small := domain.Share{Job: "small", Since: at(5)}
	heavy := domain.Share{Job: "heavy", Held: 5, Weight: 2, Since: at(2)}
	later := domain.Share{Job: "later", Held: 4, Since: at(3)}
	for name, tc := range map[string]struct {
		shares []domain.Share
		limit  int
		want   []domain.JobID
	}{
		"none":                        {nil, 0, nil},
		"a small one beside a big":    {[]domain.Share{big, small}, 0, []domain.JobID{"small", "big"}},
		"the weight divides":          {[]domain.Share{big, heavy}, 0, []domain.JobID{"heavy", "big"}},
		"of equal ones the older":     {[]domain.Share{later, big}, 0, []domain.JobID{"big", "later"}},
		"a job with all it may have":  {[]domain.Share{big, heavy, small}, 4, []domain.JobID{"small"}},
		"and one that may have more":  {[]domain.Share{big, heavy, small}, 5, []domain.JobID{"small", "big"}},
		"equal in all but their name": {[]domain.Share{{Job: "b"}, {Job: "a"}}, 0, []domain.JobID{"a", "b"}},
	} {
		if got := domain.InTurn(tc.shares, tc.limit); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestWorkersComeToBeSharedByWeight(t *testing.T) {
	shares := []domain.Share{{Job: "a", Weight: 1}, {Job: "b", Weight: 3}}
	for range 40 {
		next := domain.InTurn(shares, 0)[0]
		i := slices.IndexFunc(shares, func(s domain.Share) bool { return s.Job == next })
		shares[i].Held++
	}
	if shares[0].Held != 10 || shares[1].Held != 30 {
		t.Errorf("of 40 workers %d and %d", shares[0].Held, shares[1].Held)
	}
}
