package fiberapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cms.gov/ab2d/domain"
)

const (
	piece = 1 << 20  // the client has Config.Stall for each
	tail  = 64 << 10 // the last piece, which a socket takes at once if the client reads at all
)

// transfer is a response body that sends a file and knows how far it got.
//
// The server copies a body to its buffered writer with io.Copy, which leaves
// that to WriteTo. There the writer is empty once it is flushed, and a file on
// disk can go to the connection past it; an empty writer also passes ReadFrom on.
// What either returns is what the socket took.
type transfer struct {
	body  io.ReadCloser
	conn  net.Conn
	left  int64
	stall time.Duration

	last func()                         // called before the last bytes
	over func(sent int64, broken error) // called once, after the last bytes or the failure

	sent    int64
	err     error
	closed  bool
	stopped atomic.Bool
}

// WriteTo sends the file.
func (t *transfer) WriteTo(w io.Writer) (int64, error) {
	out := bufio.NewWriter(w) // w itself: it is one already
	if t.err = errors.Join(bound(t.conn), out.Flush()); t.err == nil {
		t.err = t.send(out)
	}
	_ = t.conn.SetWriteDeadline(time.Time{})
	return t.sent, t.err
}

func (t *transfer) send(out *bufio.Writer) error {
	for t.left > 0 {
		n := min(t.left, tail)
		if t.left > tail {
			n = min(t.left-tail, piece)
		} else {
			t.last()
		}
		if err := t.conn.SetWriteDeadline(time.Now().Add(t.stall)); err != nil {
			return err
		}
		if t.stopped.Load() { // after the deadline is set: stop ends one that is set before it
			return errStopped
		}
		m, done, err := sendMapped(t.conn, t.body, n)
		if !done {
			m, err = out.ReadFrom(&io.LimitedReader{R: t.body, N: n})
			if err == nil {
				err = out.Flush() // a connection without ReadFrom, as with TLS, got it through the buffer
			}
			m -= int64(out.Buffered())
		}
		t.sent, t.left = t.sent+m, t.left-m
		if err != nil && t.stopped.Load() {
			return errStopped
		} else if err != nil {
			return err
		}
		if m < n {
			return errors.Join(io.ErrUnexpectedEOF, errors.New("the stored file is shorter than it was"))
		}
	}
	return nil
}

// errStopped means that a transfer was cut on purpose.
var errStopped = errors.New("the contract's attestation has ended")

// stop cuts the transfer, also one that waits for its client. The client sees a
// broken connection.
func (t *transfer) stop() {
	t.stopped.Store(true)
	_ = t.conn.SetWriteDeadline(time.Unix(1, 0)) // a connection that is gone needs no cutting
}

// Read is what makes this a body. The server never calls it.
func (t *transfer) Read(p []byte) (int, error) { return t.body.Read(p) }

// Close ends the transfer, however far it got.
func (t *transfer) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	err := t.body.Close()
	if t.left > 0 && t.err == nil {
		t.err = net.ErrClosed
	}
	t.over(t.sent, t.err)
	return err
}

// gate makes requests for a file wait while its last bytes are on the way and
// the account of that is being written. It works within one process; beyond
// it, somebody very quick gets a file twice.
type gate struct {
	mu   sync.Mutex
	busy map[gateKey]*passage
}

type gateKey struct {
	job  domain.JobID
	name string
}

type passage struct {
	inside int
	free   chan struct{} // closed when nobody is inside
}

// patience is how long a request waits at most: the last bytes may be stuck at
// a client that has stopped reading.
const patience = 3 * time.Second

func (g *gate) enter(job domain.JobID, name string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := gateKey{job, name}
	p := g.busy[key]
	if p == nil {
		p = &passage{free: make(chan struct{})}
		if g.busy == nil {
			g.busy = map[gateKey]*passage{}
		}
		g.busy[key] = p
	}
	p.inside++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if p.inside--; p.inside == 0 {
			delete(g.busy, key)
			close(p.free)
		}
	}
}

func (g *gate) wait(ctx context.Context, job domain.JobID, name string) {
	g.mu.Lock()
	p := g.busy[gateKey{job, name}]
	g.mu.Unlock()
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-p.free:
	case <-ctx.Done():
	}
}
