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
