package entstore

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/contract"
	"cms.gov/ab2d/ent/download"
	"cms.gov/ab2d/ent/exportjob"
	"cms.gov/ab2d/ent/jobcontract"
	"cms.gov/ab2d/ent/outputfile"
	"cms.gov/ab2d/ent/partition"
	"cms.gov/ab2d/ent/poll"
	"cms.gov/ab2d/ports"
)

// jobs implements ports.Jobs and ports.JobList.
type jobs struct{ unit }

var activeStates = stored(domain.Submitted, domain.InProgress)

func (s jobs) Add(ctx context.Context, j *domain.ExportJob) error {
	state := j.State()
	return s.adding(ctx, fmt.Sprintf("job %s", state.ID), func() error {
		create := s.ExportJob.Create().SetID(state.ID)
		jobToRow(create.Mutation(), state)
		if err := create.Exec(ctx); err != nil {
			return err
		}
		return s.JobContract.MapCreateBulk(state.Contracts, func(c *ent.JobContractCreate, i int) {
			c.SetJobID(state.ID).SetContract(state.Contracts[i])
		}).Exec(ctx)
	})
}

func (s jobs) Get(ctx context.Context, id domain.JobID) (*domain.ExportJob, error) {
	row, err := s.ExportJob.Get(ctx, id)
	if err != nil {
		return nil, missing(err, "there is no job %s", id)
	}
	return jobFromRow(row), nil
}

func (s jobs) Update(ctx context.Context, id domain.JobID, change func(*domain.ExportJob) error) error {
	query := s.ExportJob.Query().Where(exportjob.ID(id))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return missing(err, "there is no job %s", id)
	}
	job := jobFromRow(row)
	if err := change(job); err != nil {
		return err
	}
	update := s.ExportJob.Update().Where(exportjob.ID(id))
	jobToRow(update.Mutation(), job.State())
	return update.Exec(ctx)
}

func (s jobs) Active(ctx context.Context, numbers []domain.ContractNumber) ([]*domain.ExportJob, error) {
	if s.locks() {
		// In the order of numbers, so that two kick-offs never wait for one another.
		_, err := s.Contract.Query().Where(contract.IDIn(texts(numbers)...)).Order(ent.Asc(contract.FieldID)).ForUpdate().IDs(ctx)
		if err != nil {
			return nil, err
		}
	}
	rows, err := s.ExportJob.Query().
		Where(exportjob.StateIn(activeStates...), exportjob.HasHeldContractsWith(jobcontract.ContractIn(numbers...))).
		Order(ent.Asc(exportjob.FieldCreatedAt, exportjob.FieldID)).All(ctx)
	return all(rows, jobFromRow), err
}

// listed is how many jobs a list holds when it is not told.
const listed = 100

// matching is the jobs that a query narrows a list to.
func (s jobs) matching(q ports.JobQuery) *ent.ExportJobQuery {
	query := s.ExportJob.Query()
	if len(q.States) > 0 {
		query.Where(exportjob.StateIn(stored(q.States...)...))
	}
	if q.Sponsor != "" {
		query.Where(exportjob.Sponsor(q.Sponsor))
	}
	if q.Version != "" {
		query.Where(exportjob.FhirVersionEQ(q.Version))
	}
	if q.Contract != "" {
		query.Where(exportjob.HasHeldContractsWith(jobcontract.Contract(q.Contract)))
	}
	if !q.CreatedBefore.IsZero() {
		query.Where(exportjob.CreatedAtLT(kept(q.CreatedBefore)))
	}
	if !q.ExpiresBefore.IsZero() {
		query.Where(exportjob.ExpiresAtLT(kept(q.ExpiresBefore)))
	}
	if !q.CreatedFrom.IsZero() {
		query.Where(exportjob.CreatedAtGTE(kept(q.CreatedFrom)))
	}
	if q.Client != "" {
		query.Where(exportjob.Client(q.Client))
	}
	if q.IDPrefix != "" {
		query.Where(exportjob.IDGTE(domain.JobID(q.IDPrefix)), exportjob.IDLT(domain.JobID(q.IDPrefix+"~"))) // '~' comes behind all that ids are made of
	}
	return query
}

func (s jobs) Count(ctx context.Context, q ports.JobQuery) (int, error) {
	return s.matching(q).Count(ctx)
}

func (s jobs) Find(ctx context.Context, q ports.JobQuery) ([]*domain.ExportJob, error) {
	query := s.matching(q)
	if q.Limit <= 0 {
		q.Limit = listed
	}
	order, after, orSameTime := ent.Asc(exportjob.FieldCreatedAt, exportjob.FieldID), exportjob.CreatedAtGT, exportjob.IDGT
	if q.Newest {
		order, after, orSameTime = ent.Desc(exportjob.FieldCreatedAt, exportjob.FieldID), exportjob.CreatedAtLT, exportjob.IDLT
	}
	if at := kept(q.Behind.CreatedAt); q.Behind != (ports.JobPlace{}) {
		query.Where(exportjob.Or(after(at), exportjob.And(exportjob.CreatedAt(at), orSameTime(q.Behind.ID))))
	}
	rows, err := query.Order(order).Limit(q.Limit).All(ctx)
	return all(rows, jobFromRow), err
}

func (s jobs) Reassign(ctx context.Context, from, to domain.SponsorID) (int, error) {
	return s.ExportJob.Update().Where(exportjob.Sponsor(from)).SetSponsor(to).Save(ctx)
}

// endedStates are those of jobs that nobody can fetch anything of any more.
var endedStates = stored(domain.Failed, domain.Cancelled, domain.Lapsed)

// Prune goes by the index of states and creation: what ended before some time
// was created before it too.
func (s jobs) Prune(ctx context.Context, endedBefore time.Time, limit int) ([]domain.JobID, error) {
	before := kept(endedBefore)
	query := s.ExportJob.Query().
		Where(exportjob.StateIn(endedStates...), exportjob.CreatedAtLT(before), exportjob.CompletedAtLT(before)).
		Order(ent.Asc(exportjob.FieldCreatedAt, exportjob.FieldID)).Limit(limit)
	if s.locks() {
		query.ForUpdate(sql.WithLockAction(sql.SkipLocked))
	}
	ids, err := query.IDs(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	for _, remove := range []func(context.Context) (int, error){
		s.Partition.Delete().Where(partition.JobIDIn(ids...)).Exec,
		s.OutputFile.Delete().Where(outputfile.JobIDIn(ids...)).Exec,
		s.Download.Delete().Where(download.JobIDIn(ids...)).Exec,
		s.Poll.Delete().Where(poll.JobIDIn(ids...)).Exec,
		s.JobContract.Delete().Where(jobcontract.JobIDIn(ids...)).Exec,
		s.ExportJob.Delete().Where(exportjob.IDIn(ids...)).Exec, // last: the others refer to it
	} {
		if _, err := remove(ctx); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
