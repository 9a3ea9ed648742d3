package porttest

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/ports"
)

// QueueHarness is what the suite needs to try an adapter of ports.Queue.
type QueueHarness struct {
	Work  ports.UnitOfWork  // whose Tx.Queue is the queue
	Taken <-chan ports.Task // every task that a worker takes up
}

// Queue runs the conformance suite of ports.Queue. create returns an empty
// queue with workers at it.
func Queue(t *testing.T, create func(t *testing.T) QueueHarness) {
	for name, part := range map[string]func(queueTest){
		"every task is taken up":                        queueTakes,
		"a task of a failed unit of work is never seen": queueUndoes,
		"a task is not seen before its unit of work":    queueWaits,
		"many tasks at once":                            queueMany,
		"nothing is nothing":                            queueNothing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(queueTest{t, create(t)})
		})
	}
}

type queueTest struct {
	*testing.T
	QueueHarness
}

func (q queueTest) schedule(tasks ...ports.Task) {
	q.Helper()
	if err := q.Work.Do(q.Context(), func(ctx context.Context, tx ports.Tx) error { return tx.Queue.Schedule(ctx, tasks...) }); err != nil {
		q.Fatal(err)
	}
}

// takes waits until all the tasks were taken up, in whatever order and however
// often, and fails when another is.
func (q queueTest) takes(tasks ...ports.Task) {
	q.Helper()
	missing := map[ports.Task]bool{}
	for _, t := range tasks {
		missing[t] = true
	}
	deadline := time.After(time.Minute)
	for len(missing) > 0 {
		select {
		case t := <-q.Taken:
			if _, known := missing[t]; !known && !contains(tasks, t) {
				q.Fatalf("%+v was taken up", t)
			}
			delete(missing, t)
		case <-deadline:
			q.Fatalf("%d of %d tasks were not taken up", len(missing), len(tasks))
		}
	}
}

func contains(tasks []ports.Task, t ports.Task) bool {
	for _, u := range tasks {
		if u == t {
			return true
		}
	}
	return false
}

func queueTakes(q queueTest) {
	tasks := []ports.Task{{Job: jobID(1)}, {Job: jobID(1), Partition: 1}, {Job: jobID(1), Partition: 2}, {Job: jobID(2)}}
	q.schedule(tasks...)
	q.takes(tasks...)
	q.schedule(tasks[1]) // once more, as a reconciler does
	q.takes(tasks[1])
}

func queueUndoes(q queueTest) {
	err := q.Work.Do(q.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Queue.Schedule(ctx, ports.Task{Job: jobID(1)}, ports.Task{Job: jobID(1), Partition: 1}); err != nil {
			q.Error(err)
		}
		return errUndo
	})
	if err == nil {
		q.Error("the unit of work succeeded")
	}
	later := []ports.Task{{Job: jobID(2)}, {Job: jobID(2), Partition: 1}}
	q.schedule(later...)
	q.takes(later...)
}

func queueWaits(q queueTest) {
	task := ports.Task{Job: jobID(1)}
	if err := q.Work.Do(q.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Queue.Schedule(ctx, task); err != nil {
			return err
		}
		select {
		case t := <-q.Taken:
			q.Errorf("%+v was taken up before its unit of work ended", t)
		case <-time.After(200 * time.Millisecond):
		}
		return nil
	}); err != nil {
		q.Fatal(err)
	}
	q.takes(task)
}

func queueMany(q queueTest) {
	var tasks []ports.Task
	for i := range 1500 {
		tasks = append(tasks, ports.Task{Job: jobID(1), Partition: i + 1})
	}
	q.schedule(tasks...)
	q.takes(tasks...)
}

func queueNothing(q queueTest) {
	q.schedule()
	q.schedule(ports.Task{Job: jobID(1)})
	q.takes(ports.Task{Job: jobID(1)})
}
