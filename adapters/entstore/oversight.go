package entstore

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/errand"
	"cms.gov/ab2d/ent/process"
	"cms.gov/ab2d/ent/sourcefigure"
)

// processes implements ports.Processes. When one was seen is by the database's
// clock, so that processes whose clocks differ agree.
type processes struct{ unit }

func (s processes) Tell(ctx context.Context, p domain.Process) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	return s.Process.Create().SetID(p.ID).SetHost(p.Host).SetPid(p.PID).SetVersion(p.Version).SetRoles(p.Roles).
		SetStartedAt(kept(p.StartedAt)).SetSeenAt(now).SetState(p.State).OnConflictColumns(process.FieldID).UpdateNewValues().Exec(ctx)
}

func (s processes) Leave(ctx context.Context, id string) error {
	_, err := s.Process.Delete().Where(process.ID(id)).Exec(ctx)
	return err
}

func (s processes) List(ctx context.Context) ([]domain.Process, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.Process.Query().Order(ent.Asc(process.FieldHost, process.FieldStartedAt, process.FieldID)).All(ctx)
	return all(rows, func(r *ent.Process) domain.Process {
		return domain.Process{ID: r.ID, Host: r.Host, PID: r.Pid, Version: r.Version, Roles: r.Roles, StartedAt: r.StartedAt.UTC(),
			Silent: time.Duration(now-r.SeenAt) * time.Millisecond, State: r.State}
	}), err
}

func (s processes) Forget(ctx context.Context, silent time.Duration) (int, error) {
	return s.Process.Delete().Where(s.comparedToClock(process.FieldSeenAt, "<=", -silent.Milliseconds())).Exec(ctx)
}

// sourceFigures implements ports.SourceFigures.
type sourceFigures struct{ unit }

// Add makes the row of the stretch if there is none, so that there is one to
// lock for who adds at the same time.
func (s sourceFigures) Add(ctx context.Context, f domain.SourceFigures) error {
	seconds := int(f.Width / time.Second)
	_, err := s.tx.ExecContext(ctx, `INSERT INTO source_figures (source, seconds, begins_at, answered, refused, failed) VALUES ($1, $2, $3, 0, 0, 0)
		ON CONFLICT (seconds, begins_at, source) DO NOTHING`, f.Source, seconds, kept(f.Begins))
	if err != nil {
		return err
	}
	query := s.SourceFigure.Query().Where(sourcefigure.Seconds(seconds), sourcefigure.BeginsAt(kept(f.Begins)), sourcefigure.Source(f.Source))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return err
	}
	sum := f.Plus(figuresFromRow(row))
	return s.SourceFigure.UpdateOne(row).SetAnswered(sum.Answered).SetRefused(sum.Refused).SetFailed(sum.Failed).SetLatencies(sum.Latencies).Exec(ctx)
}

func figuresFromRow(r *ent.SourceFigure) domain.SourceFigures {
	return domain.SourceFigures{Source: r.Source, Begins: r.BeginsAt.UTC(), Width: time.Duration(r.Seconds) * time.Second,
		Answered: r.Answered, Refused: r.Refused, Failed: r.Failed, Latencies: r.Latencies}
}

func (s sourceFigures) Find(ctx context.Context, width time.Duration, from, to time.Time) ([]domain.SourceFigures, error) {
	rows, err := s.SourceFigure.Query().Where(sourcefigure.Seconds(int(width/time.Second)), sourcefigure.BeginsAtGTE(kept(from)), sourcefigure.BeginsAtLT(kept(to))).
		Order(ent.Asc(sourcefigure.FieldBeginsAt, sourcefigure.FieldSource)).All(ctx)
	return all(rows, figuresFromRow), err
}

func (s sourceFigures) Prune(ctx context.Context, width time.Duration, before time.Time) (int, error) {
	return s.SourceFigure.Delete().Where(sourcefigure.Seconds(int(width/time.Second)), sourcefigure.BeginsAtLT(kept(before))).Exec(ctx)
}

// errandBook implements ports.ErrandBook.
type errandBook struct{ unit }

func (s errandBook) Note(ctx context.Context, name string, run domain.ErrandRun) error {
	if err := errands(s).known(ctx, name); err != nil {
		return err
	}
	return s.Errand.UpdateOneID(name).SetLast(&run).Exec(ctx)
}

func (s errandBook) Get(ctx context.Context, name string) (domain.Errand, error) {
	e := domain.Errand{Name: name}
	now, err := s.now(ctx)
	if err != nil {
		return e, err
	}
	row, err := s.Errand.Query().Where(errand.ID(name)).Only(ctx)
	if ent.IsNotFound(err) {
		return e, nil
	} else if err != nil {
		return e, err
	}
	e.Busy = row.Token != "" && row.HeldUntil > now
	e.Rest = max(0, time.Duration(row.RestsUntil-now)*time.Millisecond)
	if row.Last != nil {
		e.Last = *row.Last
	}
	return e, nil
}
