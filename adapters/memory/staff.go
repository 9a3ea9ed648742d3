package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// sessions implements ports.Sessions.
type sessions struct{ *unit }

func (s sessions) Put(ctx context.Context, v domain.Session) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.sessions[v.ID] = v
	return nil
}

func (s sessions) Get(ctx context.Context, id string) (domain.Session, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Session{}, err
	}
	v, there := s.sessions[id]
	if !there {
		return v, domain.Errorf(domain.NotFound, "there is no such session")
	}
	return v, nil
}

func (s sessions) Remove(ctx context.Context, m ports.SessionMatch) (int, error) {
	if err := s.changing(ctx); err != nil || m == (ports.SessionMatch{}) {
		return 0, err
	}
	n := 0
	for id, v := range s.sessions {
		if (m.ID == "" || id == m.ID) && (m.Staff == "" || v.Staff.ID == m.Staff) && (m.Provider == "" || v.Provider == m.Provider) &&
			(m.EndedBefore.IsZero() || v.EndsAt.Before(m.EndedBefore)) {
			delete(s.sessions, id)
			n++
		}
	}
	return n, nil
}

func (s sessions) List(ctx context.Context, endAfter time.Time) ([]domain.Session, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var found []domain.Session
	for _, v := range s.sessions {
		if v.SignedIn() && v.EndsAt.After(endAfter) {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b domain.Session) int { return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(b.ID, a.ID)) })
	return found, nil
}

// switches implements ports.Switches.
type switches struct{ *unit }

func (s switches) Put(ctx context.Context, v domain.Switch) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.switches[v.Name] = v
	return nil
}

func (s switches) Get(ctx context.Context, name string) (domain.Switch, error) {
	v := s.switches[name]
	v.Name = name
	return v, s.reading(ctx)
}

// figures implements ports.JobFigures.
type figures struct{ *unit }

func (s figures) Of(ctx context.Context, ids []domain.JobID) (map[domain.JobID]domain.JobFigures, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	found := map[domain.JobID]domain.JobFigures{}
	for _, id := range ids {
		if _, there := s.jobs[id]; there {
			found[id] = s.of(id)
		}
	}
	return found, nil
}

func (s figures) of(id domain.JobID) (f domain.JobFigures) {
	for key, p := range s.partitions {
		if key.Job != id {
			continue
		}
		f.Partitions, f.Attempts, f.Members = f.Partitions+1, f.Attempts+p.Attempt, f.Members+p.Members
		if p.State == domain.PartitionDone {
			f.Processed += p.Members
		} else {
			f.Open, f.Processed = f.Open+1, f.Processed+p.Processed
		}
	}
	for _, file := range s.files {
		if file.Job != id {
			continue
		}
		f.PlainBytes, f.StoredBytes = f.PlainBytes+file.Plain.Bytes, f.StoredBytes+file.Stored.Bytes
		if file.Kind == domain.ErrorFile {
			f.ErrorFiles++
		} else {
			f.Files, f.Lines = f.Files+1, f.Lines+file.Lines
		}
	}
	return f
}

func (s figures) Ended(ctx context.Context, from, to time.Time) ([]domain.EndedJob, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var ended []domain.EndedJob
	for id, j := range s.jobs {
		if !j.CompletedAt.IsZero() && !j.CompletedAt.Before(from) && j.CompletedAt.Before(to) {
			ended = append(ended, domain.EndedJob{ID: id, State: j.State, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, CompletedAt: j.CompletedAt, Succeeded: !j.ExpiresAt.IsZero(), PlainBytes: s.of(id).PlainBytes})
		}
	}
	slices.SortFunc(ended, func(a, b domain.EndedJob) int {
		return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.ID, b.ID))
	})
	return ended, nil
}

func (s figures) LastExports(ctx context.Context) (map[domain.ContractNumber]time.Time, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	last := map[domain.ContractNumber]time.Time{}
	for _, j := range s.jobs {
		if j.State != domain.Successful && j.State != domain.Lapsed {
			continue
		}
		for _, n := range j.Contracts {
			if j.CompletedAt.After(last[n]) {
				last[n] = j.CompletedAt
			}
		}
	}
	return last, nil
}
