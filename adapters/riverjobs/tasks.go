package riverjobs

import (
	"github.com/riverqueue/river"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// The two queues of River. Planning is apart so that a new job does not wait
// behind the partitions of those before it.
const (
	planQueue      = "plan"
	partitionQueue = "partition"
)

// formVersion is the version of the arguments below. A worker that meets a
// newer one leaves the task to newer workers.
//
// In version 1 the task of a partition was for that partition alone. Since
// version 2 it has a worker write whichever partition's turn it is, and tells
// for which one it was queued. Workers of version 2 take up both.
const formVersion = 2

// maxAttempts bounds how often a task that fails without a reason we know is
// tried. After that the reconciler brings it back, much later.
const maxAttempts = 8

// Arguments hold ids only: they are kept in the queue's tables and its logs.

type planArgs struct {
	V   int    `json:"v"`
	Job string `json:"job"`
}

func (planArgs) Kind() string { return "plan_export" }

func (planArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: planQueue, MaxAttempts: maxAttempts}
}

type partitionArgs struct {
	V         int    `json:"v"`
	Job       string `json:"job"`
	Partition int    `json:"partition"`
}

func (partitionArgs) Kind() string { return "write_partition" }

func (partitionArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: partitionQueue, MaxAttempts: maxAttempts}
}

func (a partitionArgs) id() domain.PartitionID {
	return domain.PartitionID{Job: domain.JobID(a.Job), Seq: a.Partition}
}

func argsOf(t ports.Task) river.JobArgs {
	if t.Partition == 0 {
		return planArgs{V: formVersion, Job: string(t.Job)}
	}
	return partitionArgs{V: formVersion, Job: string(t.Job), Partition: t.Partition}
}
