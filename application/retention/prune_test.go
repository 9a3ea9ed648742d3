package retention_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

const day = 24 * time.Hour

// known reports whether anybody can tell anything of the job.
func known(t *testing.T, s *site.Site, id domain.JobID) bool {
	t.Helper()
	err := s.Store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Jobs.Get(ctx, id)
		return err
	})
	if err != nil && domain.CodeOf(err) != domain.NotFound {
		t.Fatal(err)
	}
	return err == nil
}

func sweep(t *testing.T, s *site.Site) {
	t.Helper()
	if err := s.Retention.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func exported(t *testing.T) (*site.Site, domain.JobID) {
	t.Helper()
	s := site.New(t)
	s.Enroll(site.First, site.Start, site.Person("1"), site.Person("2"), site.Person("3"))
	return s, s.Exported(site.First, domain.Window{}).ID
}

func pruned(t *testing.T, s *site.Site) (jobs []string) {
	t.Helper()
	records, err := s.Store.Find(t.Context(), "job.prune", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		jobs = append(jobs, r.Detail["jobs"])
	}
	return jobs
}

func TestOldJobsAreForgotten(t *testing.T) {
	s, id := exported(t)
	s.Retention.Settings = retention.Settings{KeepJobs: 30 * day}
	running := s.KickOff(site.Second, domain.Window{})
	s.Clock.Advance(29 * day)
	sweep(t, s)
	if !known(t, s, id) || len(pruned(t, s)) != 0 {
		t.Error("a job was forgotten before its time")
	}
	s.Clock.Advance(2 * day)
	sweep(t, s)
	sweep(t, s)
	if known(t, s, id) {
		t.Error("the old job is still known")
	}
	if !known(t, s, running) {
		t.Error("a running job was forgotten")
	}
	if got := pruned(t, s); len(got) != 1 || got[0] != "1" {
		t.Errorf("the audit trail tells of %v", got)
	}
	if records, err := s.Store.Find(t.Context(), "export.start", string(id), 10); err != nil || len(records) != 1 {
		t.Errorf("the audit trail of the job has %d records, %v", len(records), err)
	}
}

func TestJobsAreKeptForEverWhenTheSettingIsZero(t *testing.T) {
	s, id := exported(t)
	s.Clock.Advance(50 * 365 * day)
	sweep(t, s)
	if !known(t, s, id) {
		t.Error("the job was forgotten")
	}
}

// More jobs than one unit of work takes go in one sweep.
func TestAllOldJobsGoInOneSweep(t *testing.T) {
	s := site.New(t)
	s.Retention.Settings.KeepJobs = day
	var ids []domain.JobID
	for range 25 {
		id := s.KickOff(site.First, domain.Window{})
		s.Do(func(ctx context.Context, tx ports.Tx) error {
			return tx.Jobs.Update(ctx, id, func(j *domain.ExportJob) error { return j.Cancel(s.Clock.Now()) })
		})
		ids = append(ids, id)
	}
	s.Clock.Advance(2 * day)
	sweep(t, s)
	for _, id := range ids {
		if known(t, s, id) {
			t.Errorf("job %s is still known", id)
		}
	}
}

// stuck is a store of files that deletes nothing.
type stuck struct{ ports.Files }

var errStuck = errors.New("the files are stuck")

func (stuck) Delete(context.Context, string) error { return errStuck }

func (s stuck) List(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return s.Files.List(ctx, prefix)
}

func TestAJobIsKnownAsLongAsItsFilesAreThere(t *testing.T) {
	s, id := exported(t)
	s.Retention.Settings.KeepJobs = day
	s.Clock.Advance(30 * day)
	s.Retention.Files = stuck{s.Files}
	if err := s.Retention.Sweep(t.Context()); !errors.Is(err, errStuck) {
		t.Errorf("the error is %v", err)
	}
	if !known(t, s, id) {
		t.Error("the job was forgotten before its files were deleted")
	}
	s.Retention.Files = s.Files
	sweep(t, s)
	if known(t, s, id) {
		t.Error("the job is still known")
	}
	for f, err := range s.Files.List(t.Context(), "") {
		t.Errorf("%s is left behind, %v", f.Key, err)
	}
}
