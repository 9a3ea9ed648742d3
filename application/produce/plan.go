package produce

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Plan fixes what a submitted job is as of (the transaction time and the
// enrollment versions), counts its members, cuts them into partitions and
// queues these. A job that is planned already or no longer wanted is left as it
// is. It fails with unavailable when the claims source cannot say what it has.
func (u *UseCase) Plan(ctx context.Context, id domain.JobID) error {
	var s domain.ExportJobState
	if err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, id)
		if err != nil {
			return err
		}
		if s = job.State(); s.State != domain.Submitted {
			return nil
		}
		return paused(ctx, tx)
	}); err != nil || s.State != domain.Submitted {
		return err
	}
	complete, err := u.Claims.CompleteThrough(ctx)
	if err != nil {
		return err
	}
	if s.TransactionTime, err = domain.TransactionTime(s.CreatedAt, complete, s.Window, u.Settings.Margin); err != nil {
		if u.Clock.Now().Sub(s.CreatedAt) < u.Settings.SourceWait {
			return err
		}
		return u.fail(ctx, id, domain.BusinessRule, fmt.Sprintf("The claims source has nothing after %s, and _since is %s.",
			complete.UTC().Format(time.RFC3339), s.Window.Since.Format(time.RFC3339)), err)
	}
	var plans []domain.ContractPlan
	var parts []domain.Partition
	missing := map[domain.PatientID]struct{}{} // of those whom the job names
	for _, id := range s.Terms.Patients {
		missing[id] = struct{}{}
	}
	for _, n := range s.Contracts {
		plan, err := u.planContract(ctx, s, n)
		if domain.CodeOf(err) == domain.BusinessRule {
			return u.fail(ctx, id, domain.BusinessRule, reasonOf(err), err)
		} else if err != nil {
			return err
		}
		cut, err := u.cut(ctx, s, &plan, len(parts), missing)
		if err != nil {
			return err
		}
		plans, parts = append(plans, plan), append(parts, cut...)
	}
	if len(missing) > 0 { // nobody whom the sponsor named is lost in silence
		first := slices.Min(slices.Collect(maps.Keys(missing)))
		return u.fail(ctx, id, domain.BusinessRule, fmt.Sprintf("%d of the enrollees named by patient, Patient/%s among them, were not enrolled in any contract of the export as of %s.",
			len(missing), first, s.TransactionTime.Format(time.RFC3339)), nil)
	}
	if err := u.begin(ctx, s, plans, parts); err != nil {
		return err
	}
	return u.Finish(ctx, id) // for a job without any members there is nothing left to do
}

// planContract fixes what a contract's part of the job reads and is entitled to:
// what was known at the transaction time. So the next export, which asks what
// was known at its _since, finds exactly what this one used.
func (u *UseCase) planContract(ctx context.Context, s domain.ExportJobState, n domain.ContractNumber) (domain.ContractPlan, error) {
	plan := domain.ContractPlan{Contract: n}
	var now domain.Standing
	var events []domain.AttestationEvent
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		now, events, err = u.checkAttested(ctx, tx, n)
		return err
	})
	if err != nil {
		return plan, err
	}
	// Where the history has changed since, the later start counts: what an earlier
	// one adds the next export delivers, and what a later one takes must not leave.
	plan.From = max(u.fromAsOf(events, s.TransactionTime), now.From(u.Settings.EarliestServed))
	if plan.Enrollment, err = u.Coverage.VersionAt(ctx, n, s.TransactionTime); err == nil && plan.Enrollment == 0 {
		plan.Enrollment, err = u.Coverage.VersionAt(ctx, n, u.Clock.Now()) // the same of the first enrollment
	}
	if err == nil && plan.Enrollment == 0 && u.Settings.EnrollmentWait > 0 {
		err = u.awaitEnrollment(s, n)
	}
	if err == nil && plan.Enrollment > 0 {
		plan.EnrolledAsOf, err = u.Coverage.AsOf(ctx, n, plan.Enrollment)
	}
	if err != nil || s.Window.Since.IsZero() {
		return plan, err
	}
	plan.FromBefore = u.fromAsOf(events, s.Window.Since)
	plan.Before, err = u.Coverage.VersionAt(ctx, n, s.Window.Since)
	return plan, err
}

// awaitEnrollment is what a job gets that is planned before the contract's first
// enrollment has been taken in. Nobody enrolled would look like success.
func (u *UseCase) awaitEnrollment(s domain.ExportJobState, n domain.ContractNumber) error {
	if u.Clock.Now().Sub(s.CreatedAt) < u.Settings.EnrollmentWait {
		return domain.Errorf(domain.Unavailable, "the enrollment of contract %s has not been taken in yet", n)
	}
	return domain.Errorf(domain.BusinessRule, "Who is enrolled in contract %s is not known yet.", n)
}

// fromAsOf returns the first day served by what had been recorded at t.
func (u *UseCase) fromAsOf(events []domain.AttestationEvent, t time.Time) domain.Date {
	return domain.StandingOn(domain.KnownAt(events, t), domain.Today(t)).From(u.Settings.EarliestServed)
}

// cut counts the members of a contract and cuts them into partitions numbered
// after the ones before. It reads through the enrollment once and keeps nothing
// but the cuts. Whom it finds is no longer missing.
func (u *UseCase) cut(ctx context.Context, s domain.ExportJobState, plan *domain.ContractPlan, before int, missing map[domain.PatientID]struct{}) ([]domain.Partition, error) {
	var parts []domain.Partition
	asOf := domain.Today(s.TransactionTime)
	for e, err := range u.roll(ctx, s, plan.Contract, plan.Enrollment, domain.KeyRange{}) {
		if err != nil {
			return nil, err
		}
		if !(domain.Entitlement{Months: e.Months, From: plan.From}).IsMember(asOf) {
			continue
		}
		plan.Enrolled++
		delete(missing, e.Patient)
		if len(parts) == 0 || parts[len(parts)-1].Members == u.Settings.PartitionMembers {
			parts = append(parts, domain.Partition{
				ID:       domain.PartitionID{Job: s.ID, Seq: before + len(parts) + 1},
				Contract: plan.Contract, Keys: domain.KeyRange{From: e.Patient}, State: domain.PartitionOpen})
		}
		last := &parts[len(parts)-1]
		last.Keys.To, last.Members = e.Patient, last.Members+1
	}
	return parts, nil
}

func (u *UseCase) begin(ctx context.Context, s domain.ExportJobState, plans []domain.ContractPlan, parts []domain.Partition) error {
	tasks := make([]ports.Task, len(parts))
	for i, p := range parts {
		tasks[i] = ports.Task{Job: s.ID, Partition: p.ID.Seq}
	}
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Jobs.Update(ctx, s.ID, func(j *domain.ExportJob) error {
			return j.Begin(u.Clock.Now(), s.TransactionTime, plans)
		}); err != nil {
			return err
		}
		if err := tx.Partitions.Add(ctx, parts); err != nil {
			return err
		}
		return tx.Queue.Schedule(ctx, tasks...)
	})
	if domain.CodeOf(err) == domain.Conflict {
		return nil // planned by another, or cancelled, since we looked
	}
	return err
}
