package porttest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Assertions runs the conformance suite of ports.Assertions. create returns one
// that remembers nothing yet.
func Assertions(t *testing.T, create func(t *testing.T) ports.Assertions) {
	later := time.Now().Add(time.Hour)
	t.Run("an assertion counts once", func(t *testing.T) {
		t.Parallel()
		a := create(t)
		for _, part := range []struct {
			issuer domain.ClientID
			id     string
			used   bool
		}{{"a", "1", false}, {"a", "1", true}, {"a", "2", false}, {"b", "1", false}, {"a", "1", true}, {"a1", "", false}, {"a", "11", false},
			{"a", strings.Repeat("long", 500), false}, {"a", strings.Repeat("long", 500), true}} {
			if err := a.Use(t.Context(), part.issuer, part.id, later); (domain.CodeOf(err) == domain.Conflict) != part.used || err != nil && !part.used {
				t.Errorf("%s of %s: %v, and it was used: %v", part.id, part.issuer, err, part.used)
			}
		}
	})
	t.Run("of several at once one is let in", func(t *testing.T) {
		t.Parallel()
		a, in := create(t), 0
		for _, err := range atOnce(8, func(int) error { return a.Use(t.Context(), "a", "1", later) }) {
			if err == nil {
				in++
			} else if domain.CodeOf(err) != domain.Conflict {
				t.Error(err)
			}
		}
		if in != 1 {
			t.Errorf("%d were let in", in)
		}
	})
	t.Run("one that is over is forgotten, those in force are not", func(t *testing.T) {
		t.Parallel()
		a := create(t)
		if err := a.Use(t.Context(), "a", "in force", later); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Use(t.Context(), "a", "over", time.Now().Add(-time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 300 { // enough for any adapter to clean up
			if err := a.Use(t.Context(), "a", fmt.Sprint(n), time.Now().Add(-time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Use(t.Context(), "a", "in force", later); domain.CodeOf(err) != domain.Conflict {
			t.Errorf("one in force counts again: %v", err)
		}
	})
}

// Limits runs the conformance suite of ports.Limits. create returns one of which
// nothing was taken yet.
func Limits(t *testing.T, create func(t *testing.T) ports.Limits) {
	slow := domain.Rate{Burst: 3, Per: time.Hour}
	take := func(t *testing.T, l ports.Limits, key string, n int, r domain.Rate) time.Duration {
		t.Helper()
		wait, err := l.Take(t.Context(), key, n, r)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	t.Run("as many as the rate allows, each key by itself", func(t *testing.T) {
		t.Parallel()
		l := create(t)
		for _, key := range []string{"a", "b", strings.Repeat("k", 200)} {
			for n := range 3 {
				if wait := take(t, l, key, 1, slow); wait != 0 {
					t.Errorf("%s has to wait %s for its %d.", key, wait, n+1)
				}
			}
			for range 2 { // what is refused takes nothing
				if wait := take(t, l, key, 1, slow); wait <= 59*time.Minute || wait > time.Hour {
					t.Errorf("%s has to wait %s, want an hour", key, wait)
				}
			}
			if wait := take(t, l, key, 2, slow); wait <= 119*time.Minute || wait > 2*time.Hour {
				t.Errorf("%s has to wait %s for two, want two hours", key, wait)
			}
		}
	})
	t.Run("looking takes nothing", func(t *testing.T) {
		t.Parallel()
		l := create(t)
		for range 5 {
			if wait := take(t, l, "a", 0, slow); wait != 0 {
				t.Errorf("to look is to wait %s", wait)
			}
		}
		if wait := take(t, l, "a", 3, slow); wait != 0 {
			t.Errorf("after looking one has to wait %s", wait)
		}
		if wait := take(t, l, "a", 0, slow); wait <= 59*time.Minute || wait > time.Hour {
			t.Errorf("looking says to wait %s, want an hour", wait)
		}
	})
	t.Run("more at once than the rate ever allows", func(t *testing.T) {
		t.Parallel()
		if wait := take(t, create(t), "a", 4, slow); wait <= 0 {
			t.Error("four were taken where three are allowed")
		}
	})
	t.Run("no rate is no bound", func(t *testing.T) {
		t.Parallel()
		l := create(t)
		for range 10 {
			if wait := take(t, l, "a", 100, domain.Rate{}); wait != 0 {
				t.Errorf("one has to wait %s", wait)
			}
		}
	})
	t.Run("it comes back with time", func(t *testing.T) {
		t.Parallel()
		l, quick := create(t), domain.Rate{Burst: 2, Per: 20 * time.Millisecond}
		deadline := time.Now().Add(30 * time.Second)
		for taken := 0; taken < 6; {
			wait := take(t, l, "a", 1, quick)
			if wait == 0 {
				taken++
			} else if wait > 20*time.Millisecond {
				t.Fatalf("one has to wait %s, more than for the next", wait)
			}
			if time.Now().After(deadline) {
				t.Fatalf("only %d were taken", taken)
			}
		}
	})
	t.Run("many at once get as many as there are", func(t *testing.T) {
		t.Parallel()
		l := create(t)
		waits := make([]time.Duration, 12)
		for _, err := range atOnce(len(waits), func(i int) (err error) {
			waits[i], err = l.Take(t.Context(), "a", 1, slow)
			return err
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		in := 0
		for _, wait := range waits {
			if wait == 0 {
				in++
			}
		}
		if in != slow.Burst {
			t.Errorf("%d were let in, want %d", in, slow.Burst)
		}
	})
	t.Run("what is used up stays so while others come and go", func(t *testing.T) {
		t.Parallel()
		l := create(t)
		take(t, l, "a", 3, slow)
		for n := range 300 { // enough for any adapter to clean up
			take(t, l, fmt.Sprint(n), 1, domain.Rate{Burst: 1, Per: time.Millisecond})
		}
		if wait := take(t, l, "a", 1, slow); wait == 0 {
			t.Error("it was forgotten that all is taken")
		}
	})
}
