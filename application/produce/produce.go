// Package produce does the work of an accepted export: it plans the job, has
// its partitions written, and completes it when the last one is bound.
//
//	kick-off -> Plan -> Write, once a partition -> Finish
//
// Every step may run twice, on two machines, or be cut off at any instant. It
// first asks the store whether the job is still wanted, and what it did counts
// only once one row change in the store binds it.
package produce

import (
	"context"
	"log/slog"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings shape how jobs are done.
type Settings struct {
	PartitionMembers int           // enrollees in a partition
	RollBytes        int64         // a file is closed before its plain bytes exceed this; only a single longer claim does
	Lookahead        int           // enrollees fetched ahead of the one being written, in each partition
	AheadBytes       int           // of a partition: no enrollee's claims are begun before their turn while as many bytes of others wait; 0 for no bound
	StageBytes       int           // an enrollee's claims beyond this many bytes wait on disk instead of in memory
	Lease            time.Duration // how long a silent worker keeps its partition
	Margin           time.Duration // how far the transaction time stays behind, for clocks that differ
	EnrollmentWait   time.Duration // how long a job waits for the first enrollment of a contract; 0 for not at all
	SourceWait       time.Duration // how long a job waits for a source that is not complete up to its _since
	Patience         time.Duration // how long a task may wait in the queue before it is queued again
	FileLife         time.Duration // how long files can be fetched after completion
	EarliestServed   domain.Date
	LabelsOnly       bool          // 42 CFR Part 2 data is known by its security label alone, not by its codes too
	FetchTries       int           // how often an enrollee is asked for before it is failed
	FetchBackoff     time.Duration // the first wait between tries; doubles, with jitter
	FetchTimeout     time.Duration // how long one try may take; 0 for no bound
	RetryBudget      int           // retries that an attempt at a partition may make before the source is left alone; 0 for no bound
	FailedShare      float64       // of a job's enrollees; above it the job fails
	JobWorkers       int           // partitions of one job that are written at once; 0 for no bound
	PartitionTries   int           // attempts at a partition that ended in a fault of ours, before the job fails
}

// UseCase does accepted exports.
type UseCase struct {
	Store    ports.UnitOfWork
	Coverage ports.Coverage
	Claims   ports.Claims
	People   ports.People // nil where only claims leave
	Files    ports.Files
	Packing  ports.Packing
	Scratch  ports.Scratch
	Clock    ports.Clock
	Log      *slog.Logger
	Settings Settings
}

// TraceOf returns what ties together what is told of a job's work.
func (u *UseCase) TraceOf(ctx context.Context, id domain.JobID) (trace string, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, id)
		if err == nil {
			trace = job.State().Trace
		}
		return err
	})
	return trace, err
}

// checkAttested fails with business_rule when no attestor of the contract is
// active today: then nothing leaves.
func (u *UseCase) checkAttested(ctx context.Context, tx ports.Tx, n domain.ContractNumber) (domain.Standing, []domain.AttestationEvent, error) {
	events, err := tx.Attestations.Of(ctx, n)
	if err != nil {
		return domain.Standing{}, nil, err
	}
	standing := domain.StandingOn(events, domain.Today(u.Clock.Now()))
	if !standing.Active {
		return standing, events, domain.Errorf(domain.BusinessRule, "The attestation of contract %s has ended, so its data may not be sent.", n)
	}
	return standing, events, nil
}

// checkEntitled fails with business_rule when the job's part of a contract may
// not leave any more: attestation has ended, or data starts later than the job
// was planned with.
func (u *UseCase) checkEntitled(ctx context.Context, tx ports.Tx, job *domain.ExportJob, n domain.ContractNumber) error {
	standing, _, err := u.checkAttested(ctx, tx, n)
	if err == nil && !standing.Opens(job, n) {
		err = domain.Errorf(domain.BusinessRule, "The data of contract %s starts on %s, which is later than when the export began.", n, standing.DataStart)
	}
	return err
}

// fail ends a job that is still active and tells why, with an id that finds the
// cause in the logs.
func (u *UseCase) fail(ctx context.Context, id domain.JobID, code domain.Code, reason string, cause error) error {
	why := domain.Failure{Code: code, Reason: reason, ID: domain.NewQuote()}
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		now := u.Clock.Now()
		if err := tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error { return j.Fail(now, why) }); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Actor: domain.System("worker"), Action: "export.fail", Target: string(id),
			Outcome: string(code), Detail: map[string]string{"reason": reason, "quote": why.ID}})
	})
	if domain.CodeOf(err) == domain.Conflict {
		return nil // it ended otherwise meanwhile
	}
	u.Log.ErrorContext(ctx, "export failed", "job", id, "code", code, "reason", reason, "quote", why.ID, "cause", cause)
	return err
}
