package domain_test

import (
	"fmt"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

// follow adds the event that HPMS's word asks for, if any, as a day's refresh does.
func follow(t interface{ Fatalf(string, ...any) }, l domain.ListedContract, events []domain.AttestationEvent, on domain.Date) []domain.AttestationEvent {
	e, ok := l.Follow(events, on)
	if !ok {
		return events
	}
	if err := domain.CheckAttestation(events, e, on); err != nil {
		t.Fatalf("%s: the rules refuse %+v after %+v: %v", on, e, events, err)
	}
	e.ID, e.Recorded = fmt.Sprint(len(events)), time.Date(2020, 1, 1, 0, len(events), 0, 0, time.UTC)
	return append(events, e)
}

// Whatever HPMS says from day to day, a contract stands as HPMS says, and once
// it does nothing more is added.
func TestAContractStandsAsHPMSSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := domain.ListedContract{Number: "S0001", Known: true}
		var events []domain.AttestationEvent
		on := domain.Date(2024_02_25)
		for range rapid.IntRange(1, 12).Draw(t, "days") {
			on = on.AddDays(rapid.SampledFrom([]int{0, 1, 3, 9, 10, 11, 400, 731, 800}).Draw(t, "later"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				l.Attested = false
				l.Ends = on.AddDays(-rapid.IntRange(-3, 20).Draw(t, "ended"))
			case 1: // attested again with the old date
				l.Attested = true
			default:
				l.Attested, l.Since = true, on.AddDays(-rapid.IntRange(0, 900).Draw(t, "since"))
			}
			if l.Attested && l.Since.IsZero() {
				l.Since = on
			}
			events = follow(t, l, events, on)
			s := domain.StandingOn(events, on)
			if s.Active != l.Attested || l.Attested && s.DataStart != l.Since {
				t.Fatalf("%s: HPMS says attested %v since %s, here %+v after\n%+v", on, l.Attested, l.Since, s, events)
			}
			if again := follow(t, l, events, on); len(again) != len(events) {
				t.Fatalf("%s: the same word again adds %+v", on, again[len(events):])
			}
			if e, ok := domain.Unlisted(l.Number, events, on); ok != s.Active || ok && domain.StandingOn(append(events, named(e)), on).Active {
				t.Fatalf("%s: unlisted, and still active: %+v", on, e)
			}
		}
	})
}

func named(e domain.AttestationEvent) domain.AttestationEvent {
	e.ID, e.Recorded = "new", time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return e
}

func TestWhatHPMSDoesNotSayChangesNothing(t *testing.T) {
	active := []domain.AttestationEvent{event(domain.Attest, 2020_03_10, "Ada")}
	for what, l := range map[string]domain.ListedContract{
		"nothing said":             {},
		"attested, but not when":   {Known: true, Attested: true},
		"attested in the future":   {Known: true, Attested: true, Since: today + 1},
		"attested, as known":       {Known: true, Attested: true, Since: 2020_03_10},
		"ends, but still attested": {Known: true, Attested: true, Since: 2020_03_10, Ends: 2025_01_01},
	} {
		if e, ok := l.Follow(active, today); ok {
			t.Errorf("%s: %+v", what, e)
		}
	}
	if e, ok := (domain.ListedContract{Known: true}).Follow(nil, today); ok {
		t.Errorf("never attested and not attested: %+v", e)
	}
}

// HPMS names neither the attestor nor how an attestation ended, and the events
// say so. Its dates count.
func TestEventsOfHPMSSayWhatIsNotKnown(t *testing.T) {
	l := domain.ListedContract{Number: "S0001", Known: true, Attested: true, Since: 2020_03_10}
	e, _ := l.Follow(nil, today)
	if e.Kind != domain.Attest || e.Effective != 2020_03_10 || e.Attestor != (domain.Attestor{}) || e.Source != domain.FromHPMS || e.Reason == "" {
		t.Errorf("%+v", e)
	}
	active := []domain.AttestationEvent{named(e)}
	l.Attested, l.Ends = false, 2026_02_20
	if e, _ = l.Follow(active, today); e.Kind != domain.EndUnknown || e.Effective != 2026_02_20 {
		t.Errorf("%+v", e)
	}
	// A date that changed corrects the event it stands in, and keeps the attestor that staff filled in.
	named := event(domain.Attest, 2020_03_10, "Ada")
	l.Attested, l.Since = true, 2021_01_01
	if e, _ = l.Follow([]domain.AttestationEvent{named}, today); e.Kind != domain.Correct || e.Corrects != named.ID || e.Attestor != named.Attestor || e.Effective != 2021_01_01 {
		t.Errorf("%+v", e)
	}
}

func TestAGuardHoldsWhatTakesTooMuch(t *testing.T) {
	g := domain.Guard{Share: 0.1}
	for _, tc := range []struct {
		before, dropped int
		want            bool
	}{{10, 0, false}, {10, 1, false}, {1, 1, false}, {2, 2, true}, {10, 2, true}, {100, 10, false}, {100, 11, true}, {1000, 1000, true}} {
		if got := g.Holds(tc.before, tc.dropped); got != tc.want {
			t.Errorf("%d of %d: %v", tc.dropped, tc.before, got)
		}
	}
	if !(domain.Guard{Share: 1}).Holds(5, 5) {
		t.Error("all of them gone is let through")
	}
}
