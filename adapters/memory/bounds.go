package memory

import (
	"context"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Bounds remembers what was used and how often. It implements ports.Assertions
// and ports.Limits for a process that shares them with no other, and its zero
// value is ready to use.
type Bounds struct {
	// Now is the clock that rates go by; that of this machine if nil.
	Now func() time.Time

	mu    sync.Mutex
	used  map[assertion]time.Time
	fresh map[string]time.Time
	added int // since what is over was last let go of
}

var (
	_ ports.Assertions = (*Bounds)(nil)
	_ ports.Limits     = (*Bounds)(nil)
)

type assertion struct {
	issuer domain.ClientID
	id     string
}

// forgetting is how many things are added before those that are over go.
const forgetting = 1000

func (b *Bounds) now() time.Time {
	if b.Now == nil {
		return time.Now()
	}
	return b.Now()
}

// Use implements ports.Assertions.
func (b *Bounds) Use(ctx context.Context, issuer domain.ClientID, id string, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, key := b.now(), assertion{issuer, id}
	b.forget(now)
	if kept, there := b.used[key]; there && now.Before(kept) {
		return domain.Errorf(domain.Conflict, "this assertion was used before")
	}
	if b.used == nil {
		b.used = map[assertion]time.Time{}
	}
	b.used[key] = until
	b.added++
	return nil
}

// Take implements ports.Limits.
func (b *Bounds) Take(ctx context.Context, key string, n int, r domain.Rate) (time.Duration, error) {
	if err := ctx.Err(); err != nil || !r.Bounds() {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.forget(now)
	after, wait := r.Take(now, b.fresh[key], n)
	if wait > 0 || n == 0 {
		return wait, nil
	}
	if b.fresh == nil {
		b.fresh = map[string]time.Time{}
	}
	b.fresh[key] = after
	b.added++
	return 0, nil
}

func (b *Bounds) forget(now time.Time) {
	if b.added < forgetting {
		return
	}
	b.added = 0
	for key, until := range b.used {
		if now.After(until) {
			delete(b.used, key)
		}
	}
	for key, at := range b.fresh {
		if now.After(at) {
			delete(b.fresh, key)
		}
	}
}
