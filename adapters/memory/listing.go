package memory

import (
	"context"
	"slices"
	"strings"
	"sync"

	"cms.gov/ab2d/domain"
)

// Listing is HPMS: a list that can be set. It implements ports.Listing.
type Listing struct {
	mu     sync.Mutex
	listed []domain.ListedContract
	failed error
}

// Set replaces what is listed; the source works.
func (l *Listing) Set(listed ...domain.ListedContract) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed, l.failed = slices.Clone(listed), nil
}

// Fail has the source fail until something is set.
func (l *Listing) Fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = domain.Errorf(domain.Unavailable, "the listing is away")
}

// Contracts implements ports.Listing.
func (l *Listing) Contracts(ctx context.Context) ([]domain.ListedContract, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return nil, l.failed
	}
	return slices.SortedFunc(slices.Values(l.listed), func(a, b domain.ListedContract) int { return strings.Compare(string(a.Number), string(b.Number)) }), ctx.Err()
}
