// Package sources keeps what came of calls to the claims source: how long they
// took and how many failed, summed over all processes, in stretches of time.
package sources

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Every is the time between two times that a process adds what it counted.
const Every = 15 * time.Second

// Recorder counts calls. It is safe for concurrent use.
type Recorder struct {
	Store  ports.UnitOfWork
	Clock  ports.Clock
	Source string // what staff know the source by

	mu      sync.Mutex
	counted map[time.Time]*domain.SourceFigures // by when the short stretch begins
}

// Took counts a call that is over.
func (r *Recorder) Took(o domain.CallOutcome, took time.Duration) {
	at := r.Clock.Now().UTC().Truncate(domain.ShortStretch)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(at).Count(o, took)
}

func (r *Recorder) at(begins time.Time) *domain.SourceFigures {
	f := r.counted[begins]
	if f == nil {
		f = &domain.SourceFigures{Source: r.Source, Begins: begins, Width: domain.ShortStretch}
		if r.counted == nil {
			r.counted = map[time.Time]*domain.SourceFigures{}
		}
		r.counted[begins] = f
	}
	return f
}

// Flush adds what was counted to what all processes counted. What cannot be kept
// now is kept the next time; a process that is killed takes some seconds of it along.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	counted := r.counted
	r.counted = nil
	r.mu.Unlock()
	if len(counted) == 0 {
		return nil
	}
	err := r.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		for _, f := range counted {
			long := *f
			long.Begins, long.Width = f.Begins.Truncate(domain.LongStretch), domain.LongStretch
			if err := tx.SourceFigures.Add(ctx, *f); err != nil {
				return err
			}
			if err := tx.SourceFigures.Add(ctx, long); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for begins, f := range counted {
		now := r.at(begins)
		*now = now.Plus(*f)
	}
	return err
}

// Claims is a source whose readings are counted: a call is all that it takes to
// read one person's claims, without what is done to them meanwhile.
type Claims struct {
	ports.Claims
	Recorder *Recorder
}

// Read implements ports.Claims.
func (c Claims) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	begin := time.Now()
	r, err := c.Claims.Read(ctx, q)
	took := time.Since(begin)
	if err != nil {
		c.over(ctx, took, err)
		return nil, err
	}
	return &reader{ClaimReader: r, ctx: ctx, claims: c, took: took}, nil
}

// over counts a call, unless nobody waited for its end or the answer was only
// that there is nobody of that id.
func (c Claims) over(ctx context.Context, took time.Duration, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	switch domain.CodeOf(err) {
	case "":
		c.Recorder.Took(domain.CallAnswered, took)
	case domain.Throttled:
		c.Recorder.Took(domain.CallRefused, took)
	case domain.Unavailable, domain.Internal:
		c.Recorder.Took(domain.CallFailed, took)
	}
}

type reader struct {
	ports.ClaimReader
	ctx    context.Context
	claims Claims
	took   time.Duration
	told   bool
}

func (r *reader) Next() ([]byte, error) {
	begin := time.Now()
	claim, err := r.ClaimReader.Next()
	r.took += time.Since(begin)
	if err == nil || r.told {
		return claim, err
	}
	r.told = true
	if errors.Is(err, io.EOF) {
		r.claims.over(r.ctx, r.took, nil)
	} else {
		r.claims.over(r.ctx, r.took, err)
	}
	return claim, err
}
