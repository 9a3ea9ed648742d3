package export_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// keyed is a kick-off with a key.
func keyed(s *site.Site, key, digest string) export.Start {
	ask := s.Ask(site.First, domain.Window{})
	ask.Key, ask.Digest = key, digest
	return ask
}

func started(t *testing.T, s *site.Site, ask export.Start) domain.JobID {
	t.Helper()
	id, err := s.Export.Start(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAKickOffThatIsSentAgainStartsNothing(t *testing.T) {
	s := site.New(t)
	first := started(t, s, keyed(s, "key", "a"))
	for range 5 { // more than a contract may have running
		if again := started(t, s, keyed(s, "key", "a")); again != first {
			t.Fatalf("another job: %s", again)
		}
	}
	if waiting := s.Store.Queue.Waiting(); len(waiting) != 1 {
		t.Errorf("queued %v", waiting)
	}
	told, err := s.Store.Find(t.Context(), "export.start", string(first), 10)
	if err != nil || len(told) != 6 || told[0].Outcome != "repeated" || told[5].Outcome != "done" {
		t.Errorf("the audit trail says %+v, %v", told, err)
	}

	_, err = s.Export.Start(t.Context(), keyed(s, "key", "b"))
	if refused := (*domain.Error)(nil); !errors.As(err, &refused) || refused.Code != domain.Reused || refused.Next == "" {
		t.Errorf("another request with the key: %v", err)
	}
	if id := started(t, s, keyed(s, "other", "a")); id == first {
		t.Error("another key is taken for the first")
	}
	another := keyed(s, "key", "a")
	another.Client.ID = "other"
	if id := started(t, s, another); id == first {
		t.Error("a key of another client is taken for the first")
	}

	// Whatever became of the job: who wants another sends another key.
	if err := s.Cancel.Cancel(t.Context(), s.Client, another.From, first); err != nil {
		t.Fatal(err)
	}
	if again := started(t, s, keyed(s, "key", "a")); again != first {
		t.Errorf("another job: %s", again)
	}
}

func TestARefusedKickOffLeavesItsKeyFree(t *testing.T) {
	s := site.New(t)
	s.Export.Settings.JobsPerContract = 1
	running := started(t, s, keyed(s, "", ""))
	ask := keyed(s, "key", "a")
	if _, err := s.Export.Start(t.Context(), ask); domain.CodeOf(err) != domain.Throttled {
		t.Fatal(err)
	}
	if err := s.Cancel.Cancel(t.Context(), s.Client, ask.From, running); err != nil {
		t.Fatal(err)
	}
	if id := started(t, s, ask); id == running {
		t.Error("the key stands for a job that it did not start")
	}
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	s := site.New(t)
	first := started(t, s, keyed(s, "key", "a"))
	s.Clock.Advance(domain.IdempotencyLife)
	if again := started(t, s, keyed(s, "key", "a")); again != first {
		t.Errorf("forgotten too soon: %s", again)
	}
	s.Clock.Advance(time.Second)
	second := started(t, s, keyed(s, "key", "b"))
	if second == first {
		t.Error("the key still stands for its first job")
	}

	left := func() bool {
		t.Helper()
		var kept domain.IdempotencyKey
		s.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			kept, err = tx.Keys.Claim(ctx, domain.IdempotencyKey{Client: s.Client.ID, Key: "key", Job: "x", At: s.Clock.Now()}, time.Time{})
			return err
		})
		return kept.Job == second
	}
	s.Clock.Advance(domain.IdempotencyLife)
	if err := s.Retention.Sweep(t.Context()); err != nil || !left() {
		t.Errorf("swept too soon, %v", err)
	}
	s.Clock.Advance(time.Second)
	if err := s.Retention.Sweep(t.Context()); err != nil || left() {
		t.Errorf("not swept, %v", err)
	}
}
