package memory

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Claims implements ports.Claims with what a test scripts for each person. It
// ignores the bounds of a query, as a source may.
type Claims struct {
	mu       sync.Mutex
	complete time.Time
	people   map[domain.PatientID][]Answer
	asked    []ports.ClaimsQuery
}

var _ ports.Claims = (*Claims)(nil)

// Answer is how the source answers one time that it is asked for a person.
type Answer struct {
	Claims  []string  // as JSON; given for either version
	AsOf    time.Time // when zero, what the source vouches for
	Err     error     // when set, the end of the claims instead of io.EOF
	Refused error     // when set, Read itself fails with it
	Delay   func()    // when set, called before each claim and before the end
}

// NewClaims returns a source without people that vouches for everything up to t.
func NewClaims(t time.Time) *Claims {
	return &Claims{complete: t, people: map[domain.PatientID][]Answer{}}
}

// SetComplete changes what the source vouches for.
func (c *Claims) SetComplete(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete = t
}

// Script has the source answer one after another time as told, and from then on
// as the last time. A person without a script is not known.
func (c *Claims) Script(p domain.PatientID, answers ...Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people[p] = answers
}

// Put has the source answer with these claims whenever it is asked.
func (c *Claims) Put(p domain.PatientID, claims ...string) {
	c.Script(p, Answer{Claims: claims})
}

// Asked returns every query so far, in order.
func (c *Claims) Asked() []ports.ClaimsQuery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// CompleteThrough implements ports.Claims.
func (c *Claims) CompleteThrough(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete, ctx.Err()
}

// Read implements ports.Claims.
func (c *Claims) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	script := c.people[q.Patient]
	if len(script) == 0 {
		return nil, domain.Errorf(domain.NotFound, "the source does not know the person")
	}
	answer := script[0]
	if len(script) > 1 {
		c.people[q.Patient] = script[1:]
	}
	if answer.Refused != nil {
		return nil, answer.Refused
	}
	if answer.AsOf.IsZero() {
		answer.AsOf = c.complete
	}
	return &claimReader{ctx: ctx, answer: answer}, nil
}

type claimReader struct {
	ctx    context.Context
	answer Answer
	next   int
	closed bool
	buf    []byte // overwritten by each call, as the port allows
}

func (r *claimReader) Next() ([]byte, error) {
	if r.answer.Delay != nil {
		r.answer.Delay()
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.closed {
		return nil, errClosed
	}
	if r.next < len(r.answer.Claims) {
		// The bytes of the call before are spoilt, to catch who keeps them.
		for i := range r.buf {
			r.buf[i] = '#'
		}
		r.buf = append(r.buf[:0], r.answer.Claims[r.next]...)
		r.next++
		return r.buf, nil
	}
	if r.answer.Err != nil {
		return nil, r.answer.Err
	}
	return nil, io.EOF
}

func (r *claimReader) AsOf() time.Time { return r.answer.AsOf }

var errClosed = errors.New("the reader is closed")

func (r *claimReader) Close() error {
	r.closed = true
	return nil
}
