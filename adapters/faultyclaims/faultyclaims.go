// Package faultyclaims is a claims source with which things go wrong: for trying
// out what becomes of exports while their source refuses, breaks off, hangs,
// lags or mixes people up. It passes on what another source answers.
//
// What goes wrong is drawn from a seed: of each enrollee the first, second,
// third ... read by a process fares the same in every run, whatever else is read
// meanwhile. An answer that is not whole never passes for whole: as from every
// source, its reader ends with an error and not with io.EOF. Only a claim of
// another person and a time that is too old have to be noticed by who reads.
package faultyclaims

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Claims implements ports.Claims.
type Claims struct {
	source ports.Claims
	faults Faults
	now    func() time.Time

	mu    sync.Mutex
	asked map[string]uint64 // how often about each enrollee; about nobody for CompleteThrough
}

var _ ports.Claims = (*Claims)(nil)

// New returns the source with faults. The clock is for their end alone.
func New(source ports.Claims, f Faults, now func() time.Time) *Claims {
	return &Claims{source: source, faults: f, now: now, asked: map[string]uint64{}}
}

// What the faults are told as. All may pass.
var (
	errRefused = domain.Errorf(domain.Unavailable, "the claims source refused (an injected fault)")
	errBroken  = domain.Errorf(domain.Unavailable, "the claims source's answer broke off (an injected fault)")
	errStalled = domain.Errorf(domain.Unavailable, "the claims source's answer hung (an injected fault)")
	errClosed  = errors.New("faultyclaims: the reader is closed")
)

// over reports whether the time of faults is over.
func (c *Claims) over() bool { return !c.faults.Until.IsZero() && !c.now().Before(c.faults.Until) }

// ask counts a question about somebody, from 0.
func (c *Claims) ask(about string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.asked[about]
	c.asked[about] = n + 1
	return n
}

// CompleteThrough is refused at times, and goes backwards at times.
func (c *Claims) CompleteThrough(ctx context.Context) (time.Time, error) {
	t, err := c.source.CompleteThrough(ctx)
	if err != nil || c.over() {
		return t, err
	}
	n := c.ask("")
	if c.faults.draw(refuse, "", n) < c.faults.Refuse {
		return time.Time{}, errRefused
	}
	if c.faults.draw(back, "", n) < c.faults.Back {
		t = t.Add(-c.faults.behind("", n))
	}
	return t, nil
}

// Read reads from the source, with what goes wrong this time.
func (c *Claims) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	f, about := c.faults, string(q.Patient)
	hit := func(k kind, n uint64, rate float64) bool { return f.draw(k, about, n) < rate }
	lost := hit(lose, 0, f.Lose)
	if c.over() && !lost {
		return c.source.Read(ctx, q)
	}
	n := c.ask(about)
	if err := wait(ctx, time.Duration(f.draw(delay, about, n)*float64(f.Delay))); err != nil {
		return nil, err
	}
	if lost || hit(refuse, n, f.Refuse) {
		return nil, errRefused
	}
	r, err := c.source.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	faulty := &reader{ClaimReader: r, ctx: ctx, place: int(f.draw(place, about, n) * places), stallFor: f.StallFor,
		breaks: hit(breakOff, n, f.Break), stalls: hit(stall, n, f.Stall)}
	if hit(wrong, n, f.Wrong) {
		faulty.own, faulty.theirs = []byte("Patient/"+about), []byte("Patient/"+somebodyElse(about))
	}
	if hit(stale, n, f.Stale) {
		faulty.behind = f.behind(about, n)
	}
	return faulty, nil
}

// places is among how many first claims the one is at which a fault happens.
const places = 8

// wait waits, not at all for nothing.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// somebodyElse returns an id of the same form that is not this one.
func somebodyElse(id string) string {
	other := []byte(id)
	last := len(other) - 1
	switch {
	case last < 0:
		return "0"
	case other[last] == '0':
		other[last] = '1'
	default:
		other[last] = '0'
	}
	return string(other)
}

// reader is an answer with which something goes wrong.
type reader struct {
	ports.ClaimReader
	ctx      context.Context
	stallFor time.Duration
	behind   time.Duration

	place          int // how many claims come before something happens
	breaks, stalls bool
	own, theirs    []byte // set when a claim is to be another's
	mixed          []byte
	err            error // of the last call, which stays
}

// Next returns the next claim, or what goes wrong in its place.
func (r *reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	claim, err := r.ClaimReader.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if here := r.place <= 0 || err != nil; here && (r.stalls || r.breaks) {
		return nil, r.stop()
	} else if err != nil {
		return nil, err
	}
	if r.place <= 0 && r.own != nil && bytes.Contains(claim, r.own) {
		r.mixed = append(r.mixed[:0], bytes.ReplaceAll(claim, r.own, r.theirs)...)
		r.own, claim = nil, r.mixed
	}
	r.place--
	return claim, nil
}

// stop ends the answer before its end.
func (r *reader) stop() error {
	r.err = errBroken
	if r.stalls {
		r.err = errStalled
		if err := wait(r.ctx, r.stallFor); err != nil {
			r.err = err
		}
	}
	return r.err
}

// AsOf returns the source's time, or one before.
func (r *reader) AsOf() time.Time { return r.ClaimReader.AsOf().Add(-r.behind) }

// Close closes the source's reader.
func (r *reader) Close() error {
	if r.err == nil {
		r.err = errClosed
	}
	return r.ClaimReader.Close()
}
