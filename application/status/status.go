// Package status answers how an export is doing.
package status

import (
	"context"
	"math"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase answers status requests.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// Result is one of three: a job that runs, one that is complete, or one that
// failed. One that runs has a manifest too once some of its files are published.
type Result struct {
	Running    bool
	Percent    int           // while running
	RetryAfter time.Duration // while running: when to ask again, whole seconds from 1 to 60

	Manifest *domain.Manifest // when complete, and a part of it while running, where that was asked for
	Failure  *domain.Failure  // when failed

	Separate bool // the client prefers the status of the export apart from that of the answer

	partials bool // files may be told while running
}

const (
	soonest = time.Second
	latest  = time.Minute
)

// Poll returns how the job is doing. It fails with not_found for a job that is
// unknown or not the client's, deleted for a cancelled one, expired for one
// whose files are gone, and throttled for a client that asks again before half
// of the wait it was last asked for is over; that does not move the wait.
func (u *UseCase) Poll(ctx context.Context, client domain.Client, id domain.JobID) (Result, error) {
	var r Result
	now := u.Clock.Now()
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		r, err = look(ctx, tx, client, id, now)
		return err
	})
	if err != nil || !r.Running {
		return r, err
	}
	// Only an answer that says "still running" is remembered, so a refused
	// request changes nothing.
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		if r.partials {
			if r.Manifest, err = publish(ctx, tx, id, now); err != nil {
				return err
			}
		}
		return tx.Polls.Put(ctx, id, client.ID, ports.Poll{At: now, RetryAfter: r.RetryAfter})
	})
	return r, err
}

func look(ctx context.Context, tx ports.Tx, client domain.Client, id domain.JobID, now time.Time) (Result, error) {
	job, err := Job(ctx, tx, client, id)
	if err != nil {
		return Result{}, err
	}
	separate := job.State().Terms.SeparateStatus
	switch s := job.State(); {
	case s.State == domain.Failed:
		return Result{Failure: &s.Failure, Separate: separate}, nil
	case !s.State.Active():
		if err := job.CheckReadable(now); err != nil {
			return Result{}, err
		}
		files, err := tx.Files.OfJob(ctx, id)
		if err != nil {
			return Result{}, err
		}
		m, ok := domain.NewManifestPage(job, 1, files)
		if !ok {
			m = domain.NewManifest(job, files)
		}
		return Result{Manifest: &m, Separate: separate}, nil
	}
	if err := checkPace(ctx, tx, client.ID, id, now); err != nil {
		return Result{}, err
	}
	return running(ctx, tx, job, now)
}

func running(ctx context.Context, tx ports.Tx, job *domain.ExportJob, now time.Time) (Result, error) {
	p, _, err := tx.Partitions.Progress(ctx, job.ID())
	if err != nil {
		return Result{}, err
	}
	since := job.State().StartedAt
	if since.IsZero() {
		since = job.State().CreatedAt
	}
	return Result{Running: true, Percent: p.Percent(), RetryAfter: wait(p, now.Sub(since)), Separate: job.State().Terms.SeparateStatus, partials: job.State().Partials.Allowed}, nil
}

// Job returns the job if the client may use it. Another sponsor's job is not
// told from one that does not exist.
func Job(ctx context.Context, tx ports.Tx, client domain.Client, id domain.JobID) (*domain.ExportJob, error) {
	job, err := tx.Jobs.Get(ctx, id)
	if domain.CodeOf(err) == domain.NotFound || err == nil && !client.MayUse(job) {
		return nil, domain.Errorf(domain.NotFound, "There is no job %s.", id).
			WithNext("Use the address that Content-Location gave at kick-off.")
	}
	return job, err
}

func checkPace(ctx context.Context, tx ports.Tx, client domain.ClientID, id domain.JobID, now time.Time) error {
	last, ok, err := tx.Polls.Last(ctx, id, client)
	if err != nil || !ok || !now.Before(last.At.Add(last.RetryAfter/2)) {
		return err
	}
	left := seconds(last.At.Add(last.RetryAfter).Sub(now))
	e := domain.Errorf(domain.Throttled, "The status was asked for too soon after the last answer.").
		WithNext("Wait for as long as Retry-After says before you ask again.")
	e.RetryAfter = left
	return e
}

// wait returns when to ask again: after half of the time that the rest takes at
// the pace so far, and not later than the job has run already. A pace measured
// over a short time is a bad guess, and a client that was told to wait for too
// long sits there with a finished job: like this it never waits for more than
// about half as long as the job took. While there is no pace at all, as in a
// long queue, the rest is taken to last as long as it has lasted so far.
func wait(p domain.Progress, elapsed time.Duration) time.Duration {
	left, ok := p.Remaining(elapsed)
	if !ok {
		left = elapsed
	}
	return min(max(seconds(min(left/2, elapsed)), soonest), latest)
}

// seconds rounds up, since Retry-After has whole seconds and a client that
// keeps to it must never be early.
func seconds(d time.Duration) time.Duration {
	return time.Duration(math.Ceil(d.Seconds())) * time.Second
}
