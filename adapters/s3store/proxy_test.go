package s3store_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"cms.gov/ab2d/adapters/s3store"
)

// proxy stands between a store and its server and does harm to what goes
// through it.
type proxy struct {
	target string
	up     func(io.Writer) io.Writer // around what goes to the server, for each connection
	down   func(io.Writer) io.Writer // around what comes from it
}

// through returns the settings with the proxy in between.
func (p *proxy) through(t *testing.T, set s3store.Settings) s3store.Settings {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.target = set.Endpoint[len("http://"):]
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.join(conn) })
		}
	})
	// A transport of its own: none of its connections outlives the test.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(func() {
		l.Close()
		transport.CloseIdleConnections()
		wg.Wait()
	})
	set.Endpoint, set.Transport = "http://"+l.Addr().String(), transport
	return set
}

// join carries bytes both ways until either way fails, and ends both then.
func (p *proxy) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var up, down io.Writer = server, client
	if p.up != nil {
		up = p.up(server)
	}
	if p.down != nil {
		down = p.down(client)
	}
	ended := make(chan struct{}, 2)
	carry := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from)
		ended <- struct{}{}
	}
	go carry(up, plain{client})
	go carry(down, plain{server})
	<-ended
	client.Close()
	server.Close()
	<-ended
}

// plain hides what io.Copy would use to go round the writer.
type plain struct{ io.Reader }

// cut fails once so many bytes went through it.
type cut struct {
	io.Writer
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		n, _ := c.Writer.Write(p[:c.left])
		c.left = 0
		return n, io.ErrClosedPipe
	}
	c.left -= len(p)
	return c.Writer.Write(p)
}

// cutting cuts the first connections after so many bytes each.
func cutting(connections int32, after int) func(io.Writer) io.Writer {
	left := atomic.Int32{}
	left.Store(connections)
	return func(w io.Writer) io.Writer {
		return &onlyLong{w, &cut{w, after}, &left, after, 0}
	}
}

// onlyLong uses up one of the cuts when a connection carries so much, so that
// short requests pass.
type onlyLong struct {
	whole io.Writer
	cut   *cut
	left  *atomic.Int32
	after int
	seen  int
}

func (o *onlyLong) Write(p []byte) (int, error) {
	o.seen += len(p)
	if o.seen <= o.after {
		o.cut.left -= len(p)
		return o.whole.Write(p)
	}
	if o.seen-len(p) <= o.after && o.left.Add(-1) >= 0 {
		return o.cut.Write(p)
	}
	return o.whole.Write(p)
}

// flipping turns a bit of the byte at a place of each connection.
func flipping(at int) func(io.Writer) io.Writer {
	return func(w io.Writer) io.Writer { return &flip{w, at} }
}

type flip struct {
	io.Writer
	left int
}

func (f *flip) Write(p []byte) (int, error) {
	if f.left >= 0 && f.left < len(p) {
		p = bytes.Clone(p)
		p[f.left] ^= 1
	}
	f.left -= len(p)
	return f.Writer.Write(p)
}

// carrier is a transport made of a function.
type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }
