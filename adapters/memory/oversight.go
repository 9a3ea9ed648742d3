package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

type process struct {
	domain.Process
	seen time.Time
}

// processes implements ports.Processes.
type processes struct{ *unit }

func (s processes) Tell(ctx context.Context, p domain.Process) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	p.Roles = slices.Clone(p.Roles)
	s.processes[p.ID] = process{p, s.now()}
	return nil
}

func (s processes) Leave(ctx context.Context, id string) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	delete(s.processes, id)
	return nil
}

func (s processes) List(ctx context.Context) ([]domain.Process, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var all []domain.Process
	for _, p := range s.processes {
		p.Silent = s.now().Sub(p.seen)
		all = append(all, p.Process)
	}
	slices.SortFunc(all, func(a, b domain.Process) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (s processes) Forget(ctx context.Context, silent time.Duration) (int, error) {
	if err := s.changing(ctx); err != nil {
		return 0, err
	}
	n := len(s.processes)
	maps.DeleteFunc(s.processes, func(_ string, p process) bool { return s.now().Sub(p.seen) >= silent })
	return n - len(s.processes), nil
}

type stretch struct {
	source string
	width  time.Duration
	begins int64
}

// sourceFigures implements ports.SourceFigures.
type sourceFigures struct{ *unit }

func (s sourceFigures) Add(ctx context.Context, f domain.SourceFigures) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	key := stretch{f.Source, f.Width, f.Begins.UnixMicro()}
	s.sourceFigures[key] = f.Plus(s.sourceFigures[key])
	return nil
}

func (s sourceFigures) Find(ctx context.Context, width time.Duration, from, to time.Time) ([]domain.SourceFigures, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var found []domain.SourceFigures
	for _, f := range s.sourceFigures {
		if f.Width == width && !f.Begins.Before(from) && f.Begins.Before(to) {
			f.Latencies = slices.Clone(f.Latencies)
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b domain.SourceFigures) int {
		return cmp.Or(a.Begins.Compare(b.Begins), cmp.Compare(a.Source, b.Source))
	})
	return found, nil
}

func (s sourceFigures) Prune(ctx context.Context, width time.Duration, before time.Time) (int, error) {
	if err := s.changing(ctx); err != nil {
		return 0, err
	}
	n := len(s.sourceFigures)
	maps.DeleteFunc(s.sourceFigures, func(k stretch, f domain.SourceFigures) bool { return k.width == width && f.Begins.Before(before) })
	return n - len(s.sourceFigures), nil
}

// errandBook implements ports.ErrandBook.
type errandBook struct{ *unit }

func (s errandBook) Note(ctx context.Context, name string, run domain.ErrandRun) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	e := s.errands[name]
	run.Detail = maps.Clone(run.Detail)
	e.last = run
	s.errands[name] = e
	return nil
}

func (s errandBook) Get(ctx context.Context, name string) (domain.Errand, error) {
	e, now := s.errands[name], s.now()
	return domain.Errand{Name: name, Busy: e.token != "" && e.held.After(now), Rest: max(0, e.rests.Sub(now)), Last: e.last}, s.reading(ctx)
}
