package sources_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/sources"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var start = time.Date(2026, 3, 2, 15, 58, 0, 0, time.UTC)

// away is a store that takes nothing while it is.
type away struct {
	*memory.Store
	gone bool
}

func (a *away) Do(ctx context.Context, fn func(context.Context, ports.Tx) error) error {
	if a.gone {
		return domain.Errorf(domain.Unavailable, "the database is away")
	}
	return a.Store.Do(ctx, fn)
}

func figures(t *testing.T, s ports.UnitOfWork, width time.Duration) (found []domain.SourceFigures) {
	t.Helper()
	if err := s.View(t.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		found, err = tx.SourceFigures.Find(ctx, width, start.Add(-time.Hour), start.Add(24*time.Hour))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// What two processes counted is added up, by five minutes and by hours, and
// what could not be kept at first is not lost.
func TestCallsOfAllProcessesAreAddedUp(t *testing.T) {
	clock := memory.NewClock(start)
	store := &away{Store: memory.NewStoreAt(clock.Now)}
	one, other := &sources.Recorder{Store: store, Clock: clock, Source: "bfd"}, &sources.Recorder{Store: store, Clock: clock, Source: "bfd"}
	flush := func(r *sources.Recorder, works bool) {
		t.Helper()
		if err := r.Flush(t.Context()); (err == nil) != works {
			t.Errorf("flushing: %v", err)
		}
	}
	one.Took(domain.CallAnswered, 100*time.Millisecond)
	store.gone = true
	flush(one, false)
	one.Took(domain.CallFailed, 0)
	other.Took(domain.CallAnswered, 200*time.Millisecond)
	other.Took(domain.CallRefused, 0)
	store.gone = false
	flush(one, true)
	flush(one, true) // once more adds nothing
	flush(other, true)
	clock.Advance(4 * time.Minute) // the next hour
	other.Took(domain.CallAnswered, time.Second)
	flush(other, true)
	for _, width := range []time.Duration{domain.ShortStretch, domain.LongStretch} {
		f := figures(t, store, width)
		if len(f) != 2 || f[0].Answered != 2 || f[0].Refused != 1 || f[0].Failed != 1 || f[1].Calls() != 1 || !f[0].Begins.Equal(start.Truncate(width)) || !f[1].Begins.Equal(start.Add(2*time.Minute)) {
			t.Errorf("by %s: %+v", width, f)
		}
	}
}

// A reading is one call: answered once all claims came, failed for what may pass,
// and none at all when nobody waited for its end or there is nobody of that id.
func TestReadingsAreCounted(t *testing.T) {
	clock := memory.NewClock(start)
	store := memory.NewStoreAt(clock.Now)
	claims := memory.NewClaims(start)
	passing := domain.Errorf(domain.Unavailable, "not now")
	claims.Put("well", "{}", "{}")
	claims.Put("left", "{}")
	claims.Script("refuses", memory.Answer{Refused: domain.Errorf(domain.Throttled, "too much")})
	claims.Script("fails", memory.Answer{Refused: passing})
	claims.Script("breaks", memory.Answer{Claims: []string{"{}"}, Err: passing})
	claims.Script("odd", memory.Answer{Claims: []string{"{}"}, Err: errors.New("what nobody expects")})
	r := &sources.Recorder{Store: store, Clock: clock, Source: "memory"}
	source := sources.Claims{Claims: claims, Recorder: r}
	for _, p := range []domain.PatientID{"well", "refuses", "fails", "breaks", "odd", "nobody", "left"} {
		ctx, leave := context.WithCancel(t.Context())
		reader, err := source.Read(ctx, ports.ClaimsQuery{Patient: p})
		if p == "left" { // before the first claim
			leave()
		}
		for err == nil {
			_, err = reader.Next()
		}
		if reader != nil {
			_, _ = reader.Next() // the end again
			_ = reader.Close()
		}
		leave()
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := figures(t, store, domain.ShortStretch)
	if len(f) != 1 || f[0].Answered != 1 || f[0].Refused != 1 || f[0].Failed != 3 || f[0].Source != "memory" {
		t.Errorf("counted %+v", f)
	}
}
