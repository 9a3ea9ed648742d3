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
}

// root is the prefix of all keys of exports; see domain.AttemptPrefix.
const root = "jobs/"

// Sweep marks the jobs whose time is over as expired and deletes every file
// that no longer belongs to anything: of expired, cancelled, failed and unknown
// jobs, and of attempts at a partition that came to nothing. It goes on after
// an error with one job and returns all errors together. Only when there was
// none does it let go of old jobs: as long as a file is there, so is its job.
func (u *UseCase) Sweep(ctx context.Context) error {
	errs := []error{u.expire(ctx)}
	// The listing comes before the look at each job: a file written after it is
	// not in the listing, so what a living attempt writes is never taken.
	keys := map[domain.JobID][]string{}
	for f, err := range u.Files.List(ctx, root) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(f.Key, root), "/")
		keys[domain.JobID(id)] = append(keys[domain.JobID(id)], f.Key)
	}
	for id, keys := range keys {
		errs = append(errs, u.sweepJob(ctx, id, keys))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(u.prune(ctx), u.forget(ctx))
}

// Clear deletes the files of one job that are no longer wanted.
func (u *UseCase) Clear(ctx context.Context, id domain.JobID) error {
	var keys []string
	for f, err := range u.Files.List(ctx, domain.JobPrefix(id)) {
		if err != nil {
			return err
		}
		keys = append(keys, f.Key)
	}
	return u.sweepJob(ctx, id, keys)
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

func (u *UseCase) sweepJob(ctx context.Context, id domain.JobID, keys []string) error {
	wanted, err := u.wanted(ctx, id)
	if err != nil {
		return err
	}
	deleted := 0
	for _, key := range keys {
		if wanted(key) {
			continue
		}
		if err := u.Files.Delete(ctx, key); err != nil {
			return err
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

// wanted returns which keys of the job still belong to something.
func (u *UseCase) wanted(ctx context.Context, id domain.JobID) (func(key string) bool, error) {
	none := func(string) bool { return false }
	keep := map[string]bool{}
	var living []string
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := tx.Jobs.Get(ctx, id)
		if err != nil {
			return err
		}
		if s := job.State().State; !s.Active() && s != domain.Successful || job.ExpiredAt(u.Clock.Now()) {
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
	if domain.CodeOf(err) == domain.NotFound {
		return none, nil
	} else if err != nil {
		return nil, err
	}
	return func(key string) bool {
		for _, prefix := range living {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return keep[key]
	}, nil
}
