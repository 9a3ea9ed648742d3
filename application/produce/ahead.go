package produce

import (
	"context"
	"sync"
)

// ahead bounds how many bytes of a partition's enrollees are read before their
// turn to be written. Whoever is next is always read, so that there is no
// waiting for each other; the others begin only while there is room. What they
// have begun they end: one huge enrollee thus comes to stream alone.
type ahead struct {
	limit int // 0 for no bound

	mu    sync.Mutex
	used  int
	next  int           // the place of whose turn it is
	moved chan struct{} // closed when there may be room
}

func newAhead(limit int) *ahead { return &ahead{limit: limit, moved: make(chan struct{})} }

// begin waits until the enrollee at a place may be read.
func (a *ahead) begin(ctx context.Context, place int) error {
	for {
		a.mu.Lock()
		moved, free := a.moved, place <= a.next || a.limit == 0 || a.used < a.limit
		a.mu.Unlock()
		if free {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take counts bytes that wait, and reports whether there are too many of them.
func (a *ahead) take(n int) (full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used += n
	return a.limit > 0 && a.used >= a.limit
}

// give takes bytes out of the count that do not wait any more.
func (a *ahead) give(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= n
	a.tell()
}

// turn tells that the enrollee at a place is next.
func (a *ahead) turn(place int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = place
	a.tell()
}

func (a *ahead) tell() {
	close(a.moved)
	a.moved = make(chan struct{})
}
