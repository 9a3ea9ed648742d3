// Package host runs a process: it starts what its roles need, keeps it going,
// and stops it in an order that loses nothing.
package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Worker takes up tasks from the queue between Start and Stop. Stop lets what
// is at work give its partitions back, until ctx ends.
type Worker interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Reconciler queues again what nobody would finish otherwise.
type Reconciler interface {
	Reconcile(ctx context.Context, everything bool) error
}

// Sweeper deletes what is over.
type Sweeper interface {
	Sweep(ctx context.Context) error
}

// Sealer seals what the audit trail has that is new.
type Sealer interface {
	Seal(ctx context.Context) error
}

// Round is something else that is seen to again and again: by workers, of which
// the store decides which does it when, or by every process for itself.
type Round struct {
	What  string
	Every time.Duration // between two looks whether it is time
	Do    func(ctx context.Context) error
	Own   bool                            // every process does it, with jobs or without
	Last  func(ctx context.Context) error // what is left to do when all else has stopped; nil for nothing
}

// Refusals keeps what was counted of refused requests.
type Refusals interface {
	Flush(ctx context.Context, everything bool) error
}

// Settings are how a process keeps itself going.
type Settings struct {
	Alone     bool          // no other process works on this database, so all unfinished work is ours to take
	Reconcile time.Duration // between two looks for lost work
	Sweep     time.Duration // between two looks for files that are over
	Seal      time.Duration // between two looks for audit records to seal
	Drain     time.Duration // what requests and workers get to end when the process stops
}

// Process is everything that runs. App and Listener are nil in a process that
// answers no requests, Worker, Reconciler, Sweeper and Sealer in one that does no jobs,
// Refusals in one that answers none, and Admin and AdminListener in one that tells nobody how it does.
type Process struct {
	Listener      net.Listener
	App           *fiber.App
	Admin         *http.Server
	AdminListener net.Listener
	Worker        Worker
	Reconciler    Reconciler
	Sweeper       Sweeper
	Sealer        Sealer
	Rounds        []Round
	Refusals      Refusals
	Log           *slog.Logger
	Settings      Settings

	phase atomic.Int32
}

// The phases of a process. The zero value is that it starts.
const (
	running = iota + 1
	stopping
)

// Check returns an error that says why when the process does not do its work:
// it still starts, or it stops.
func (p *Process) Check(context.Context) error {
	switch p.phase.Load() {
	case running:
		return nil
	case stopping:
		return errors.New("it is stopping")
	}
	return errors.New("it is starting")
}

// Run runs the process until ctx ends or something fails that it cannot go on
// without, and then stops it: no new requests, those at work end, workers give
// their partitions back. ready is called once everything answers.
func (p *Process) Run(ctx context.Context, ready func()) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var loops sync.WaitGroup
	defer loops.Wait()

	if p.Admin != nil {
		// First to answer and last to go: it tells what the rest is up to.
		loops.Go(func() {
			if err := p.Admin.Serve(p.AdminListener); !errors.Is(err, http.ErrServerClosed) {
				fail(err)
			}
		})
		defer p.Admin.Close()
		p.Log.InfoContext(ctx, "the admin address answers", "address", p.AdminListener.Addr().String())
	}
	if p.Worker != nil {
		// Before the first task is taken up: what a process before this one left.
		if err := p.Reconciler.Reconcile(ctx, p.Settings.Alone); err != nil {
			return err
		}
		if err := p.Worker.Start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		loops.Go(func() {
			p.every(ctx, p.Settings.Reconcile, "looking for lost work", func() error { return p.Reconciler.Reconcile(ctx, false) })
		})
		loops.Go(func() {
			p.every(ctx, p.Settings.Sweep, "sweeping files", func() error { return p.Sweeper.Sweep(ctx) })
		})
		loops.Go(func() {
			p.every(ctx, p.Settings.Seal, "sealing the audit trail", func() error { return p.Sealer.Seal(ctx) })
		})
	}
	for _, r := range p.Rounds {
		if r.Own || p.Worker != nil {
			loops.Go(func() { p.every(ctx, r.Every, r.What, func() error { return r.Do(ctx) }) })
		}
	}
	if p.Refusals != nil {
		loops.Go(func() {
			p.every(ctx, time.Minute, "recording refusals", func() error { return p.Refusals.Flush(ctx, false) })
		})
	}
	if p.App != nil {
		loops.Go(func() {
			if err := p.App.Listener(p.Listener); err != nil {
				fail(err)
			}
		})
	}
	p.phase.Store(running)
	ready()
	<-ctx.Done()
	p.phase.Store(stopping)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return errors.Join(err, p.stop())
}

func (p *Process) stop() error {
	p.Log.Info("stopping", "drain", p.Settings.Drain)
	ctx, cancel := context.WithTimeout(context.Background(), p.Settings.Drain)
	defer cancel()
	var api, worker error
	var both sync.WaitGroup
	if p.App != nil {
		both.Go(func() { api = p.App.ShutdownWithContext(ctx) })
	}
	if p.Worker != nil {
		both.Go(func() { worker = p.Worker.Stop(ctx) })
	}
	both.Wait()
	errs := []error{api, worker}
	if p.Refusals != nil {
		errs = append(errs, p.Refusals.Flush(ctx, true))
	}
	for _, r := range p.Rounds {
		if r.Last != nil && (r.Own || p.Worker != nil) {
			errs = append(errs, r.Last(ctx))
		}
	}
	return errors.Join(errs...)
}

// every calls do at once and then at the interval. An error is told and the
// next time may do better.
func (p *Process) every(ctx context.Context, interval time.Duration, what string, do func() error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := do(); err != nil && ctx.Err() == nil {
			p.Log.ErrorContext(ctx, what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
