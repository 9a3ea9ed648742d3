package status

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"

	"time"
)

// pageOf is how many partitions a page of a manifest has at most, but for the
// last, which has the rest.
const pageOf = 1000

// publish makes a page of the files that have been finished since the page
// before, and returns the first page: nil while there is none.
//
// Files are published in the order of the partitions, so that they are called
// what they would be called in the end. A partition that takes longer than those
// after it holds them up; nothing is lost by that, the last page has them all.
func publish(ctx context.Context, tx ports.Tx, id domain.JobID, now time.Time) (first *domain.Manifest, err error) {
	err = tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error {
		files, err := tx.Files.OfJob(ctx, id)
		if err != nil {
			return err
		}
		if j.State().State == domain.InProgress {
			through, _ := j.Published()
			parts, err := tx.Partitions.After(ctx, id, through, pageOf)
			if err != nil {
				return err
			}
			done := parts[:0]
			for _, p := range parts {
				if p.State != domain.PartitionDone {
					break
				}
				done = append(done, p)
			}
			if fresh := domain.NameFiles(done, files...); len(fresh) > 0 {
				if err := j.Publish(now, done[len(done)-1].ID.Seq, len(fresh)); err != nil {
					return err
				}
				if err := tx.Files.Add(ctx, fresh); err != nil {
					return err
				}
				files = append(files, fresh...)
			}
		}
		if m, ok := domain.NewManifestPage(j, 1, files); ok {
			first = &m
		}
		return nil
	})
	return first, err
}

// Page returns a page of the manifest, counted from 1, that the page before links
// to. It is there as soon as that link is, and fails with not_found for a page
// that is not, and as Poll does, but is never throttled.
func (u *UseCase) Page(ctx context.Context, client domain.Client, id domain.JobID, page int) (Result, error) {
	var r Result
	now := u.Clock.Now()
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		job, err := Job(ctx, tx, client, id)
		if err != nil {
			return err
		}
		s := job.State()
		if s.State == domain.Failed {
			r = Result{Failure: &s.Failure, Separate: s.Terms.SeparateStatus}
			return nil
		}
		if !s.State.Active() {
			if err := job.CheckReadable(now); err != nil {
				return err
			}
		}
		files, err := tx.Files.OfJob(ctx, id)
		if err != nil {
			return err
		}
		m, ok := domain.NewManifestPage(job, page, files)
		if !ok {
			return domain.Errorf(domain.NotFound, "The manifest has no page %d.", page).WithNext("Follow the link of the page before, once there is one.")
		}
		if s.State.Active() {
			if r, err = running(ctx, tx, job, now); err != nil {
				return err
			}
		}
		r.Manifest, r.Separate = &m, s.Terms.SeparateStatus
		return nil
	})
	return r, err
}
