// Package oversight is what staff see of jobs, contracts and the audit trail,
// and what they do to jobs. Every method asks first whether the person may; what
// was refused is in the audit trail too.
package oversight

import (
	"context"
	"slices"
	"time"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase oversees.
type UseCase struct {
	Store       ports.UnitOfWork
	Coverage    ports.Coverage
	Audit       ports.AuditLog
	Files       ports.Files
	Packing     ports.Packing
	Clock       ports.Clock
	Export      *export.UseCase
	Sweep       *retention.UseCase
	Attestation *attestation.UseCase
	Clients     *clients.UseCase
	Listing     *listing.UseCase
	Intake      *enrollment.UseCase

	TwoPerson        []domain.PairedAction // what one asks for and another approves
	Onboard          bool                  // credentials wait for the steps to production access
	SandboxElsewhere bool                  // jobs of the sandbox are not known here
}

func (u *UseCase) permit(ctx context.Context, who domain.Staff, p domain.Permission, action, target string) error {
	return staff.Permit(ctx, u.Store, u.Clock.Now(), who, p, action, target)
}

// JobRow is a job as a list shows it.
type JobRow struct {
	domain.ExportJobState
	Figures domain.JobFigures
	Of      domain.Sponsor
	Expired bool // its files are past their time, whether or not that was marked yet
}

// Duration returns how long the job has taken so far, or took.
func (r JobRow) Duration(now time.Time) time.Duration {
	if !r.CompletedAt.IsZero() {
		return r.CompletedAt.Sub(r.CreatedAt)
	}
	return now.Sub(r.CreatedAt)
}

// Left estimates how long a running job still takes; false when there is no
// pace to go by.
func (r JobRow) Left(now time.Time) (time.Duration, bool) {
	if r.State != domain.InProgress {
		return 0, false
	}
	return r.Figures.Remaining(now.Sub(r.StartedAt))
}

// JobPage is a piece of a list of jobs.
type JobPage struct {
	Rows  []JobRow
	Total int            // jobs that match, on all pages
	More  bool           // there are older ones
	Next  ports.JobPlace // where they begin
}

// Jobs lists jobs, the newest first, and is for any role.
func (u *UseCase) Jobs(ctx context.Context, who domain.Staff, q ports.JobQuery) (page JobPage, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "jobs.list", ""); err != nil {
		return page, err
	}
	q.Newest = true
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.JobList.Find(ctx, q)
		if err != nil {
			return err
		}
		if page.More = len(found) > limit; page.More {
			found = found[:limit]
			last := found[limit-1].State()
			page.Next = ports.JobPlace{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		if page.Total, err = tx.JobList.Count(ctx, q); err != nil {
			return err
		}
		page.Rows, err = u.rows(ctx, tx, found)
		return err
	})
	return page, err
}

// JobsOf returns the jobs of the ids that are there, in no order, for any role.
func (u *UseCase) JobsOf(ctx context.Context, who domain.Staff, ids []domain.JobID) (rows []JobRow, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "jobs.list", ""); err != nil {
		return nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		var found []*domain.ExportJob
		for _, id := range ids {
			j, err := tx.Jobs.Get(ctx, id)
			if domain.CodeOf(err) == domain.NotFound {
				continue
			} else if err != nil {
				return err
			}
			found = append(found, j)
		}
		rows, err = u.rows(ctx, tx, found)
		return err
	})
	return rows, err
}

func (u *UseCase) rows(ctx context.Context, tx ports.Tx, jobs []*domain.ExportJob) ([]JobRow, error) {
	ids := make([]domain.JobID, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID()
	}
	figures, err := tx.JobFigures.Of(ctx, ids)
	if err != nil {
		return nil, err
	}
	sponsors, now := map[domain.SponsorID]domain.Sponsor{}, u.Clock.Now()
	rows := make([]JobRow, len(jobs))
	for i, j := range jobs {
		s := j.State()
		if _, known := sponsors[s.Sponsor]; !known {
			sponsor, err := tx.Sponsors.Get(ctx, s.Sponsor)
			if domain.CodeOf(err) == domain.NotFound {
				sponsor = domain.Sponsor{ID: s.Sponsor, Name: string(s.Sponsor)}
			} else if err != nil {
				return nil, err
			}
			sponsors[s.Sponsor] = sponsor
		}
		rows[i] = JobRow{ExportJobState: s, Figures: figures[s.ID], Of: sponsors[s.Sponsor], Expired: j.ExpiredAt(now)}
	}
	return rows, nil
}

// Pulse is how the installation does at a moment.
type Pulse struct {
	domain.Backlog
	Running int // jobs in progress
	Queued  int // jobs not yet planned
	Ended   []domain.EndedJob
	Span    time.Duration
	At      time.Time
}

// Within returns the same with the jobs of a shorter span only.
func (p Pulse) Within(span time.Duration) Pulse {
	from := p.At.Add(-span)
	p.Span, p.Ended = span, slices.DeleteFunc(slices.Clone(p.Ended), func(j domain.EndedJob) bool { return j.CompletedAt.Before(from) })
	return p
}

// Pulse returns how things are, with the jobs that ended in a span up to now.
func (u *UseCase) Pulse(ctx context.Context, who domain.Staff, span time.Duration) (p Pulse, err error) {
	p.Span, p.At = span, u.Clock.Now()
	if err := u.permit(ctx, who, domain.MaySee, "jobs.list", ""); err != nil {
		return p, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		if p.Backlog, err = tx.Partitions.Backlog(ctx); err != nil {
			return err
		}
		if p.Running, err = tx.JobList.Count(ctx, ports.JobQuery{States: []domain.JobState{domain.InProgress}}); err != nil {
			return err
		}
		if p.Queued, err = tx.JobList.Count(ctx, ports.JobQuery{States: []domain.JobState{domain.Submitted}}); err != nil {
			return err
		}
		p.Ended, err = tx.JobFigures.Ended(ctx, p.At.Add(-span), p.At.Add(time.Second))
		return err
	})
	return p, err
}
