package produce

import (
	"sync"

	"cms.gov/ab2d/domain"
)

// budget bounds how often one attempt at a partition asks the source again, so
// that a source in trouble does not get its load many times over.
//
// It is full when the attempt begins. Each retry takes one from it, and every
// so many enrollees whose claims came whole give one back, never beyond full: a
// few people who cannot be had are well within it. Once it is empty nobody is
// asked for again, and the attempt ends as unavailable: nobody is failed for a
// source that is away, the partition rests, longer each time, and is taken up
// again with a full budget. That does not go on for ever. The last of the
// attempts that a partition has (PartitionTries) is without this bound: whoever
// then cannot be had in all tries is failed.
type budget struct {
	mu   sync.Mutex
	left int // in parts of a retry
	full int // 0 for no bound
}

// cameForOne is how many enrollees give a retry back.
const cameForOne = 10

func (u *UseCase) budgetOf(l domain.Lease) *budget {
	full := u.Settings.RetryBudget * cameForOne
	if l.Attempt >= u.Settings.PartitionTries {
		full = 0
	}
	return &budget{left: full, full: full}
}

// came gives back a part of a retry.
func (b *budget) came() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+1, b.full)
}

// spend takes one retry, and returns false when there is none left.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full == 0 {
		return true
	}
	if b.left < cameForOne {
		return false
	}
	b.left -= cameForOne
	return true
}
