// Package presence has each process tell that it runs and how it does, so that
// who oversees them sees all of them in one place.
package presence

import (
	"context"
	"sync/atomic"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Every is the time between two times that a process tells of itself.
const Every = domain.SilentAfter / 4

// forgotten is how long a process is known that ended without saying so.
const forgotten = 24 * time.Hour

// UseCase tells of one process. Beat and Leave are called by one goroutine.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
	Self  domain.Process             // as it started
	Look  func() domain.ProcessState // how it does now; when its disk became full it need not know
	Tasks *Tasks                     // nil in a process that does no jobs
	Alone bool                       // no other process runs: what tells of one is what a killed one left

	full time.Time // since when the disk is
	told bool      // at least once
}

// Beat tells of the process now.
func (u *UseCase) Beat(ctx context.Context) error {
	p := u.Self
	p.State = u.Look()
	if u.Tasks != nil {
		p.State.Partitions = int(u.Tasks.running.Load())
	}
	if d := p.State.Disk; d == nil || !d.Full() {
		u.full = time.Time{}
	} else {
		if u.full.IsZero() {
			u.full = u.Clock.Now()
		}
		d.Since = u.full
	}
	silent := forgotten
	if u.Alone && !u.told {
		silent = 0
	}
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if _, err := tx.Processes.Forget(ctx, silent); err != nil {
			return err
		}
		return tx.Processes.Tell(ctx, p)
	})
	u.told = u.told || err == nil
	return err
}

// Leave tells that the process has stopped.
func (u *UseCase) Leave(ctx context.Context) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return tx.Processes.Leave(ctx, u.Self.ID) })
}

// handler does what tasks ask for.
type handler interface {
	Plan(ctx context.Context, id domain.JobID) error
	Write(ctx context.Context, queued domain.PartitionID) error
}

// Tasks counts the partitions that a process writes at a time.
type Tasks struct {
	handler
	running atomic.Int32
}

// Counted returns tasks that h does, counted.
func Counted(h handler) *Tasks { return &Tasks{handler: h} }

// Write writes a partition.
func (t *Tasks) Write(ctx context.Context, queued domain.PartitionID) error {
	t.running.Add(1)
	defer t.running.Add(-1)
	return t.handler.Write(ctx, queued)
}
