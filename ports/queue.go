package ports

import (
	"context"

	"cms.gov/ab2d/domain"
)

// Task is one step of a job that a worker takes up.
type Task struct {
	Job       domain.JobID
	Partition int // 0 to plan the job, else the partition that is to be written; whoever takes it up may find that another's turn has come
}

// Queue brings tasks to workers.
type Queue interface {
	// Schedule has each task taken up at least once after the unit of work ends,
	// by any worker, in about the order given. A task may be taken up twice or by two
	// workers at once; whether anything is left to do is the store's to say,
	// not the queue's.
	Schedule(ctx context.Context, tasks ...Task) error
}
