package status_test

import (
	"errors"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
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
