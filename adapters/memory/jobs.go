package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// jobs implements ports.Jobs and ports.JobList.
type jobs struct{ *unit }

func (s jobs) Add(ctx context.Context, j *domain.ExportJob) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if _, there := s.jobs[j.ID()]; there {
		return domain.Errorf(domain.Conflict, "job %s is there already", j.ID())
	}
	s.jobs[j.ID()] = j.State()
	return nil
}

func (s jobs) Get(ctx context.Context, id domain.JobID) (*domain.ExportJob, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	state, there := s.jobs[id]
	if !there {
		return nil, domain.Errorf(domain.NotFound, "there is no job %s", id)
	}
	return domain.RestoreExportJob(state), nil
}

func (s jobs) Update(ctx context.Context, id domain.JobID, change func(*domain.ExportJob) error) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	job, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := change(job); err != nil {
		return err
	}
	s.jobs[id] = job.State()
	return nil
}

func (s jobs) Active(ctx context.Context, contracts []domain.ContractNumber) ([]*domain.ExportJob, error) {
	return s.find(ctx, func(j domain.ExportJobState) bool {
		holds := func(n domain.ContractNumber) bool { return slices.Contains(j.Contracts, n) }
		return j.State.Active() && slices.ContainsFunc(contracts, holds)
	})
}

func (s jobs) Count(ctx context.Context, q ports.JobQuery) (int, error) {
	q.Behind = ports.JobPlace{}
	found, err := s.matching(ctx, q)
	return len(found), err
}

func (s jobs) matching(ctx context.Context, q ports.JobQuery) ([]*domain.ExportJob, error) {
	before := func(t, bound time.Time) bool { return bound.IsZero() || !t.IsZero() && t.Before(bound) }
	return s.find(ctx, func(j domain.ExportJobState) bool {
		return (len(q.States) == 0 || slices.Contains(q.States, j.State)) &&
			(q.Sponsor == "" || j.Sponsor == q.Sponsor) && (q.Version == "" || j.Version == q.Version) &&
			before(j.CreatedAt, q.CreatedBefore) && before(j.ExpiresAt, q.ExpiresBefore) && !j.CreatedAt.Before(q.CreatedFrom) &&
			(q.Contract == "" || slices.Contains(j.Contracts, q.Contract)) && (q.Client == "" || j.Client == q.Client) &&
			strings.HasPrefix(string(j.ID), q.IDPrefix) && behind(j, q)
	})
}

func (s jobs) Find(ctx context.Context, q ports.JobQuery) ([]*domain.ExportJob, error) {
	found, err := s.matching(ctx, q)
	if q.Newest {
		slices.Reverse(found)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	return found[:min(limit, len(found))], err
}

// behind reports whether a job comes after the place that a query begins at.
func behind(j domain.ExportJobState, q ports.JobQuery) bool {
	if q.Behind == (ports.JobPlace{}) {
		return true
	}
	order := cmp.Or(j.CreatedAt.Compare(q.Behind.CreatedAt), cmp.Compare(j.ID, q.Behind.ID))
	return order > 0 && !q.Newest || order < 0 && q.Newest
}

func (s jobs) Reassign(ctx context.Context, from, to domain.SponsorID) (n int, err error) {
	if err := s.changing(ctx); err != nil {
		return 0, err
	}
	for id, j := range s.jobs {
		if j.Sponsor == from {
			j.Sponsor = to
			s.jobs[id] = j
			n++
		}
	}
	return n, nil
}

func (s jobs) Prune(ctx context.Context, endedBefore time.Time, limit int) ([]domain.JobID, error) {
	if err := s.changing(ctx); err != nil {
		return nil, err
	}
	ended, err := s.find(ctx, func(j domain.ExportJobState) bool {
		return !j.State.Active() && j.State != domain.Successful && j.CompletedAt.Before(endedBefore)
	})
	if err != nil {
		return nil, err
	}
	ids := make([]domain.JobID, min(limit, len(ended)))
	for i := range ids {
		ids[i] = ended[i].ID()
		delete(s.jobs, ids[i])
	}
	gone := func(id domain.JobID) bool { return slices.Contains(ids, id) }
	maps.DeleteFunc(s.partitions, func(id domain.PartitionID, _ partition) bool { return gone(id.Job) })
	maps.DeleteFunc(s.downloads, func(key domain.DownloadKey, _ domain.Download) bool { return gone(key.Job) })
	maps.DeleteFunc(s.polls, func(key pollKey, _ ports.Poll) bool { return gone(key.job) })
	s.files = slices.DeleteFunc(slices.Clone(s.files), func(f domain.OutputFile) bool { return gone(f.Job) })
	return ids, nil
}

func (s jobs) find(ctx context.Context, match func(domain.ExportJobState) bool) ([]*domain.ExportJob, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var states []domain.ExportJobState
	for _, j := range s.jobs {
		if match(j) {
			states = append(states, j)
		}
	}
	slices.SortFunc(states, func(a, b domain.ExportJobState) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	found := make([]*domain.ExportJob, len(states))
	for i, j := range states {
		found[i] = domain.RestoreExportJob(j)
	}
	return found, nil
}
