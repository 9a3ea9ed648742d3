package domain_test

import (
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"pgregory.net/rapid"
)

const today = domain.Date(2026_03_02)

func staff(kind domain.AttestationKind, on domain.Date, who string) domain.AttestationEvent {
	e := event(kind, on, who)
	e.Source, e.ID = domain.FromStaff, "new"
	if who == "" {
		e.Attestor = domain.Attestor{}
	}
	return e
}

func TestWhatMayBeAddedToAHistory(t *testing.T) {
	attested := event(domain.Attest, 2020_03_10, "Ada")
	lapsed := event(domain.Lapse, 2025_01_10, "Ada")
	never, active, ended := []domain.AttestationEvent(nil), []domain.AttestationEvent{attested}, []domain.AttestationEvent{attested, lapsed}
	correct := func(id string, kind domain.AttestationKind, on domain.Date, who string) domain.AttestationEvent {
		e := staff(domain.Correct, on, who)
		e.Corrects, e.CorrectedKind = id, kind
		return e
	}
	hpms := func(kind domain.AttestationKind, on domain.Date) domain.AttestationEvent {
		e := staff(kind, on, "")
		e.Source = domain.FromHPMS
		return e
	}
	clerk := staff(domain.Attest, 2020_03_10, "Ada")
	clerk.Attestor.Office = "clerk"
	for _, tc := range []struct {
		name   string
		events []domain.AttestationEvent
		e      domain.AttestationEvent
		want   domain.Code
	}{
		{"the first attestation", never, staff(domain.Attest, 2020_03_10, "Ada"), ""},
		{"of today", never, staff(domain.Attest, today, "Ada"), ""},
		{"of tomorrow", never, staff(domain.Attest, today+1, "Ada"), domain.Invalid},
		{"of no day", never, staff(domain.Attest, 0, "Ada"), domain.Invalid},
		{"by nobody", never, staff(domain.Attest, 2020_03_10, ""), domain.Invalid},
		{"by nobody, as HPMS has it", never, hpms(domain.Attest, 2020_03_10), ""},
		{"by somebody who may not", never, clerk, domain.Invalid},
		{"a second first attestation", active, staff(domain.Attest, 2021_01_01, "Bo"), domain.BusinessRule},
		{"one before the first", active, staff(domain.Attest, 2019_01_01, "Bo"), domain.BusinessRule},
		{"another attestor", active, staff(domain.AddAttestor, 2021_01_01, "Bo"), ""},
		{"the same attestor", active, staff(domain.AddAttestor, 2021_01_01, "Ada"), domain.BusinessRule},
		{"another attestor of what ended", ended, staff(domain.AddAttestor, 2025_02_01, "Bo"), domain.BusinessRule},
		{"a lapse", active, staff(domain.Lapse, 2021_01_01, "Ada"), ""},
		{"a lapse of all", active, staff(domain.Lapse, 2021_01_01, ""), ""},
		{"a lapse of somebody else", active, staff(domain.Lapse, 2021_01_01, "Bo"), domain.BusinessRule},
		{"a lapse before it was attested", active, staff(domain.Lapse, 2020_01_01, "Ada"), domain.BusinessRule},
		{"a lapse of what ended", ended, staff(domain.Lapse, 2025_02_01, "Ada"), domain.BusinessRule},
		{"an ending without a kind", active, staff(domain.EndUnknown, 2021_01_01, ""), domain.Invalid},
		{"an ending without a kind, as HPMS has it", active, hpms(domain.EndUnknown, 2021_01_01), ""},
		{"a re-attestation", ended, staff(domain.Reattest, 2025_02_01, "Bo"), ""},
		{"a re-attestation of what is active", active, staff(domain.Reattest, 2025_02_01, "Bo"), domain.BusinessRule},
		{"a re-attestation of what never was", never, staff(domain.Reattest, 2025_02_01, "Bo"), domain.BusinessRule},
		{"an ending classified", ended, correct(lapsed.ID, domain.Remove, 2025_01_10, "Ada"), ""},
		{"an attestor filled in", active, correct(attested.ID, domain.Attest, 2020_03_10, "Cy"), ""},
		{"an event struck out", ended, correct(lapsed.ID, "", 0, ""), ""},
		{"a correction of nothing", ended, correct("none", domain.Lapse, 2025_01_10, ""), domain.Invalid},
		{"an ending that becomes a beginning", ended, correct(lapsed.ID, domain.Reattest, 2025_01_10, "Ada"), domain.BusinessRule},
		{"a correction to what is to come", ended, correct(lapsed.ID, domain.Lapse, today+1, ""), domain.Invalid},
		{"no kind", active, staff("", 2021_01_01, "Ada"), domain.Invalid},
	} {
		err := domain.CheckAttestation(tc.events, tc.e, today)
		if domain.CodeOf(err) != tc.want {
			t.Errorf("%s: %v, want code %q", tc.name, err, tc.want)
		}
	}
}

// Whatever is let in moves the standing of its day as its kind says.
func TestWhatIsLetInDoesWhatItSays(t *testing.T) {
	kinds := []domain.AttestationKind{domain.Attest, domain.AddAttestor, domain.Lapse, domain.Remove, domain.Reattest}
	rapid.Check(t, func(t *rapid.T) {
		events := drawHistory(t)
		e := staff(rapid.SampledFrom(kinds).Draw(t, "new"), domain.Date(2020_02_25).AddDays(rapid.IntRange(0, 900).Draw(t, "on")),
			rapid.SampledFrom([]string{"Ada", "Bo", "Cy"}).Draw(t, "new who"))
		if domain.CheckAttestation(events, e, today) != nil {
			return
		}
		before, after := domain.StandingOn(events, e.Effective), domain.StandingOn(append(events, e), e.Effective)
		switch {
		case e.Kind.Begins() && !after.Active:
			t.Fatalf("%s leaves it inactive: %+v, %+v", e.Kind, before, after)
		case e.Kind.Ends() && len(after.Attestors) >= len(before.Attestors) && !reattestedThatDay(events, e.Effective):
			t.Fatalf("%s ends nobody: %+v, %+v", e.Kind, before, after)
		}
	})
}

func reattestedThatDay(events []domain.AttestationEvent, on domain.Date) bool {
	for _, e := range events {
		if e.Kind == domain.Reattest && e.Effective == on {
			return true
		}
	}
	return false
}

func TestDaysLeftAndWords(t *testing.T) {
	history := []domain.AttestationEvent{event(domain.Attest, 2021_03_02, "Ada"), event(domain.Remove, 2026_02_25, "Ada")}
	s := domain.StandingOn(history, today)
	if s.Grace != 2026_03_07 || s.DaysLeft(today) != 6 || s.DaysLeft(s.Grace) != 1 || s.DaysLeft(s.Grace.AddDays(1)) != 0 {
		t.Errorf("grace until %s, %d days left on %s", s.Grace, s.DaysLeft(today), today)
	}
	back := domain.StandingOn(append(history, event(domain.Reattest, today, "Bo")), today)
	late := domain.StandingOn(append(history, event(domain.Reattest, 2026_03_08, "Bo")), 2026_03_08)
	for want, got := range map[string]string{
		"goes on from 2021-03-02":      domain.Describe(s, back, today),
		"starts anew on 2026-03-08":    domain.Describe(s, late, 2026_03_08),
		"2026-03-07 keeps 2021-03-02":  domain.Describe(domain.StandingOn(history[:1], today), s, today),
		"starts on 2021-03-02":         domain.Describe(domain.Standing{}, domain.StandingOn(history[:1], today), today),
		"stays as it is":               domain.Describe(s, s, today),
		"counts as never attested":     domain.Describe(back, domain.Standing{}, today),
		"2028-02-25 instead of 2026-0": domain.Describe(s, domain.Standing{DataStart: s.DataStart, Grace: 2028_02_25}, today),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

// A job that was planned with an earlier data start than the history now gives
// holds what may not leave.
func TestAJobPlannedWithAnEarlierStartIsClosed(t *testing.T) {
	j := domain.NewExportJob(domain.ExportJobState{ID: "j"})
	open := domain.Standing{Active: true, DataStart: 2020_03_10}
	if !open.Opens(j, "S0001") {
		t.Error("a job that is not planned is closed")
	}
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	if err := j.Begin(at, at, []domain.ContractPlan{{Contract: "S0001", From: 2020_03_10}}); err != nil {
		t.Fatal(err)
	}
	if !open.Opens(j, "S0001") {
		t.Error("a job of the same start is closed")
	}
	if (domain.Standing{Active: true, DataStart: 2022_01_01}).Opens(j, "S0001") {
		t.Error("a job of an earlier start is open")
	}
	if (domain.Standing{DataStart: 2020_03_10}).Opens(j, "S0001") {
		t.Error("a job is open while nobody attests")
	}
}
