package oversight

import (
	"context"
	"net/netip"
	"time"

	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// LongestExtension is how long files may be kept from now on, by staff.
const LongestExtension = 14 * 24 * time.Hour

// The actions on jobs, as they stand in the audit trail.
const (
	CancelJob = "job.cancel"
	RetryJob  = "job.retry"
	ExtendJob = "job.extend"
	ExpireJob = "job.expire"
	StartJob  = "job.start"
)

// act changes a job for a reason, as one fact with its record. change returns
// what was before and what is after, for the record. What is refused is told
// beside it.
func (u *UseCase) act(ctx context.Context, who domain.Staff, action string, id domain.JobID, why domain.Reason,
	change func(j *domain.ExportJob, now time.Time) (before, after string, err error)) error {
	if err := u.permit(ctx, who, domain.MayRunJobs, action, string(id)); err != nil {
		return err
	}
	now := u.Clock.Now()
	err := why.Check()
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			var before, after string
			if err := tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) (err error) {
				before, after, err = change(j, now)
				return err
			}); err != nil {
				return err
			}
			return tx.Audit.Record(ctx, who.Told(now, action, string(id), "done", "reason", why.Text, "ticket", why.Ticket, "before", before, "after", after))
		})
	}
	return u.refused(ctx, err, who, action, string(id), why)
}

// refused tells a refusal in the audit trail and passes it on.
func (u *UseCase) refused(ctx context.Context, err error, who domain.Staff, action, target string, why domain.Reason) error {
	code := domain.CodeOf(err)
	if err == nil || code == domain.Internal || code == domain.Unavailable || code == domain.Invalid {
		return err
	}
	if auditErr := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), action, target, string(code), "reason", why.Text, "ticket", why.Ticket))
	}); auditErr != nil {
		return auditErr
	}
	return err
}

// Cancel ends a running job, or deletes a finished one with its files. It fails
// with forbidden, invalid for a reason that is none, not_found, and deleted.
func (u *UseCase) Cancel(ctx context.Context, who domain.Staff, id domain.JobID, why domain.Reason) error {
	err := u.act(ctx, who, CancelJob, id, why, func(j *domain.ExportJob, now time.Time) (string, string, error) {
		before := j.State().State
		return string(before), string(domain.Cancelled), j.Cancel(now)
	})
	if err != nil {
		return err
	}
	return u.Sweep.Clear(ctx, id)
}

// Extend keeps the files of a successful job until a time. It fails with
// forbidden, invalid, not_found, and with a conflict when they are gone already.
func (u *UseCase) Extend(ctx context.Context, who domain.Staff, id domain.JobID, until time.Time, why domain.Reason) error {
	return u.act(ctx, who, ExtendJob, id, why, func(j *domain.ExportJob, now time.Time) (string, string, error) {
		if until.After(now.Add(LongestExtension)) {
			return "", "", domain.Errorf(domain.Invalid, "Files may be kept for 14 more days at most.").WithNext("Choose an earlier time.")
		}
		before := j.State().ExpiresAt
		return before.Format(time.RFC3339), until.Format(time.RFC3339), j.Extend(now, until)
	})
}

// Expire takes the files of a successful job away now. It fails as Extend does.
func (u *UseCase) Expire(ctx context.Context, who domain.Staff, id domain.JobID, why domain.Reason) error {
	err := u.act(ctx, who, ExpireJob, id, why, func(j *domain.ExportJob, now time.Time) (string, string, error) {
		before := j.State().ExpiresAt
		return before.Format(time.RFC3339), now.Format(time.RFC3339), j.ExpireNow(now)
	})
	if err != nil {
		return err
	}
	return u.Sweep.Clear(ctx, id)
}

// Retry starts a new job that asks for what another asked for, under the same
// client: one that failed is not begun again, so that its story stays as it was.
func (u *UseCase) Retry(ctx context.Context, who domain.Staff, id domain.JobID, why domain.Reason) (domain.JobID, error) {
	if err := u.permit(ctx, who, domain.MayRunJobs, RetryJob, string(id)); err != nil {
		return "", err
	}
	var s domain.ExportJobState
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		j, err := tx.Jobs.Get(ctx, id)
		if err == nil {
			s = j.State()
		}
		return err
	})
	if err == nil && s.State.Active() {
		err = domain.Errorf(domain.Conflict, "The job still runs.").WithNext("Wait for its end, or cancel it first.")
	}
	if err != nil {
		return "", u.refused(ctx, err, who, RetryJob, string(id), why)
	}
	return u.start(ctx, who, RetryJob, Start{Client: s.Client, Contracts: s.Contracts, Version: s.Version, Window: s.Window, Terms: s.Terms,
		Partials: s.Partials.Allowed, Request: s.Request, Of: id}, why)
}

// Start is an export that staff start for a sponsor.
type Start struct {
	Client    domain.ClientID
	Contracts []domain.ContractNumber // those of the client that are meant; none is all
	Version   domain.FHIRVersion
	Window    domain.Window
	Terms     domain.Terms
	Partials  bool         // the files may be told and fetched before the job is complete
	Request   string       // what the sponsor would have asked
	Of        domain.JobID // the job that this one repeats
}

// StartExport starts an export on behalf of a client, which fetches the files
// as it does those of its own. It fails as the client's own would.
func (u *UseCase) StartExport(ctx context.Context, who domain.Staff, cmd Start, why domain.Reason) (domain.JobID, error) {
	if err := u.permit(ctx, who, domain.MayRunJobs, StartJob, string(cmd.Client)); err != nil {
		return "", err
	}
	return u.start(ctx, who, StartJob, cmd, why)
}

func (u *UseCase) start(ctx context.Context, who domain.Staff, action string, cmd Start, why domain.Reason) (id domain.JobID, err error) {
	if err := why.Check(); err != nil {
		return "", err
	}
	var client domain.Client
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		client, err = tx.Clients.Get(ctx, cmd.Client)
		return err
	})
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		err = domain.Errorf(domain.NotFound, "There is no client %s.", cmd.Client).WithNext("Choose one of the sponsor's clients.")
	case err == nil && !client.Enabled:
		err = domain.Errorf(domain.BusinessRule, "The client %s is disabled, so it could not fetch the files.", cmd.Client).WithNext("Enable it first, or choose another.")
	case err == nil && !client.Holds(cmd.Contracts):
		err = domain.Errorf(domain.BusinessRule, "The client %s does not hold the contract.", cmd.Client).WithNext("Choose a client that does.")
	}
	if err == nil {
		if len(cmd.Contracts) > 0 {
			client.Contracts = cmd.Contracts
		}
		from, _ := netip.ParseAddr(who.From) // where it is none the record has none
		id, err = u.Export.Start(ctx, export.Start{Client: client, From: from, Version: cmd.Version, Window: cmd.Window, Terms: cmd.Terms, Partials: cmd.Partials, Request: cmd.Request,
			Staff: &export.Staff{Person: who, Action: action, Why: why, Of: cmd.Of}})
		return id, err // told by it
	}
	return "", u.refused(ctx, err, who, action, string(cmd.Client), why)
}
