package produce

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Work is a partition that a worker has taken.
type Work struct {
	Job   domain.ExportJobState
	Lease domain.Lease
}

// Write takes the partition whose turn it is and does it. For which one the
// task was queued does not matter.
func (u *UseCase) Write(ctx context.Context, _ domain.PartitionID) error {
	w, err := u.Take(ctx)
	if err != nil {
		return err
	}
	_, err = u.Do(ctx, w)
	return err
}

// Take leases the partition whose turn it is: workers are shared among the jobs
// by their weights, and within a job partitions come in order. It returns
// not_found when nothing waits, and unavailable when what waits may not be
// begun yet: it rests after a failure, or its job has all the workers it may have.
func (u *UseCase) Take(ctx context.Context) (Work, error) {
	for {
		w, err := u.take(ctx)
		if domain.CodeOf(err) != domain.BusinessRule {
			return w, err
		}
		// That job is over. Another's turn has come.
		if err := u.fail(ctx, w.Job.ID, domain.BusinessRule, reasonOf(err), err); err != nil {
			return Work{}, err
		}
	}
}

func (u *UseCase) take(ctx context.Context) (w Work, err error) {
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := paused(ctx, tx); err != nil {
			return err
		}
		shares, err := tx.Partitions.Shares(ctx)
		if err != nil {
			return err
		}
		for _, id := range domain.InTurn(shares, u.Settings.JobWorkers) {
			next, err := tx.Partitions.Next(ctx, id)
			if domain.CodeOf(err) == domain.NotFound {
				continue
			} else if err != nil {
				return err
			}
			job, err := tx.Jobs.Get(ctx, id)
			if err != nil {
				return err
			}
			w.Job = job.State()
			if w.Lease, err = tx.Leases.Acquire(ctx, next, u.Settings.Lease); err != nil {
				return err
			}
			return u.checkEntitled(ctx, tx, job, w.Lease.Partition.Contract)
		}
		if len(shares) == 0 {
			return domain.Errorf(domain.NotFound, "no partition waits")
		}
		return domain.Errorf(domain.Unavailable, "the partitions that wait may not be begun yet")
	})
	return w, err
}

// pauseLook is how often workers look whether a pause is over.
const pauseLook = 5 * time.Second

// paused refuses to begin anything while staff have everything pause.
func paused(ctx context.Context, tx ports.Tx) error {
	pause, err := tx.Switches.Get(ctx, domain.PauseSwitch)
	if err != nil || pause.Value == "" {
		return err
	}
	e := domain.Errorf(domain.Unavailable, "staff paused the queue")
	e.RetryAfter = pauseLook
	return e
}

// Do does a partition: it fetches, filters and trims its enrollees' claims into
// new files and binds them, and completes the job when it was the last. The
// result is empty when it bound nothing, since the partition was lost to
// another or the job is no longer wanted. It fails with unavailable when the source or
// the store cannot serve now; then the partition rests and is taken up again.
func (u *UseCase) Do(ctx context.Context, w Work) (domain.PartitionResult, error) {
	var processed atomic.Int64
	held, drop := u.hold(ctx, w.Lease, &processed)
	result, err := u.writePartition(held, w.Job, w.Lease, &processed)
	cause := context.Cause(held)
	drop()
	if err != nil {
		return domain.PartitionResult{}, u.giveUp(ctx, w.Lease, err, cause)
	}
	if err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Leases.Publish(ctx, w.Lease, result)
	}); domain.CodeOf(err) == domain.Conflict {
		return domain.PartitionResult{}, nil // too late: another has it, and nothing of ours is bound
	} else if err != nil {
		return domain.PartitionResult{}, err
	}
	return result, u.Finish(ctx, w.Job.ID)
}

// Why a worker stopped before it was done, other than a fault.
var (
	errLost     = errors.New("the lease is lost")
	errUnwanted = errors.New("the job is no longer wanted")
)

// beat is how often a worker tells that it is alive and asks whether it should
// go on; with short leases it is a third of the lease.
const beat = time.Second

// hold renews the lease until drop is called. The context it returns ends with
// its cause when the partition is lost or no longer wanted: also when the store
// could not be reached for the length of the lease, since then another has it.
func (u *UseCase) hold(ctx context.Context, l domain.Lease, processed *atomic.Int64) (held context.Context, drop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(min(beat, u.Settings.Lease/3))
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
			}
			err := u.renew(held, l, int(processed.Load()))
			switch {
			case err == nil:
				last = time.Now()
			case errors.Is(err, errLost), domain.CodeOf(err) == domain.BusinessRule, errors.Is(err, errUnwanted):
				cancel(err)
			case time.Since(last) > u.Settings.Lease:
				cancel(errors.Join(errLost, err))
			}
		}
	}()
	return held, func() { cancel(nil); <-done }
}

func (u *UseCase) renew(ctx context.Context, l domain.Lease, processed int) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, l.Partition.ID.Job)
		if err != nil {
			return err
		}
		if job.State().State != domain.InProgress {
			return errUnwanted
		}
		if err := u.checkEntitled(ctx, tx, job, l.Partition.Contract); err != nil {
			return err
		}
		if err := tx.Leases.Renew(ctx, l, processed, u.Settings.Lease); domain.CodeOf(err) == domain.Conflict {
			return errLost
		} else if err != nil {
			return err
		}
		return nil
	})
}

// giveUp ends an attempt that did not come to a result. What it wrote is
// aborted already, and what it committed is swept.
func (u *UseCase) giveUp(ctx context.Context, l domain.Lease, err, cause error) error {
	id := l.Partition.ID
	switch {
	case errors.Is(cause, errLost), errors.Is(cause, errUnwanted):
		return nil
	case domain.CodeOf(cause) == domain.BusinessRule && cause != nil:
		return u.fail(ctx, id.Job, domain.BusinessRule, reasonOf(cause), cause)
	}
	if e := (*domain.Error)(nil); errors.As(err, &e) && e.Code == domain.Invalid {
		return u.fail(ctx, id.Job, domain.Invalid, e.Message, err)
	}
	stopping := ctx.Err() != nil
	// Given back at once even while the process stops, so that nobody has to
	// wait for the lease to run out.
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pause := restAfter(err, l.Attempt)
	if stopping {
		pause = 0
	}
	releaseErr := u.Store.Do(rest, func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Release(ctx, l, pause) })
	if !stopping && domain.CodeOf(err) != domain.Unavailable && l.Attempt >= u.Settings.PartitionTries {
		return u.fail(rest, id.Job, domain.Internal, "The export could not be completed because of a fault in the service.", err)
	}
	if !stopping {
		u.Log.WarnContext(ctx, "partition attempt ended", "partition", id.String(), "attempt", l.Attempt, "error", err)
	}
	return errors.Join(err, releaseErr)
}

// How long a partition rests after a failure.
const (
	shortRest = time.Second
	longRest  = time.Minute
)

// restAfter is how long a partition is left alone after a failure: as long as
// the error says, and else longer from attempt to attempt. Without it a fault
// of a moment would use up all attempts in that moment.
func restAfter(err error, attempt int) time.Duration {
	if e := (*domain.Error)(nil); errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return min(shortRest<<min(attempt-1, 10), longRest)
}

// Finish completes a job whose partitions are all bound, and fails it when its
// enrollees do not add up or too many of them could not be had. Any other job
// is left as it is.
func (u *UseCase) Finish(ctx context.Context, id domain.JobID) error {
	var lost error
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		lost = nil
		now := u.Clock.Now()
		// The job's row is held while its partitions are counted: of two last
		// partitions bound at once, the second to get here sees both.
		err := tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error {
			if j.State().State != domain.InProgress {
				return errNothingToDo
			}
			if _, open, err := tx.Partitions.Progress(ctx, id); err != nil {
				return err
			} else if open > 0 {
				return errNothingToDo
			}
			parts, err := tx.Partitions.OfJob(ctx, id)
			if err != nil {
				return err
			}
			accounts := accountsOf(j.State().Plans, parts)
			if lost = u.checkFailed(j.State().Terms, accounts); lost != nil {
				return lost
			}
			files := domain.NameFiles(parts)
			if _, published := j.Published(); published > 0 {
				files = files[published:]
				if err := j.Publish(now, len(parts), len(files)); err != nil {
					return err
				}
			}
			if lost = j.Succeed(now, u.Settings.FileLife, accounts); lost != nil {
				return lost
			}
			return tx.Files.Add(ctx, files)
		})
		if err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Actor: domain.System("worker"), Action: "export.complete", Target: string(id), Outcome: "done"})
	})
	switch {
	case errors.Is(err, errNothingToDo):
		return nil
	case lost != nil && errors.Is(err, lost):
		return u.fail(ctx, id, domain.Internal, reasonOf(lost), lost)
	}
	return err
}

var errNothingToDo = errors.New("nothing to do")

// accountsOf adds up what became of the members of each contract.
func accountsOf(plans []domain.ContractPlan, parts []domain.Partition) []domain.Account {
	sums, lost := map[domain.ContractNumber]domain.Columns{}, map[domain.ContractNumber][]domain.PatientID{}
	for _, p := range parts {
		sums[p.Contract] = sums[p.Contract].Plus(p.Result.Columns)
		lost[p.Contract] = append(lost[p.Contract], p.Result.Lost...)
	}
	accounts := make([]domain.Account, len(plans))
	for i, p := range plans {
		accounts[i] = domain.Account{Contract: p.Contract, Columns: sums[p.Contract], EnrolledAsOf: p.EnrolledAsOf, Lost: lost[p.Contract]}
	}
	return accounts
}

// checkFailed refuses a job of which too large a share of enrollees failed. Of
// a job that names its enrollees each is told of by name, and a share of a few
// says nothing.
func (u *UseCase) checkFailed(t domain.Terms, accounts []domain.Account) error {
	if len(t.Patients) > 0 {
		return nil
	}
	var failed, all int
	for _, a := range accounts {
		failed, all = failed+a.Failed, all+a.Enrollees()
	}
	if float64(failed) > u.Settings.FailedShare*float64(all) {
		return domain.Errorf(domain.Internal, "The claims of %d of %d enrollees could not be had, which is more than the %g%% that an export may lack.",
			failed, all, u.Settings.FailedShare*100)
	}
	return nil
}

// Reconcile queues again what nobody would finish otherwise: partitions whose
// worker died, and tasks that the queue lost. With everything set it takes all
// unfinished work: for a process that starts and knows it is alone.
func (u *UseCase) Reconcile(ctx context.Context, everything bool) error {
	var running []*domain.ExportJob
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		lost, err := tx.Partitions.Reclaim(ctx, u.Settings.Patience, everything, 1000)
		if err != nil {
			return err
		}
		var tasks []ports.Task
		for _, p := range lost {
			tasks = append(tasks, ports.Task{Job: p.Job, Partition: p.Seq})
		}
		waiting := ports.JobQuery{States: []domain.JobState{domain.Submitted}}
		if !everything {
			waiting.CreatedBefore = u.Clock.Now().Add(-u.Settings.Patience)
		}
		unplanned, err := tx.JobList.Find(ctx, waiting)
		if err != nil {
			return err
		}
		for _, j := range unplanned {
			tasks = append(tasks, ports.Task{Job: j.ID()})
		}
		if running, err = tx.JobList.Find(ctx, ports.JobQuery{States: []domain.JobState{domain.InProgress}}); err != nil || len(tasks) == 0 {
			return err
		}
		return tx.Queue.Schedule(ctx, tasks...)
	})
	// A worker that dies between binding the last partition and completing the
	// job leaves one that has nothing open and is not complete.
	for _, j := range running {
		err = errors.Join(err, u.Finish(ctx, j.ID()))
	}
	return err
}
