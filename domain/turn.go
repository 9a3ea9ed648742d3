package domain

import (
	"cmp"
	"slices"
	"time"
)

// Share is how much of the workers a job has that could do with more.
type Share struct {
	Job    JobID
	Weight int // 0 counts as 1
	Held   int // partitions that workers are at
	Since  time.Time
}

// InTurn returns the jobs that may have another worker, the one whose turn it is
// first: that with the fewest workers for its weight, of equal ones the older. So a
// small job beside a large one waits for one partition to end, and not for
// the large job. A job has at most limit workers at once; 0 does not bound.
func InTurn(shares []Share, limit int) []JobID {
	shares = slices.DeleteFunc(slices.Clone(shares), func(s Share) bool { return limit > 0 && s.Held >= limit })
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(
			cmp.Compare(a.Held*max(b.Weight, 1), b.Held*max(a.Weight, 1)), // a.Held/a.Weight against b.Held/b.Weight
			a.Since.Compare(b.Since),
			cmp.Compare(a.Job, b.Job),
		)
	})
	ids := make([]JobID, len(shares))
	for i, s := range shares {
		ids[i] = s.Job
	}
	return ids
}

// Backlog is what waits to be done.
type Backlog struct {
	Jobs    int           // submitted or in progress
	Waiting int           // partitions that nobody is at
	Held    int           // partitions that workers are at
	Oldest  time.Duration // how long the first of what waits, partition or unplanned job, has waited
}
