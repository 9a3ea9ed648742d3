package retention_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func sweeping(t *testing.T, s *site.Site) (e domain.Errand) {
	t.Helper()
	if err := s.Store.View(t.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		e, err = tx.ErrandBook.Get(ctx, retention.Errand)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return e
}

func write(t *testing.T, s *site.Site, key string) {
	t.Helper()
	w, err := s.Files.Create(t.Context(), key)
	if err == nil {
		_, err = w.Write([]byte("12345"))
	}
	if err = errors.Join(err, w.Commit()); err != nil {
		t.Fatal(err)
	}
}

// One process sweeps in its turn and tells what it found; who sweeps again does so
// when it is time, or when it is asked for. A failure is told with when it last went well.
func TestOneSweepsInItsTurnAndTellsWhatItFound(t *testing.T) {
	s, id := exported(t)
	s.Retention.Settings = retention.Settings{Every: 10 * time.Minute, Hold: time.Minute}
	cancelled := s.KickOff(site.Second, domain.Window{})
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Jobs.Update(ctx, cancelled, func(j *domain.ExportJob) error { return j.Cancel(s.Clock.Now()) })
	})
	for _, key := range []string{domain.JobPrefix(id) + "late/1", "jobs/nobody/1", domain.JobPrefix(cancelled) + "1", domain.JobPrefix(cancelled) + "2"} {
		write(t, s, key)
	}
	others := 0
	tick := func() {
		t.Helper()
		if err := s.Retention.Tick(t.Context(), func(context.Context) error { others++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	tick()
	tick() // another process, at the same time
	e := sweeping(t, s)
	swept := e.Last.Swept
	if others != 1 || e.Busy || e.Rest != 10*time.Minute || e.Last.Outcome != domain.DoneRun || !e.Last.Done.Equal(s.Clock.Now()) || swept == nil {
		t.Fatalf("it swept %d times: %+v", others, e)
	}
	if swept.Files != 2 || swept.Orphans != 2 || swept.Deleted != 2 || swept.Freed != 20 || swept.Bytes == 0 {
		t.Errorf("it found %+v", *swept)
	}
	if n := len(swept.Ages); n == 0 || !slices.ContainsFunc(swept.Ages, func(a domain.Aged) bool { return a.Files == 2 && a.Bytes == swept.Bytes }) {
		t.Errorf("by age: %+v", swept.Ages)
	}
	s.Do(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.Wake(ctx, retention.Errand) })
	tick()
	if others != 2 {
		t.Error("nobody swept who was asked to")
	}
	went := s.Clock.Now()
	s.Clock.Advance(11 * time.Minute)
	broken := func(context.Context) error { return errors.New("the archive is full") }
	if err := s.Retention.Tick(t.Context(), broken); err == nil {
		t.Error("a failure is not told")
	}
	if e := sweeping(t, s); e.Last.Well() || !e.Last.Done.Equal(went) || e.Last.Detail["error"] != "the archive is full" || !e.Last.EndedAt.Equal(s.Clock.Now()) {
		t.Errorf("a failure is kept as %+v", e.Last)
	}
	s.Clock.Advance(11 * time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	_ = s.Retention.Tick(ctx, func(context.Context) error { stop(); return nil })
	if e := sweeping(t, s); e.Rest != 0 || e.Busy {
		t.Errorf("a process that stops keeps others from sweeping: %+v", e)
	}
}

// counting is a store that tells how often it was changed.
type counting struct {
	ports.UnitOfWork
	done atomic.Int32
}

func (c *counting) Do(ctx context.Context, fn func(context.Context, ports.Tx) error) error {
	defer c.done.Add(1)
	return c.UnitOfWork.Do(ctx, fn)
}

// A sweep that takes long is nobody else's while it goes on.
func TestALongSweepKeepsItsTurn(t *testing.T) {
	s, _ := exported(t)
	store := &counting{UnitOfWork: s.Store}
	s.Retention.Store, s.Retention.Settings = store, retention.Settings{Every: time.Minute, Hold: 30 * time.Millisecond}
	err := s.Retention.Tick(t.Context(), func(context.Context) error {
		for range 5 {
			s.Clock.Advance(20 * time.Millisecond)
			enough := store.done.Load() + 2 // the second began after the clock was set
			for end := time.Now().Add(30 * time.Second); store.done.Load() < enough; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nothing is kept")
				}
			}
			if !sweeping(t, s).Busy {
				t.Error("the sweep lost its turn")
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What is known of the claims source goes when it is of no more use.
func TestOldFiguresGo(t *testing.T) {
	s := site.New(t)
	s.Retention.Settings.KeepJobs = 30 * day
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		for _, width := range []time.Duration{domain.ShortStretch, domain.LongStretch} {
			for _, days := range []int{1, 10, 40} {
				if err := tx.SourceFigures.Add(ctx, domain.SourceFigures{Source: "bfd", Width: width, Begins: site.Start.AddDate(0, 0, -days), Answered: 1}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	sweep(t, s)
	for width, want := range map[time.Duration]int{domain.ShortStretch: 1, domain.LongStretch: 2} {
		s.Do(func(ctx context.Context, tx ports.Tx) error {
			left, err := tx.SourceFigures.Find(ctx, width, time.Time{}, site.Start)
			if len(left) != want {
				t.Errorf("%d figures of %s are left, want %d", len(left), width, want)
			}
			return err
		})
	}
}
