// Package retention deletes files whose time is over and files that nothing
// refers to, and in the end what is known of old jobs.
package retention

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase sweeps the store of files.
type UseCase struct {
	Store    ports.UnitOfWork
	Files    ports.Files
	Clock    ports.Clock
	Settings Settings
}

// Settings are how long things are kept.
type Settings struct {
	KeepJobs time.Duration // what is known of jobs that ended, the audit trail apart; 0 is for ever
	Every    time.Duration // between two sweeps
	Hold     time.Duration // how long a sweeper that fell silent keeps others from sweeping
}

// root is the prefix of all keys of exports; see domain.AttemptPrefix.
const root = "jobs/"

// Sweep marks the jobs whose time is over as expired and deletes every file
// that no longer belongs to anything: of expired, cancelled, failed and unknown
// jobs, and of attempts at a partition that came to nothing. It goes on after
// an error with one job and returns all errors together. Only when there was
// none does it let go of old jobs: as long as a file is there, so is its job.
func (u *UseCase) Sweep(ctx context.Context) error {
	_, err := u.sweep(ctx)
	return err
}

func (u *UseCase) sweep(ctx context.Context) (swept domain.Swept, err error) {
	swept = domain.NewSwept()
	errs := []error{u.expire(ctx)}
	// The listing comes before the look at each job: a file written after it is
	// not in the listing, so what a living attempt writes is never taken.
	files := map[domain.JobID][]ports.FileInfo{}
	for f, err := range u.Files.List(ctx, root) {
		if err != nil {
			return swept, errors.Join(append(errs, err)...)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(f.Key, root), "/")
		files[domain.JobID(id)] = append(files[domain.JobID(id)], f)
	}
	for id, files := range files {
		errs = append(errs, u.sweepJob(ctx, id, files, &swept))
	}
	if err := errors.Join(errs...); err != nil {
		return swept, err
	}
	return swept, errors.Join(u.prune(ctx), u.forget(ctx), u.forgetFigures(ctx))
}

// Clear deletes the files of one job that are no longer wanted.
func (u *UseCase) Clear(ctx context.Context, id domain.JobID) error {
	var files []ports.FileInfo
	for f, err := range u.Files.List(ctx, domain.JobPrefix(id)) {
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	return u.sweepJob(ctx, id, files, &domain.Swept{})
}

func (u *UseCase) expire(ctx context.Context) error {
	now := u.Clock.Now()
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		jobs, err := tx.JobList.Find(ctx, ports.JobQuery{States: []domain.JobState{domain.Successful}, ExpiresBefore: now})
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if err := tx.Jobs.Update(ctx, j.ID(), func(j *domain.ExportJob) error { return j.Expire(now) }); err != nil {
				return err
			}
			if err := tx.Audit.Record(ctx, u.told("export.expire", j.ID(), nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (u *UseCase) told(action string, id domain.JobID, detail map[string]string) domain.AuditRecord {
	return domain.AuditRecord{At: u.Clock.Now(), Actor: domain.System("retention"), Action: action, Target: string(id), Outcome: "done", Detail: detail}
}

func (u *UseCase) sweepJob(ctx context.Context, id domain.JobID, files []ports.FileInfo, swept *domain.Swept) error {
	wanted, over, err := u.wanted(ctx, id)
	if err != nil {
		return err
	}
	deleted, now := 0, u.Clock.Now()
	for _, f := range files {
		if wanted(f.Key) {
			swept.Keep(f.Bytes, now.Sub(f.Modified))
			continue
		}
		if err := u.Files.Delete(ctx, f.Key); err != nil {
			return err
		}
		if swept.Freed += f.Bytes; over {
			swept.Deleted++
		} else {
			swept.Orphans++
		}
		deleted++
	}
	if deleted == 0 {
		return nil
	}
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Record(ctx, u.told("file.delete", id, map[string]string{"files": fmt.Sprint(deleted)}))
	})
}

// wanted returns which keys of the job still belong to something, and whether
// the others are of a job whose time is over.
func (u *UseCase) wanted(ctx context.Context, id domain.JobID) (wanted func(key string) bool, over bool, err error) {
	keep := map[string]bool{}
	var living []string
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, id)
		if err != nil {
			return err
		}
		if s := job.State().State; !s.Active() && s != domain.Successful || job.ExpiredAt(u.Clock.Now()) {
			over = true
			return nil
		}
		parts, err := tx.Partitions.OfJob(ctx, id)
		for _, p := range parts {
			for _, f := range p.Result.Files {
				keep[f.Key] = true
			}
			if p.State == domain.PartitionOpen {
				living = append(living, domain.AttemptPrefix(p.ID, p.Attempt))
			}
		}
		return err
	})
	if err != nil && domain.CodeOf(err) != domain.NotFound { // of a job that is not there, nothing is wanted
		return nil, false, err
	}
	return func(key string) bool {
		for _, prefix := range living {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return keep[key]
	}, over, nil
}
