package bfd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"cms.gov/ab2d/ports"
)

// errClosed is not io.EOF, so that a reader closed early cannot pass for one
// that was read to the end.
var errClosed = errors.New("bfd: the reader is closed")

// emptyPages is how many pages without a claim may link to another.
const emptyPages = 10

// reader reads one person's claims, or what else there is about a person. It holds its place at the gate over all
// pages, which then come right after each other: BFD cuts them by count, so that
// what it loads in between would move them.
type reader struct {
	ctx     context.Context
	source  *Source
	search  search
	headers http.Header

	*buffers // nil when the reader is closed, or its end has come
	call     *call
	address  string // of the page at hand
	total    int    // of the first page; -1 when it did not say
	claims   int
	pages    int
	empty    int // pages in a row
	asOf     time.Time
	err      error // what Next returns from now on
}

var _ ports.OpenClaimReader = (*reader)(nil)

// Read asks for the first page of a person's claims and waits for its answer to begin.
func (s *Source) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	r, err := s.ask(ctx, claimsOf(&q), s.address(&q), headers(q.Contract, q.Job))
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Source) ask(ctx context.Context, q search, address string, h http.Header) (*reader, error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, source: s, search: q, headers: h, buffers: s.buffers.Get().(*buffers), total: -1}
	if err := r.open(address); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// open begins a page.
func (r *reader) open(address string) error {
	r.address = address
	c, err := r.source.client.do(r.ctx, address, r.headers)
	if err == nil {
		r.call = c
		err = r.begin(c)
	}
	if err != nil {
		return r.fault(err)
	}
	return nil
}

// Next returns the next claim, valid until the following call.
func (r *reader) Next() ([]byte, error) {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	for r.err == nil {
		claim, err := r.page.next()
		if err == nil {
			r.claims++
			return claim, nil
		}
		if err != io.EOF {
			r.err = r.fault(err)
		} else if err = r.turn(); err != nil {
			r.err = err
		}
	}
	if r.buffers != nil {
		r.release()
	}
	return nil, r.err
}

// Begun returns what has come of the next claim, unless something else comes next.
func (r *reader) Begun(beyond int) []byte {
	if r.err != nil || r.ctx.Err() != nil {
		return nil
	}
	return r.page.begun(beyond)
}

// Ended counts the claim that Begun began.
func (r *reader) Ended(n int) {
	r.page.ended(n)
	r.claims++
}

// turn goes to the next page, or to the end.
func (r *reader) turn() error {
	p := &r.page
	switch {
	case r.pages == 0:
		r.total = p.total
	case p.total != r.total:
		return r.fault(bad("its pages do not agree on how many claims there are"))
	}
	r.pages++
	if r.asOf.IsZero() || p.asOf.Before(r.asOf) {
		r.asOf = p.asOf
	}
	r.source.seen.note(p.asOf, time.Now())
	if r.empty++; p.entries > 0 {
		r.empty = 0
	}
	next := p.nextURL
	if next == "" && r.total >= 0 && r.total != r.claims {
		return r.fault(bad("%d claims came of the %d that it told of", r.claims, r.total))
	}
	if err := r.over(answered, r.call.latency, nil); err != nil || next == "" {
		if err == nil {
			err = io.EOF
		}
		return err
	}
	address, err := r.source.follow(r.search, next)
	if err == nil && (address == r.address || r.empty > emptyPages) {
		err = bad("its pages lead nowhere")
	}
	if err != nil {
		return errorOf(err)
	}
	return r.open(address)
}

// over tells the gate of a call that is over.
func (r *reader) over(o outcome, latency time.Duration, err error) error {
	if r.call != nil {
		r.call.close()
		r.call = nil
	}
	return r.source.gate.took(o, latency, err)
}

// fault makes of what went wrong an error with a code.
func (r *reader) fault(err error) error {
	if ended := r.ctx.Err(); ended != nil {
		return errors.Join(r.over(neither, 0, nil), ended)
	}
	return r.over(outcomeOf(err), 0, errorOf(err))
}

// AsOf returns the earliest time as of which a page stands.
func (r *reader) AsOf() time.Time { return r.asOf }

// release gives back what the reader holds.
func (r *reader) release() {
	if r.call != nil {
		r.call.close()
		r.call = nil
	}
	r.source.buffers.Put(r.buffers)
	r.buffers = nil
	r.source.gate.leave()
}

// Close ends a call that is still being answered.
func (r *reader) Close() error {
	if r.err == nil {
		r.err = errClosed
	}
	if r.buffers != nil {
		r.release()
	}
	return nil
}
