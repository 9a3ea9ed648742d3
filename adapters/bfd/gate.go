package bfd

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// gate lets calls through: as many at once as the pace says, in the order in
// which they came, and none while the server is away.
//
// The server counts as away when of the last calls most failed. Then whoever
// comes, and whoever waits, is told so at once and when to come back; one of
// those who do so then tries whether the server is there again. Its question is about nobody
// who is waited for, so no enrollee has to pay for an outage with a try.
type gate struct {
	try  func(ctx context.Context) error                   // whether the server answers
	tell func(o domain.CallOutcome, latency time.Duration) // whom calls are told; nil for nobody

	mu      sync.Mutex
	pace    pace
	inUse   int
	waiting list.List // of *waiter, first come first served

	recent [recentCalls]bool // the last calls, true for those that failed
	seen   int               // calls since the server was last found well

	away   bool
	trying bool
	since  time.Time
	until  time.Time // when to try again
	rest   time.Duration
	stats  Stats
}

// Stats are of a process, for whoever watches it.
type Stats struct {
	Limit, InUse, Waiting            int
	Answered, Refused, Failed, Calls int64
	Away                             bool
	Since                            time.Time // when it went away, while it is
	Outages                          int64     // times that the server went away
}

const (
	recentCalls = 20
	fewCalls    = 10 // fewer say nothing
	firstRest   = time.Second
	longestRest = 8 * time.Second
	leastRest   = 50 * time.Millisecond
)

// waiter is somebody who waits for the gate.
type waiter struct {
	through chan struct{} // closed when it may go
	err     error         // or why it may not
}

func newGate(most int, try func(ctx context.Context) error) *gate {
	return &gate{pace: newPace(most), try: try}
}

// enter waits until a call may be made. It fails with ports.ErrAway while the
// server is away.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.away {
		if err := g.revive(ctx); err != nil { // unlocks meanwhile
			g.mu.Unlock()
			return err
		}
	}
	if g.inUse < int(g.pace.limit) && g.waiting.Len() == 0 {
		g.inUse++
		g.mu.Unlock()
		return nil
	}
	w := &waiter{through: make(chan struct{})}
	place := g.waiting.PushBack(w)
	g.mu.Unlock()
	select {
	case <-w.through:
		return w.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.through: // let through at the same moment
		if w.err == nil {
			g.inUse--
			g.admit()
		}
	default:
		g.waiting.Remove(place)
	}
	return ctx.Err()
}

// revive tries whether the server is there again, if it is time to. The lock is held
// when it begins and when it ends.
func (g *gate) revive(ctx context.Context) error {
	now := time.Now()
	if g.trying || now.Before(g.until) {
		return g.errAway(now, nil)
	}
	g.trying = true
	g.mu.Unlock()
	err := g.try(ctx)
	g.mu.Lock()
	g.trying = false
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		g.told(outcomeOf(err), 0)
		g.rest = min(2*g.rest, longestRest)
		g.until = time.Now().Add(max(jittered(g.rest), afterOf(err)))
		return g.errAway(time.Now(), err)
	}
	g.away, g.seen = false, 0
	g.pace.again()
	return nil
}

// jittered is a time around d, so that many processes do not come back at once.
func jittered(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

// errAway says when to come back.
func (g *gate) errAway(now time.Time, cause error) error {
	e := domain.Errorf(domain.Unavailable, "the claims source is away").Because(errors.Join(ports.ErrAway, cause))
	e.RetryAfter = max(g.until.Sub(now), leastRest)
	return e
}

// took tells what became of a call. It returns cause, as ports.ErrAway when an
// outage explains it.
func (g *gate) took(o outcome, latency time.Duration, cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.took(o, latency, g.inUse)
	g.told(o, latency)
	g.stats.Calls++
	switch o {
	case answered:
		g.stats.Answered++
	case refused:
		g.stats.Refused++
	case failed:
		g.stats.Failed++
	case neither:
		return cause
	}
	g.recent[g.seen%recentCalls] = o != answered
	g.seen++
	if !g.away && g.failing() {
		g.close(cause)
	}
	g.admit()
	if g.away && o != answered {
		return g.errAway(time.Now(), cause)
	}
	return cause
}

// told tells of a call what it says of the server.
func (g *gate) told(o outcome, latency time.Duration) {
	if g.tell == nil {
		return
	}
	switch o {
	case answered:
		g.tell(domain.CallAnswered, latency)
	case refused:
		g.tell(domain.CallRefused, latency)
	case failed:
		g.tell(domain.CallFailed, latency)
	}
}

// leave makes room for another.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inUse--
	g.admit()
}

// failing reports whether most of the last calls failed.
func (g *gate) failing() bool {
	n, bad := min(g.seen, recentCalls), 0
	for _, f := range g.recent[:n] {
		if f {
			bad++
		}
	}
	return n >= fewCalls && 2*bad > n
}

// close has nobody go through until the server is found to be there again.
func (g *gate) close(cause error) {
	now := time.Now()
	g.away, g.since, g.rest = true, now, firstRest
	g.until = now.Add(max(jittered(firstRest), afterOf(cause)))
	g.stats.Outages++
	for e := g.waiting.Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiter)
		w.err = g.errAway(now, nil)
		close(w.through)
	}
	g.waiting.Init()
}

// admit lets those through who may go.
func (g *gate) admit() {
	for !g.away && g.inUse < int(g.pace.limit) && g.waiting.Len() > 0 {
		w := g.waiting.Remove(g.waiting.Front()).(*waiter)
		g.inUse++
		close(w.through)
	}
}

// bound sets how many calls there may be at once at most.
func (g *gate) bound(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.atMost(most)
	g.admit()
}

func (g *gate) now() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Limit, s.InUse, s.Waiting, s.Away = int(g.pace.limit), g.inUse, g.waiting.Len(), g.away
	if g.away {
		s.Since = g.since
	}
	return s
}
