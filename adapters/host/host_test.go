package host_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/host"
)

// slow is a worker that takes until it is let go to stop.
type slow struct{ stopping, let chan struct{} }

func (slow) Start(context.Context) error { return nil }
func (w slow) Stop(ctx context.Context) error {
	close(w.stopping)
	select {
	case <-w.let:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type idle struct{}

func (idle) Reconcile(context.Context, bool) error { return nil }
func (idle) Sweep(context.Context) error           { return nil }
func (idle) Seal(context.Context) error            { return nil }

// The admin address answers from the start until the last partition is given
// back, and the process says what it is up to.
func TestTheAdminAddressAnswersUntilAllElseHasStopped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := slow{make(chan struct{}), make(chan struct{})}
	p := &host.Process{Worker: w, Reconciler: idle{}, Sweeper: idle{}, Sealer: idle{}, Log: slog.New(slog.DiscardHandler), AdminListener: l,
		Settings: host.Settings{Reconcile: time.Hour, Sweep: time.Hour, Seal: time.Hour, Drain: time.Minute}}
	p.Admin = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.Check(r.Context()); err != nil {
			_, _ = io.WriteString(w, err.Error())
		}
	})}
	says := func() string {
		t.Helper()
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if err := p.Check(t.Context()); err == nil {
		t.Error("a process that was not started works")
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, over := make(chan struct{}), make(chan error)
	go func() { over <- p.Run(ctx, func() { close(ready) }) }()
	<-ready
	if s := says(); s != "" {
		t.Errorf("while it runs: %s", s)
	}
	stop()
	<-w.stopping
	if s := says(); s != "it is stopping" {
		t.Errorf("while it stops: %q", s)
	}
	close(w.let)
	if err := <-over; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the admin address still answers")
	}
}

// counted is something that is done again and again.
type counted struct{ done, last atomic.Int32 }

func (c *counted) round(own bool) host.Round {
	add := func(n *atomic.Int32) func(context.Context) error {
		return func(context.Context) error { n.Add(1); return nil }
	}
	return host.Round{What: "counting", Every: time.Hour, Do: add(&c.done), Own: own, Last: add(&c.last)}
}

// What a process does for itself it does with jobs or without, what workers do
// only with; and both once more at the end.
func TestAProcessSeesToItselfWithoutJobsToo(t *testing.T) {
	for _, works := range []bool{false, true} {
		var own, shared counted
		p := &host.Process{Rounds: []host.Round{own.round(true), shared.round(false)}, Log: slog.New(slog.DiscardHandler),
			Settings: host.Settings{Reconcile: time.Hour, Sweep: time.Hour, Seal: time.Hour, Drain: time.Minute}}
		want := int32(0)
		if works {
			w := slow{make(chan struct{}), make(chan struct{})}
			close(w.let)
			p.Worker, p.Reconciler, p.Sweeper, p.Sealer, want = w, idle{}, idle{}, idle{}, 1
		}
		ctx, stop := context.WithCancel(t.Context())
		if err := p.Run(ctx, stop); err != nil {
			t.Error(err)
		}
		if own.done.Load() != 1 || own.last.Load() != 1 || shared.done.Load() != want || shared.last.Load() != want {
			t.Errorf("with jobs: %t; for itself %d and %d, as a worker %d and %d", works, own.done.Load(), own.last.Load(), shared.done.Load(), shared.last.Load())
		}
	}
}
