// Package admin tells those who run the service how a process does: whether it
// lives, whether it is ready and if not why, which build it is, its metrics and
// its profiles. Those are on an address of their own. What load balancers and
// today's clients ask for is on the public address, without details.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Check says whether one thing that a process needs is there. It returns an
// error that says what is wrong; it is called by one goroutine at a time.
type Check struct {
	Name  string
	Check func(ctx context.Context) error
}

const (
	// checkWithin is how long a check may take.
	checkWithin = 2 * time.Second
	// freshFor is how long an answer counts. However often somebody asks, what
	// is checked is asked no more often than this.
	freshFor = time.Second
)

// State is whether a process is ready.
type State struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"` // why not, a sentence each
}

// Readiness puts checks together. It is safe for concurrent use.
type Readiness struct {
	checks []*check
	log    *slog.Logger

	mu    sync.Mutex // held while checking: whoever asks meanwhile gets that answer
	last  State
	until time.Time
	known bool
}

// NewReadiness returns the readiness that needs all checks to pass. Whenever it
// changes the log is told.
func NewReadiness(log *slog.Logger, checks ...Check) *Readiness {
	r := &Readiness{log: log}
	for _, c := range checks {
		r.checks = append(r.checks, &check{Check: c})
	}
	return r
}

// State returns whether the process is ready, as of a second ago at most.
func (r *Readiness) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known && time.Now().Before(r.until) {
		return r.last
	}
	now := r.ask()
	if !r.known || now.Ready != r.last.Ready {
		level := slog.LevelInfo
		if !now.Ready {
			level = slog.LevelWarn
		}
		r.log.Log(context.Background(), level, "readiness", "ready", now.Ready, "reasons", now.Reasons)
	}
	r.last, r.until, r.known = now, time.Now().Add(freshFor), true
	return now
}

// ask runs the checks side by side. It does not end with the request that made
// it: others take its answer too.
func (r *Readiness) ask() State {
	ctx, cancel := context.WithTimeout(context.Background(), checkWithin)
	defer cancel()
	errs := make([]error, len(r.checks))
	var all sync.WaitGroup
	for i, c := range r.checks {
		all.Go(func() { errs[i] = c.run(ctx) })
	}
	all.Wait()
	s := State{Ready: true, Reasons: []string{}}
	for i, err := range errs {
		if err != nil {
			s.Ready = false
			s.Reasons = append(s.Reasons, r.checks[i].Name+": "+err.Error())
		}
	}
	return s
}

// check is a Check that may hang.
type check struct {
	Check
	busy atomic.Bool
}

func (c *check) run(ctx context.Context) error {
	if !c.busy.CompareAndSwap(false, true) {
		return errors.New("still no answer")
	}
	answer := make(chan error, 1)
	go func() {
		defer c.busy.Store(false)
		answer <- c.Check.Check(ctx)
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s", checkWithin)
	}
}
