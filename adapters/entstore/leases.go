package entstore

import (
	"context"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent/partition"
	"cms.gov/ab2d/ent/predicate"
)

// leases implements ports.Leases. Each method is one UPDATE that carries its
// own condition and reads the database's clock: the number of rows it changed
// is the answer, whoever else tries at the same time.
type leases struct{ unit }

func (s leases) Acquire(ctx context.Context, id domain.PartitionID, length time.Duration) (domain.Lease, error) {
	token := uuid.NewString()
	changed, err := s.Partition.Update().
		Where(at(id), partitions(s).waiting()).
		SetLeaseToken(token).AddAttempt(1).SetProcessed(0).
		Modify(s.until(length)).Save(ctx)
	if err != nil {
		return domain.Lease{}, err
	}
	row, err := s.Partition.Query().Where(at(id)).Only(ctx)
	if err != nil {
		return domain.Lease{}, missing(err, "there is no partition %s", id)
	}
	if changed == 0 {
		return domain.Lease{}, domain.Errorf(domain.Conflict, "partition %s is done or in other hands", id)
	}
	return domain.Lease{Partition: partitionFromRow(row), Token: token, Attempt: row.Attempt}, nil
}

func (s leases) Renew(ctx context.Context, l domain.Lease, processed int, length time.Duration) error {
	return held(l)(s.Partition.Update().Where(s.inForce(l)...).SetProcessed(processed).Modify(s.until(length)).Save(ctx))
}

func (s leases) Publish(ctx context.Context, l domain.Lease, r domain.PartitionResult) error {
	return held(l)(s.Partition.Update().Where(s.inForce(l)...).
		SetState(domain.PartitionDone).SetResult(r).SetProcessed(l.Partition.Members).
		ClearLeaseToken().ClearLeaseUntil().Save(ctx))
}

func (s leases) Release(ctx context.Context, l domain.Lease, rest time.Duration) error {
	return s.Partition.Update().Where(s.inForce(l)...).
		ClearLeaseToken().ClearLeaseUntil().SetProcessed(0).
		Modify(func(u *sql.UpdateBuilder) { u.Set(partition.FieldQueuedAt, s.clockPlus(rest.Milliseconds())) }).Exec(ctx)
}

func at(id domain.PartitionID) predicate.Partition {
	return partition.And(partition.JobID(id.Job), partition.Seq(id.Seq))
}

// inForce holds for the partition only while the lease does.
func (s leases) inForce(l domain.Lease) []predicate.Partition {
	return []predicate.Partition{at(l.Partition.ID), partition.StateEQ(domain.PartitionOpen),
		partition.LeaseToken(l.Token), s.comparedToClock(partition.FieldLeaseUntil, ">", 0)}
}

func (s leases) until(length time.Duration) func(*sql.UpdateBuilder) {
	return func(u *sql.UpdateBuilder) { u.Set(partition.FieldLeaseUntil, s.clockPlus(length.Milliseconds())) }
}

// held makes a conflict of an update that changed nothing.
func held(l domain.Lease) func(changed int, err error) error {
	return func(changed int, err error) error {
		if err == nil && changed == 0 {
			return domain.Errorf(domain.Conflict, "the lease of attempt %d on partition %s is over", l.Attempt, l.Partition.ID)
		}
		return err
	}
}
