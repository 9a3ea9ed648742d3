package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// partition is a partition with what only the store knows of it.
type partition struct {
	domain.Partition
	token  string    // empty when nobody holds it
	until  time.Time // the end of the lease
	queued time.Time
}

func (p partition) waits() partition {
	p.token, p.until, p.Processed = "", time.Time{}, 0
	return p
}

// partitions implements ports.Partitions.
type partitions struct{ *unit }

func (s partitions) Add(ctx context.Context, parts []domain.Partition) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	for i, p := range parts {
		_, there := s.partitions[p.ID]
		if there || slices.ContainsFunc(parts[:i], func(q domain.Partition) bool { return q.ID == p.ID }) {
			return domain.Errorf(domain.Conflict, "partition %s is there already", p.ID)
		}
		if _, there := s.jobs[p.ID.Job]; !there {
			return domain.Errorf(domain.Invalid, "partition %s belongs to no job", p.ID)
		}
	}
	now := s.now()
	for _, p := range parts {
		p.State, p.Attempt, p.Processed, p.Result = domain.PartitionOpen, 0, 0, domain.PartitionResult{}
		s.partitions[p.ID] = partition{Partition: p, queued: now}
	}
	return nil
}

func (s partitions) OfJob(ctx context.Context, id domain.JobID) ([]domain.Partition, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var parts []domain.Partition
	for _, p := range s.partitions {
		if p.ID.Job == id {
			parts = append(parts, p.Partition)
		}
	}
	slices.SortFunc(parts, func(a, b domain.Partition) int { return cmp.Compare(a.ID.Seq, b.ID.Seq) })
	return parts, nil
}

func (s partitions) After(ctx context.Context, id domain.JobID, seq, limit int) ([]domain.Partition, error) {
	all, err := s.OfJob(ctx, id)
	all = slices.DeleteFunc(all, func(p domain.Partition) bool { return p.ID.Seq <= seq })
	return all[:min(limit, len(all))], err
}

func (s partitions) Progress(ctx context.Context, id domain.JobID) (p domain.Progress, open int, err error) {
	parts, err := s.OfJob(ctx, id)
	for _, part := range parts {
		p.Members += part.Members
		if part.State == domain.PartitionOpen {
			open++
			p.Processed += part.Processed
		} else {
			p.Processed += part.Members
		}
	}
	return p, open, err
}

func (p partition) heldAt(now time.Time) bool {
	return p.State == domain.PartitionOpen && p.token != "" && p.until.After(now)
}

func (p partition) waitsAt(now time.Time) bool {
	return p.State == domain.PartitionOpen && !p.heldAt(now)
}

func (s partitions) Shares(ctx context.Context) ([]domain.Share, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	now, held, wait := s.now(), map[domain.JobID]int{}, map[domain.JobID]bool{}
	for _, p := range s.partitions {
		if p.heldAt(now) {
			held[p.ID.Job]++
		}
		if p.waitsAt(now) {
			wait[p.ID.Job] = true
		}
	}
	var shares []domain.Share
	for id := range wait {
		if j := s.jobs[id]; j.State == domain.InProgress {
			shares = append(shares, domain.Share{Job: id, Weight: j.Weight, Held: held[id], Since: j.CreatedAt})
		}
	}
	return shares, nil
}

func (s partitions) Next(ctx context.Context, id domain.JobID) (domain.PartitionID, error) {
	parts, err := s.OfJob(ctx, id)
	now := s.now()
	for _, part := range parts {
		if p := s.partitions[part.ID]; p.waitsAt(now) && !p.queued.After(now) {
			return p.ID, nil
		}
	}
	if err == nil {
		err = domain.Errorf(domain.NotFound, "no partition of job %s waits", id)
	}
	return domain.PartitionID{}, err
}

func (s partitions) Backlog(ctx context.Context) (domain.Backlog, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Backlog{}, err
	}
	now, b := s.now(), domain.Backlog{}
	for _, p := range s.partitions {
		switch {
		case !s.jobs[p.ID.Job].State.Active():
		case p.heldAt(now):
			b.Held++
		case p.waitsAt(now):
			b.Waiting++
			b.Oldest = max(b.Oldest, now.Sub(p.queued))
		}
	}
	for _, j := range s.jobs {
		if j.State.Active() {
			b.Jobs++
		}
		if j.State == domain.Submitted {
			b.Oldest = max(b.Oldest, now.Sub(j.CreatedAt))
		}
	}
	return b, nil
}

// Reclaim looks at the partitions of active jobs only: nobody wants the others
// any more. With everything set the limit does not apply: a second call
// would take the same ones again.
func (s partitions) Reclaim(ctx context.Context, patience time.Duration, everything bool, limit int) ([]domain.PartitionID, error) {
	if err := s.changing(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	var found []partition
	for _, p := range s.partitions {
		left := p.token == "" && !p.queued.Add(patience).After(now) && s.firstWaiting(p) || p.token != "" && !p.until.After(now)
		if p.State == domain.PartitionOpen && s.jobs[p.ID.Job].State.Active() && (left || everything) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b partition) int {
		return cmp.Or(a.queued.Compare(b.queued), cmp.Compare(a.ID.Job, b.ID.Job), cmp.Compare(a.ID.Seq, b.ID.Seq))
	})
	if !everything {
		found = found[:min(len(found), limit)]
	}
	ids := make([]domain.PartitionID, len(found))
	for i, p := range found {
		p = p.waits()
		p.queued = now
		s.partitions[p.ID], ids[i] = p, p.ID
	}
	return ids, nil
}

func (s partitions) firstWaiting(p partition) bool {
	for _, other := range s.partitions {
		if other.ID.Job == p.ID.Job && other.ID.Seq < p.ID.Seq && other.State == domain.PartitionOpen && other.token == "" {
			return false
		}
	}
	return true
}

// leases implements ports.Leases.
type leases struct{ *unit }

func (s leases) Acquire(ctx context.Context, id domain.PartitionID, length time.Duration) (domain.Lease, error) {
	if err := s.changing(ctx); err != nil {
		return domain.Lease{}, err
	}
	p, there := s.partitions[id]
	if !there {
		return domain.Lease{}, domain.Errorf(domain.NotFound, "there is no partition %s", id)
	}
	now := s.now()
	if p.State == domain.PartitionDone || p.token != "" && p.until.After(now) {
		return domain.Lease{}, domain.Errorf(domain.Conflict, "partition %s is done or in other hands", id)
	}
	s.tokens++
	p.token, p.until, p.Processed = fmt.Sprintf("token-%d", s.tokens), now.Add(length), 0
	p.Attempt++
	s.partitions[id] = p
	return domain.Lease{Partition: p.Partition, Token: p.token, Attempt: p.Attempt}, nil
}

func (s leases) Renew(ctx context.Context, l domain.Lease, processed int, length time.Duration) error {
	p, err := s.held(ctx, l)
	if err != nil {
		return err
	}
	p.Processed, p.until = processed, s.now().Add(length)
	s.partitions[p.ID] = p
	return nil
}

func (s leases) Publish(ctx context.Context, l domain.Lease, r domain.PartitionResult) error {
	p, err := s.held(ctx, l)
	if err != nil {
		return err
	}
	p = p.waits()
	p.State, p.Processed, p.Result = domain.PartitionDone, p.Members, r
	s.partitions[p.ID] = p
	return nil
}

func (s leases) Release(ctx context.Context, l domain.Lease, rest time.Duration) error {
	p, err := s.held(ctx, l)
	if domain.CodeOf(err) == domain.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	p = p.waits()
	p.queued = s.now().Add(rest)
	s.partitions[p.ID] = p
	return nil
}

// held returns the partition while the lease is in force, else a conflict.
func (s leases) held(ctx context.Context, l domain.Lease) (partition, error) {
	if err := s.changing(ctx); err != nil {
		return partition{}, err
	}
	p := s.partitions[l.Partition.ID]
	if p.State != domain.PartitionOpen || p.token != l.Token || l.Token == "" || !p.until.After(s.now()) {
		return partition{}, domain.Errorf(domain.Conflict, "the lease of attempt %d on partition %s is over", l.Attempt, l.Partition.ID)
	}
	return p, nil
}
