package bfd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// server is one that a gate stands before: it bears so many calls, and is away at times.
type server struct {
	mu    sync.Mutex
	away  bool
	after time.Duration // what it says when it is away
	tried atomic.Int64
	asked atomic.Int64
}

func (s *server) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *server) call(context.Context) error {
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.Add(1)
	if s.away {
		return &statusError{503, s.after}
	}
	return nil
}

func (s *server) try(ctx context.Context) error {
	s.tried.Add(1)
	return s.call(ctx)
}

// work has so many people asked for through a gate until ctx ends, as who reads
// does it, and counts the failures that somebody would have had to pay for.
func work(ctx context.Context, g *gate, s *server, people int) (done, blamed *atomic.Int64) {
	done, blamed = new(atomic.Int64), new(atomic.Int64)
	for range people {
		go func() {
			for ctx.Err() == nil {
				err := g.enter(ctx)
				if err == nil {
					err = s.call(ctx)
					o := answered
					if err != nil {
						o, err = outcomeOf(err), errorOf(err)
					}
					err = g.took(o, 100*time.Millisecond, err)
					g.leave()
				}
				switch {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, ports.ErrAway) && ctx.Err() == nil:
					blamed.Add(1)
				}
				if e := (*domain.Error)(nil); errors.As(err, &e) {
					time.Sleep(e.RetryAfter)
				}
			}
		}()
	}
	return done, blamed
}

// While the server is away hardly anything is asked, nobody pays for it beyond
// the calls by which it was noticed, and it goes on by itself soon after.
func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &server{}
		g := newGate(50, s.try)
		var told [3]atomic.Int64
		g.tell = func(o domain.CallOutcome, _ time.Duration) { told[o].Add(1) }
		done, blamed := work(ctx, g, s, 200)
		time.Sleep(30 * time.Second)
		before := g.now()
		if n := told[domain.CallAnswered].Load(); n != before.Answered || n == 0 || told[domain.CallFailed].Load() != 0 {
			t.Errorf("%d calls were told of, and %d answered", n, before.Answered)
		}
		if before.Limit != 50 || blamed.Load() != 0 {
			t.Errorf("%+v, %d blamed; want 50 at once", before, blamed.Load())
		}

		s.set(true)
		time.Sleep(5 * time.Second)
		asked := s.asked.Load()
		time.Sleep(10 * time.Minute)
		if g.now().Outages != 1 || !g.now().Away {
			t.Errorf("%+v; want one outage", g.now())
		}
		if n := told[domain.CallFailed].Load() + told[domain.CallRefused].Load(); n < g.now().Failed+50 {
			t.Errorf("%d failed calls were told of, tries whether the server is back among them", n)
		}
		if since := time.Since(g.now().Since); since < 10*time.Minute || since > 11*time.Minute {
			t.Errorf("the server is said to be away for %s", since)
		}
		if n := s.asked.Load() - asked; n > 150 || n < 50 {
			t.Errorf("%d calls in ten minutes of an outage; want one every %s or so", n, longestRest)
		}
		if blamed.Load() > fewCalls {
			t.Errorf("%d calls count against somebody", blamed.Load())
		}

		s.set(false)
		time.Sleep(15 * time.Second)
		at := done.Load()
		time.Sleep(15 * time.Second)
		if g.now().Away || g.now().Limit != 50 {
			t.Errorf("%+v, 30 seconds after the outage", g.now())
		}
		if n := done.Load() - at; n < 15*50*10*8/10 {
			t.Errorf("%d calls in the second 15 seconds; at full speed there are %d", n, 15*50*10)
		}
		cancel()
		time.Sleep(time.Hour) // for everybody to end
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &server{away: true, after: 40 * time.Second}
		g := newGate(10, s.try)
		work(ctx, g, s, 20)
		time.Sleep(39 * time.Second)
		if s.tried.Load() != 0 {
			t.Errorf("the server was tried %d times before it wanted to be", s.tried.Load())
		}
		time.Sleep(5 * time.Second)
		if s.tried.Load() != 1 {
			t.Errorf("tried %d times, want once", s.tried.Load())
		}
		cancel()
		time.Sleep(time.Hour) // for everybody to end
	})
}

// Whoever came first goes first, and who gives up is not counted.
func TestTheGateKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, nil)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				if g.enter(ctx) == nil {
					order = append(order, i)
					g.leave()
				}
			}()
			synctest.Wait()
			if i == 2 {
				cancel()
				synctest.Wait()
			}
		}
		g.leave()
		synctest.Wait()
		if len(order) != 4 || order[0] != 0 || order[1] != 1 || order[2] != 3 || order[3] != 4 {
			t.Errorf("the order is %v", order)
		}
		if s := g.now(); s.InUse != 0 || s.Waiting != 0 {
			t.Errorf("%+v after all have left", s)
		}
	})
}
