package status_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func TestPollingTooSoonIsRefusedAndMovesNothing(t *testing.T) {
	s := site.New(t)
	id := s.KickOff(site.First, domain.Window{})
	poll := func(client domain.Client) error {
		_, err := s.Status.Poll(t.Context(), client, id)
		return err
	}
	if err := poll(s.Client); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second would be soon after the first refusal too
		s.Clock.Advance(200 * time.Millisecond)
		err := poll(s.Client)
		if e := (*domain.Error)(nil); !errors.As(err, &e) || e.Code != domain.Throttled || e.RetryAfter != time.Second {
			t.Fatalf("asked again too soon: %+v", err)
		}
	}
	other := s.Client
	other.ID = "other"
	if err := poll(other); err != nil {
		t.Errorf("another client of the sponsor: %v", err)
	}
	s.Clock.Advance(100 * time.Millisecond) // half of the wait of one second is over
	if err := poll(s.Client); err != nil {
		t.Errorf("after half of the wait: %v", err)
	}
}

func TestAJobIsTheSponsors(t *testing.T) {
	s := site.New(t)
	id := s.KickOff("", domain.Window{})
	for name, change := range map[string]func(*domain.Client){
		"another sponsor's client":           func(c *domain.Client) { c.Sponsor = "another" },
		"a client for one of both contracts": func(c *domain.Client) { c.Contracts = c.Contracts[:1] },
		"a disabled client":                  func(c *domain.Client) { c.Enabled = false },
	} {
		client := s.Client
		change(&client)
		_, foreign := s.Status.Poll(t.Context(), client, id)
		_, unknown := s.Status.Poll(t.Context(), client, domain.NewJobID())
		if domain.CodeOf(foreign) != domain.NotFound || domain.CodeOf(unknown) != domain.NotFound || len(foreign.Error()) != len(unknown.Error()) {
			t.Errorf("%s: %v, and for a job that does not exist %v", name, foreign, unknown)
		}
	}
}

// However wrong the pace first looks, whoever keeps to Retry-After learns of the
// end in good time and does not ask often.
func TestKeepingToRetryAfterIsNeitherLateNorBusy(t *testing.T) {
	for _, takes := range []time.Duration{3 * time.Second, 40 * time.Second, 30 * time.Minute, 6 * time.Hour} {
		s := site.New(t)
		s.Produce.Settings.PartitionMembers = 100
		var people []domain.Enrollee
		for i := range 100 {
			people = append(people, site.Person(fmt.Sprintf("%03d", i)))
		}
		s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), people...)
		id := s.KickOff(site.First, domain.Window{})
		plan, _ := s.Store.Queue.Take()
		if err := memory.Run(t.Context(), s.Produce, plan); err != nil {
			t.Fatal(err)
		}
		var lease domain.Lease
		s.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			lease, err = tx.Leases.Acquire(ctx, domain.PartitionID{Job: id, Seq: 1}, 24*time.Hour)
			return err
		})
		polls, elapsed := 0, time.Duration(0)
		for ; elapsed < takes; polls++ {
			// Slow to begin with: a tenth of the time goes by before the first is done.
			done := max(0, int(100*(elapsed-takes/10)/(takes-takes/10)))
			s.Do(func(ctx context.Context, tx ports.Tx) error { return tx.Leases.Renew(ctx, lease, done, 24*time.Hour) })
			r, err := s.Status.Poll(t.Context(), s.Client, id)
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(r.RetryAfter)
			elapsed += r.RetryAfter
		}
		if late := elapsed - takes; late > max(2*time.Second, takes/2) || late > time.Minute || polls > 20+int(takes/(time.Minute)) && takes > time.Minute {
			t.Errorf("a job of %s: told %s after its end, after %d polls", takes, late, polls)
		}
	}
}

func TestTheWaitFollowsThePace(t *testing.T) {
	for _, tc := range []struct {
		processed int
		elapsed   time.Duration
		want      time.Duration
		known     bool
	}{
		{0, time.Minute, 0, false},
		{50, 10 * time.Second, 10 * time.Second, true},
		{25, 10 * time.Second, 30 * time.Second, true},
	} {
		got, known := domain.Progress{Processed: tc.processed, Members: 100}.Remaining(tc.elapsed)
		if got != tc.want || known != tc.known {
			t.Errorf("%d of 100 in %s: %s, %v", tc.processed, tc.elapsed, got, known)
		}
	}
}
