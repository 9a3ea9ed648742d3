package domain_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cms.gov/ab2d/domain"
)

func periods(until domain.Date, events ...domain.AttestationEvent) []string {
	var out []string
	for _, p := range domain.Stretches(events, until) {
		out = append(out, fmt.Sprintf("%s %s %s %v", p.Kind, p.From, p.To, p.Lasts))
	}
	return out
}

func TestPeriodsTellActiveGraceAndGap(t *testing.T) {
	event := func(kind domain.AttestationKind, on domain.Date) domain.AttestationEvent {
		return domain.AttestationEvent{ID: fmt.Sprint(kind, on), Kind: kind, Effective: on, Attestor: domain.Attestor{Name: "Ada", Office: "CFO"}}
	}
	attested, removed := event(domain.Attest, 2021_03_02), event(domain.Remove, 2023_01_01)
	for _, part := range []struct {
		name  string
		until domain.Date
		in    []domain.AttestationEvent
		want  []string
	}{
		{"never", 2026_01_01, nil, nil},
		{"active", 2021_03_03, []domain.AttestationEvent{attested}, []string{"active 2021-03-02 2021-03-03 true"}},
		{"on the last day of grace", 2023_01_11, []domain.AttestationEvent{attested, removed}, []string{"active 2021-03-02 2022-12-31 false", "grace 2023-01-01 2023-01-11 true"}},
		{"a day later", 2023_01_12, []domain.AttestationEvent{attested, removed}, []string{"active 2021-03-02 2022-12-31 false", "grace 2023-01-01 2023-01-11 false", "gap 2023-01-12 2023-01-12 true"}},
		{"back in time", 2023_02_01, []domain.AttestationEvent{attested, removed, event(domain.Reattest, 2023_01_11)},
			[]string{"active 2021-03-02 2022-12-31 false", "grace 2023-01-01 2023-01-10 false", "active 2023-01-11 2023-02-01 true"}},
		{"ended on the day it began", 2021_03_02, []domain.AttestationEvent{attested, event(domain.Lapse, 2021_03_02)}, []string{"grace 2021-03-02 2021-03-02 true"}},
	} {
		if got := periods(part.until, part.in...); !slices.Equal(got, part.want) {
			t.Errorf("%s: %q, want %q", part.name, got, part.want)
		}
	}
}

// Each day belongs to the one period that the standing of that day says.
func TestPeriodsAgreeWithTheStandingOfEachDay(t *testing.T) {
	kinds := []domain.AttestationKind{domain.Attest, domain.AddAttestor, domain.Lapse, domain.Remove, domain.EndUnknown, domain.Reattest}
	rapid.Check(t, func(t *rapid.T) {
		start := domain.Date(2022_12_01)
		var events []domain.AttestationEvent
		for i := range rapid.IntRange(0, 7).Draw(t, "events") {
			events = append(events, domain.AttestationEvent{ID: fmt.Sprint(i), Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Effective: start.AddDays(rapid.IntRange(0, 60).Draw(t, "day")),
				Attestor: domain.Attestor{Name: rapid.SampledFrom([]string{"Ada", "Bo"}).Draw(t, "who"), Office: "CEO"}})
		}
		until := start.AddDays(90)
		all := domain.Stretches(events, until)
		for day := start; day <= until; day = day.AddDays(1) {
			s := domain.StandingOn(events, day)
			want := domain.StretchKind("")
			switch {
			case s.Active:
				want = domain.ActiveStretch
			case !s.DataStart.IsZero() && day <= s.Grace:
				want = domain.GraceStretch
			case !s.DataStart.IsZero():
				want = domain.GapStretch
			}
			got := domain.StretchKind("")
			for _, p := range all {
				if p.From <= day && day <= p.To {
					if got != "" {
						t.Fatalf("%s is in two periods: %+v", day, all)
					}
					got = p.Kind
				}
			}
			if got != want {
				t.Fatalf("%s is %q, the standing says %q: %+v of %+v", day, got, want, all, events)
			}
		}
	})
}
