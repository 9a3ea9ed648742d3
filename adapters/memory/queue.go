package memory

import (
	"context"
	"sync"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Handler does the work that tasks ask for.
type Handler interface {
	Plan(ctx context.Context, id domain.JobID) error
	Write(ctx context.Context, queued domain.PartitionID) error
}

// Queue holds the tasks that units of work scheduled, in order, until a test
// takes them. Nothing runs by itself.
type Queue struct {
	mu      sync.Mutex
	waiting []ports.Task
}

func (q *Queue) add(tasks []ports.Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, tasks...)
}

// Take returns the next task and takes it out, or false when there is none.
func (q *Queue) Take() (ports.Task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return ports.Task{}, false
	}
	t := q.waiting[0]
	q.waiting = q.waiting[1:]
	return t, true
}

// Waiting returns the tasks that wait, in order.
func (q *Queue) Waiting() []ports.Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]ports.Task(nil), q.waiting...)
}

// Lose throws all waiting tasks away, as a queue may.
func (q *Queue) Lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = nil
}

// Drain has h do the tasks one after another, those that they schedule too,
// until none is left or one fails. That there is nothing left to do is no failure.
func (q *Queue) Drain(ctx context.Context, h Handler) error {
	for {
		t, ok := q.Take()
		if !ok {
			return nil
		}
		if err := Run(ctx, h, t); err != nil && domain.CodeOf(err) != domain.NotFound {
			return err
		}
	}
}

// Run has h do one task.
func Run(ctx context.Context, h Handler, t ports.Task) error {
	if t.Partition == 0 {
		return h.Plan(ctx, t.Job)
	}
	return h.Write(ctx, domain.PartitionID{Job: t.Job, Seq: t.Partition})
}
