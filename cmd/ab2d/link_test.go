package main

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is a wire with trouble: it stands between processes and what they talk
// to, and passes everything on until it is told otherwise. With several targets
// it takes them in turn, and the next one when one does not answer.
type link struct {
	listener net.Listener
	targets  []string // addresses, and paths of sockets
	next     atomic.Uint32
	trouble  atomic.Int32
	held     atomic.Pointer[hold]

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// What a link does.
const (
	passes  int32 = iota
	refuses       // new connections are reset
	silent        // nothing arrives, and nobody is told
	slow          // little by little
)

// hold is something that a link is to keep back: the first message on its way to
// the target that has the text in it, until it is let go.
type hold struct {
	text  []byte
	taken atomic.Bool
	let   chan struct{}
}

// holdBack arms the link, and returns what lets go whatever it then holds.
func (l *link) holdBack(text string) (letGo func() bool) {
	h := &hold{text: []byte(text), let: make(chan struct{})}
	l.held.Store(h)
	return func() (held bool) {
		l.held.CompareAndSwap(h, nil)
		close(h.let)
		return h.taken.Load()
	}
}

// wait keeps the message back if it is the one.
func (l *link) wait(message []byte) {
	if h := l.held.Load(); h != nil && bytes.Contains(message, h.text) && h.taken.CompareAndSwap(false, true) {
		<-h.let
	}
}

func newLink(t *testing.T, targets ...string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, targets: targets, conns: map[net.Conn]bool{}}
	go l.accept()
	t.Cleanup(func() {
		listener.Close()
		l.set(refuses)
		l.cut()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) set(trouble int32) { l.trouble.Store(trouble) }

// cut resets every connection.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		reset(c)
	}
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

func (l *link) accept() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return
		}
		if l.trouble.Load() == refuses {
			reset(from)
			continue
		}
		go l.join(from)
	}
}

func (l *link) join(from net.Conn) {
	to := l.dial()
	if to == nil {
		reset(from)
		return
	}
	l.mu.Lock()
	l.conns[from], l.conns[to] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(to, from, l.wait) })
	both.Go(func() { l.pump(from, to, func([]byte) {}) })
	both.Wait()
	l.mu.Lock()
	delete(l.conns, from)
	delete(l.conns, to)
	l.mu.Unlock()
}

func (l *link) dial() net.Conn {
	first := int(l.next.Add(1))
	for i := range l.targets {
		target, network := l.targets[(first+i)%len(l.targets)], "tcp"
		if target[0] == '/' {
			network = "unix"
		}
		if c, err := net.DialTimeout(network, target, 2*time.Second); err == nil {
			return c
		}
	}
	return nil
}

// pump carries one direction, and ends both with it. It asks before each message.
func (l *link) pump(to, from net.Conn, before func(message []byte)) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for l.trouble.Load() == silent {
			time.Sleep(10 * time.Millisecond)
		}
		if l.trouble.Load() == slow {
			time.Sleep(20 * time.Millisecond)
		}
		if n > 0 {
			before(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
