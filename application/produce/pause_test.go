package produce_test

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// While staff have the queue pause nothing is planned and nothing begun, nothing
// counts against anybody, and afterwards it goes on by itself.
func TestNothingBeginsDuringAPause(t *testing.T) {
	s := site.New(t)
	s.Enroll(site.First, site.Start, site.Person("1"))
	pause := func(why string) {
		s.Do(func(ctx context.Context, tx ports.Tx) error {
			return tx.Switches.Put(ctx, domain.Switch{Name: domain.PauseSwitch, Value: why})
		})
	}
	refused := func(err error) {
		t.Helper()
		if e, ok := err.(*domain.Error); !ok || e.Code != domain.Unavailable || e.RetryAfter < time.Second {
			t.Errorf("during the pause: %v", err)
		}
	}
	planned, unplanned := s.KickOff(site.First, domain.Window{}), s.KickOff(site.First, domain.Window{})
	if err := s.Produce.Plan(t.Context(), planned); err != nil {
		t.Fatal(err)
	}
	pause("BFD asked for it")
	_, err := s.Produce.Take(t.Context())
	refused(err)
	refused(s.Produce.Plan(t.Context(), unplanned))
	if err := s.Produce.Plan(t.Context(), planned); err != nil {
		t.Errorf("a job that is planned already: %v", err)
	}
	pause("")
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []domain.JobID{planned, unplanned} {
		if job := s.Job(id); job.State != domain.Successful {
			t.Errorf("afterwards the job is %s", job.State)
		}
	}
}
