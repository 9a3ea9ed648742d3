package domain_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

func event(kind domain.AttestationKind, on domain.Date, who string) domain.AttestationEvent {
	return domain.AttestationEvent{ID: fmt.Sprint(kind, on, who), Contract: "S0001", Kind: kind, Effective: on,
		Attestor: domain.Attestor{Name: who, Office: "CFO"}, Recorded: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func TestStandingOn(t *testing.T) {
	attested := event(domain.Attest, 2020_03_10, "Ada")
	history := func(events ...domain.AttestationEvent) []domain.AttestationEvent {
		return append([]domain.AttestationEvent{attested}, events...)
	}
	for _, tc := range []struct {
		name   string
		events []domain.AttestationEvent
		on     domain.Date
		active bool
		start  domain.Date
		grace  domain.Date
	}{
		{"never attested", nil, 2026_01_01, false, 0, 0},
		{"the day before", history(), 2020_03_09, false, 0, 0},
		{"the day itself", history(), 2020_03_10, true, 2020_03_10, 0},
		{"lapsed", history(event(domain.Lapse, 2021_05_01, "Ada")), 2021_05_01, false, 2020_03_10, 2023_05_01},
		{"lapsed on a leap day", history(event(domain.Lapse, 2024_02_29, "Ada")), 2024_03_01, false, 2020_03_10, 2026_03_01},
		{"back on the last day of two years", history(event(domain.Lapse, 2021_05_01, "Ada"), event(domain.Reattest, 2023_05_01, "Bo")), 2023_05_01, true, 2020_03_10, 0},
		{"back a day later", history(event(domain.Lapse, 2021_05_01, "Ada"), event(domain.Reattest, 2023_05_02, "Bo")), 2023_05_02, true, 2023_05_02, 0},
		{"removed, back on day 10", history(event(domain.Remove, 2021_05_01, "Ada"), event(domain.Reattest, 2021_05_11, "Ada")), 2021_05_11, true, 2020_03_10, 0},
		{"removed, back on day 11", history(event(domain.Remove, 2021_05_01, "Ada"), event(domain.Reattest, 2021_05_12, "Ada")), 2021_05_12, true, 2021_05_12, 0},
		{"ended, not known how: the shorter grace", history(event(domain.EndUnknown, 2021_05_01, "Ada")), 2021_06_01, false, 2020_03_10, 2021_05_11},
		{"one of two leaves", history(event(domain.AddAttestor, 2020_06_01, "Bo"), event(domain.Lapse, 2021_05_01, "Ada")), 2021_05_01, true, 2020_03_10, 0},
		{"an ending that names nobody known ends all", history(event(domain.EndUnknown, 2021_05_01, "")), 2021_05_01, false, 2020_03_10, 2021_05_11},
		{"replaced on the same day", history(event(domain.Lapse, 2021_05_01, "Ada"), event(domain.AddAttestor, 2021_05_01, "Bo")), 2021_05_01, true, 2020_03_10, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := domain.StandingOn(tc.events, tc.on)
			if got.Active != tc.active || got.DataStart != tc.start || got.Grace != tc.grace {
				t.Errorf("active %v, data start %v, grace %v; want %v, %v, %v", got.Active, got.DataStart, got.Grace, tc.active, tc.start, tc.grace)
			}
			if got.Active == (len(got.Attestors) == 0) {
				t.Errorf("active %v with attestors %v", got.Active, got.Attestors)
			}
		})
	}
}

func TestACorrectionReplacesOrRemovesAnEvent(t *testing.T) {
	attested, lapsed := event(domain.Attest, 2020_03_10, "Ada"), event(domain.Lapse, 2021_05_01, "Ada")
	correct := func(kind domain.AttestationKind, on domain.Date, recorded int) domain.AttestationEvent {
		return domain.AttestationEvent{ID: fmt.Sprint("correction", recorded), Kind: domain.Correct, Corrects: lapsed.ID, CorrectedKind: kind,
			Effective: on, Attestor: lapsed.Attestor, Recorded: time.Date(2022, 1, recorded, 0, 0, 0, 0, time.UTC)}
	}
	if s := domain.StandingOn([]domain.AttestationEvent{attested, lapsed, correct("", 0, 1)}, 2022_06_01); !s.Active {
		t.Error("an ending that was struck out still counts")
	}
	later := []domain.AttestationEvent{attested, lapsed, correct("", 0, 1), correct(domain.Remove, 2021_06_01, 2)}
	if s := domain.StandingOn(later, 2022_06_01); s.Active || s.Grace != 2021_06_11 {
		t.Errorf("the correction recorded last does not count: %+v", s)
	}
}

func TestStandingDoesNotDependOnTheOrderOfRecording(t *testing.T) {
	kinds := []domain.AttestationKind{domain.Attest, domain.AddAttestor, domain.Lapse, domain.Remove, domain.EndUnknown, domain.Reattest}
	rapid.Check(t, func(t *rapid.T) {
		var events []domain.AttestationEvent
		for i := range rapid.IntRange(0, 8).Draw(t, "events") {
			e := event(rapid.SampledFrom(kinds).Draw(t, "kind"), domain.Date(2020_01_01).AddDays(rapid.IntRange(0, 1500).Draw(t, "day")),
				rapid.SampledFrom([]string{"Ada", "Bo", ""}).Draw(t, "who"))
			e.ID = fmt.Sprint(i)
			events = append(events, e)
		}
		on := domain.Date(2020_01_01).AddDays(rapid.IntRange(0, 1600).Draw(t, "on"))
		want := domain.StandingOn(events, on)
		shuffled := append([]domain.AttestationEvent(nil), events...)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := domain.StandingOn(shuffled, on); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v in another order gives %+v", want, got)
		}
	})
}

// drawHistory draws a history without corrections.
func drawHistory(t *rapid.T) (events []domain.AttestationEvent) {
	kinds := []domain.AttestationKind{domain.Attest, domain.AddAttestor, domain.Lapse, domain.Remove, domain.EndUnknown, domain.Reattest}
	for i := range rapid.IntRange(0, 10).Draw(t, "events") {
		// Crowded enough that graces are met and missed by a day.
		e := event(rapid.SampledFrom(kinds).Draw(t, "kind"), domain.Date(2020_02_25).AddDays(rapid.IntRange(0, 40).Draw(t, "day")+731*rapid.IntRange(0, 1).Draw(t, "later")),
			rapid.SampledFrom([]string{"Ada", "Bo", ""}).Draw(t, "who"))
		e.ID = fmt.Sprint(i)
		events = append(events, e)
	}
	return events
}

// Looked at day by day, a standing moves only as the rules allow.
func TestAStandingMovesOnlyAsTheRulesAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawHistory(t)
		on := map[domain.Date][]domain.AttestationKind{}
		for _, e := range events {
			on[e.Effective] = append(on[e.Effective], e.Kind)
		}
		begins := func(d domain.Date) bool {
			for _, k := range on[d] {
				if k == domain.Attest || k == domain.AddAttestor || k == domain.Reattest {
					return true
				}
			}
			return false
		}
		before := domain.Standing{}
		for d := domain.Date(2020_02_20); d < 2022_05_01; d = d.AddDays(1) {
			now := domain.StandingOn(events, d)
			switch {
			case now.Active != (len(now.Attestors) > 0):
				t.Fatalf("%v: active %v with %v", d, now.Active, now.Attestors)
			case now.Active && !now.Grace.IsZero(), !now.Active && !now.DataStart.IsZero() && now.Grace < d.AddDays(-800):
				t.Fatalf("%v: grace %v while active %v", d, now.Grace, now.Active)
			case len(on[d]) == 0 && !reflect.DeepEqual(now, before):
				t.Fatalf("%v: moved without an event from %+v to %+v", d, before, now)
			case now.DataStart < before.DataStart:
				t.Fatalf("%v: data starts earlier than before: %v, %v", d, now.DataStart, before.DataStart)
			case now.DataStart != before.DataStart && (now.DataStart != d || !begins(d)):
				t.Fatalf("%v: data starts on %v without anybody attesting", d, now.DataStart)
			case now.DataStart != before.DataStart && !before.DataStart.IsZero() && !before.Active && d <= before.Grace && len(on[d]) == 1:
				t.Fatalf("%v: re-attested within the grace until %v, and yet data starts anew", d, before.Grace)
			case now.Active && !before.Active && !begins(d):
				t.Fatalf("%v: active without anybody attesting", d)
			case now.Active && !before.Active && d > before.Grace && now.DataStart != d:
				t.Fatalf("%v: re-attested after the grace until %v, and data still starts on %v", d, before.Grace, now.DataStart)
			}
			before = now
		}
	})
}

// What is entitled to follows the standing: nothing that ended before the data
// start ever leaves, whoever is enrolled.
func TestNothingThatEndedBeforeTheDataStartIsCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := domain.Date(2020_02_25).AddDays(rapid.IntRange(0, 800).Draw(t, "on"))
		standing := domain.StandingOn(drawHistory(t), d)
		always := domain.MonthSet("").With(domain.NewMonth(2006, 1), domain.NewMonth(2030, 12))
		e := domain.Entitlement{Months: always, From: standing.From(domain.EarliestServed)}
		p := domain.Period{End: domain.Date(2019_01_01).AddDays(rapid.IntRange(0, 1400).Draw(t, "end"))}
		p.Start = p.End.AddDays(-rapid.IntRange(0, 400).Draw(t, "length"))
		shared := !standing.DataStart.IsZero() && p.End >= standing.DataStart && p.End >= domain.EarliestServed
		if e.Covers(p) != shared {
			t.Fatalf("claim %v with data from %v: covered %v", p, standing.DataStart, !shared)
		}
	})
}

func TestTheZoneOfAClockDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1577836800, 1900000000).Draw(t, "instant"), 0)
		zone := time.FixedZone("", rapid.IntRange(-12*3600, 14*3600).Draw(t, "offset"))
		if domain.Today(at.In(zone)) != domain.Today(at.UTC()) {
			t.Fatalf("another day in another zone at %s", at.UTC())
		}
	})
}
