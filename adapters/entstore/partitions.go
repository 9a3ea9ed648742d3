package entstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/exportjob"
	"cms.gov/ab2d/ent/partition"
	"cms.gov/ab2d/ent/predicate"
)

// partitions implements ports.Partitions.
type partitions struct{ unit }

func (s partitions) Add(ctx context.Context, parts []domain.Partition) error {
	if len(parts) == 0 {
		return nil
	}
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	return s.adding(ctx, fmt.Sprintf("a partition of job %s", parts[0].ID.Job), func() error {
		for some := range slices.Chunk(parts, chunk) {
			err := s.Partition.MapCreateBulk(some, func(c *ent.PartitionCreate, i int) { partitionToRow(c, some[i], now) }).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s partitions) OfJob(ctx context.Context, id domain.JobID) ([]domain.Partition, error) {
	rows, err := s.Partition.Query().Where(partition.JobID(id)).Order(ent.Asc(partition.FieldSeq)).All(ctx)
	return all(rows, partitionFromRow), err
}

func (s partitions) After(ctx context.Context, id domain.JobID, seq, limit int) ([]domain.Partition, error) {
	rows, err := s.Partition.Query().Where(partition.JobID(id), partition.SeqGT(seq)).Order(ent.Asc(partition.FieldSeq)).Limit(limit).All(ctx)
	return all(rows, partitionFromRow), err
}

func (s partitions) Progress(ctx context.Context, id domain.JobID) (domain.Progress, int, error) {
	sum := func(of, as string) func(*sql.Selector) string {
		return func(*sql.Selector) string { return sql.As("CAST(COALESCE(SUM("+of+"), 0) AS bigint)", as) }
	}
	var totals []struct {
		Processed int `json:"processed_members"`
		Members   int `json:"all_members"`
		Open      int `json:"open_partitions"`
	}
	err := s.Partition.Query().Where(partition.JobID(id)).Aggregate(
		sum("CASE WHEN state = 'done' THEN members ELSE processed END", "processed_members"),
		sum("members", "all_members"),
		sum("CASE WHEN state = 'open' THEN 1 ELSE 0 END", "open_partitions"),
	).Scan(ctx, &totals)
	if err != nil {
		return domain.Progress{}, 0, err
	}
	return domain.Progress{Processed: totals[0].Processed, Members: totals[0].Members}, totals[0].Open, nil
}

// held holds for partitions that a worker is at, waiting for the open others.
func (s partitions) held() predicate.Partition {
	return partition.And(partition.StateEQ(domain.PartitionOpen), s.comparedToClock(partition.FieldLeaseUntil, ">", 0))
}

func (s partitions) waiting() predicate.Partition {
	return partition.And(partition.StateEQ(domain.PartitionOpen),
		partition.Or(partition.LeaseUntilIsNil(), s.comparedToClock(partition.FieldLeaseUntil, "<=", 0)))
}

func (s partitions) Shares(ctx context.Context) ([]domain.Share, error) {
	rows, err := s.ExportJob.Query().
		Where(exportjob.StateIn(stored(domain.InProgress)...), func(j *sql.Selector) {
			p := sql.Dialect(j.Dialect()).Select().From(sql.Table(partition.Table).As("of_job"))
			p.Select(p.C(partition.FieldID)).Where(sql.ColumnsEQ(p.C(partition.FieldJobID), j.C(exportjob.FieldID)))
			s.waiting()(p)
			j.Where(sql.Exists(p))
		}).
		Select(exportjob.FieldID, exportjob.FieldWeight, exportjob.FieldCreatedAt).All(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var held []struct {
		JobID domain.JobID `json:"job_id"`
		Count int          `json:"count"`
	}
	if err := s.Partition.Query().Where(s.held()).GroupBy(partition.FieldJobID).Aggregate(ent.Count()).Scan(ctx, &held); err != nil {
		return nil, err
	}
	of := map[domain.JobID]int{}
	for _, h := range held {
		of[h.JobID] = h.Count
	}
	return all(rows, func(r *ent.ExportJob) domain.Share {
		return domain.Share{Job: r.ID, Weight: r.Weight, Held: of[r.ID], Since: r.CreatedAt.UTC()}
	}), nil
}

func (s partitions) Next(ctx context.Context, id domain.JobID) (domain.PartitionID, error) {
	query := s.Partition.Query().
		Where(partition.JobID(id), s.waiting(), s.comparedToClock(partition.FieldQueuedAt, "<=", 0)).
		Order(ent.Asc(partition.FieldSeq))
	if s.locks() {
		query.ForUpdate(sql.WithLockAction(sql.SkipLocked))
	}
	row, err := query.Select(partition.FieldSeq).First(ctx)
	if err != nil {
		return domain.PartitionID{}, missing(err, "no partition of job %s waits", id)
	}
	return domain.PartitionID{Job: id, Seq: row.Seq}, nil
}

func (s partitions) Backlog(ctx context.Context) (domain.Backlog, error) {
	now, err := s.now(ctx)
	if err != nil {
		return domain.Backlog{}, err
	}
	b, wanted := domain.Backlog{}, partition.HasJobWith(exportjob.StateIn(activeStates...))
	if b.Jobs, err = s.ExportJob.Query().Where(exportjob.StateIn(activeStates...)).Count(ctx); err != nil {
		return b, err
	}
	if b.Held, err = s.Partition.Query().Where(s.held(), wanted).Count(ctx); err != nil {
		return b, err
	}
	if b.Waiting, err = s.Partition.Query().Where(s.waiting(), wanted).Count(ctx); err != nil {
		return b, err
	}
	first, err := s.Partition.Query().Where(s.waiting(), wanted).Order(ent.Asc(partition.FieldQueuedAt)).First(ctx)
	if err == nil {
		b.Oldest = time.Duration(now-first.QueuedAt) * time.Millisecond
	} else if !ent.IsNotFound(err) {
		return b, err
	}
	// All of them, which are few: asked for the first alone, Postgres looks for it through all jobs there are, the oldest first.
	unplanned, err := s.ExportJob.Query().Where(exportjob.StateIn(stored(domain.Submitted)...)).Select(exportjob.FieldCreatedAt).All(ctx)
	for _, j := range unplanned {
		b.Oldest = max(b.Oldest, time.UnixMilli(now).Sub(j.CreatedAt))
	}
	return b, err
}

// firstWaiting holds for a partition that none of its job waits before.
func firstWaiting(p *sql.Selector) {
	before := sql.Dialect(p.Dialect()).Select().From(sql.Table(partition.Table).As("before"))
	before.Select(before.C(partition.FieldID)).Where(sql.And(
		sql.ColumnsEQ(before.C(partition.FieldJobID), p.C(partition.FieldJobID)),
		sql.ColumnsLT(before.C(partition.FieldSeq), p.C(partition.FieldSeq)),
		sql.EQ(before.C(partition.FieldState), domain.PartitionOpen), sql.IsNull(before.C(partition.FieldLeaseUntil)),
	))
	p.Where(sql.NotExists(before))
}

// Reclaim looks at the partitions of active jobs only: nobody wants the others
// any more, and they would come back for ever. Partitions that another
// transaction is changing at this moment are in somebody's hands and passed over.
// With everything set the limit does not apply: a second call would take
// the same ones again.
func (s partitions) Reclaim(ctx context.Context, patience time.Duration, everything bool, limit int) ([]domain.PartitionID, error) {
	query := s.Partition.Query().
		Where(partition.StateEQ(domain.PartitionOpen), partition.HasJobWith(exportjob.StateIn(activeStates...))).
		Order(ent.Asc(partition.FieldQueuedAt, partition.FieldID))
	if !everything {
		query.Limit(limit).Where(partition.Or(
			s.comparedToClock(partition.FieldLeaseUntil, "<=", 0),
			partition.And(partition.LeaseUntilIsNil(), s.comparedToClock(partition.FieldQueuedAt, "<=", -patience.Milliseconds()), firstWaiting),
		))
	}
	if s.locks() {
		if everything {
			query.ForUpdate()
		} else {
			query.ForUpdate(sql.WithLockAction(sql.SkipLocked))
		}
	}
	rows, err := query.Select(partition.FieldID, partition.FieldJobID, partition.FieldSeq).All(ctx)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(rows, chunk) {
		ids := all(some, func(r *ent.Partition) int64 { return r.ID })
		err := s.Partition.Update().Where(partition.IDIn(ids...)).
			ClearLeaseToken().ClearLeaseUntil().SetProcessed(0).
			Modify(func(u *sql.UpdateBuilder) { u.Set(partition.FieldQueuedAt, s.clockPlus(0)) }).Exec(ctx)
		if err != nil {
			return nil, err
		}
	}
	return all(rows, func(r *ent.Partition) domain.PartitionID { return domain.PartitionID{Job: r.JobID, Seq: r.Seq} }), nil
}
