package domain

import (
	"cmp"
	"slices"
	"time"
)

// Attestor is the officer (CEO, CFO or COO) who attests for a sponsor that it
// may receive claims. The zero Attestor means "not known": HPMS gives dates only.
type Attestor struct {
	Name   string
	Office string
}

// AttestationKind is what an attestation event says.
type AttestationKind string

// The kinds of event. An ending is a lapse (the attestor left), a removal (by
// hand in HPMS), or one whose kind is not known yet.
const (
	Attest      AttestationKind = "attest"
	AddAttestor AttestationKind = "add_attestor"
	Lapse       AttestationKind = "lapse"
	Remove      AttestationKind = "remove"
	EndUnknown  AttestationKind = "end"
	Reattest    AttestationKind = "reattest"
	Correct     AttestationKind = "correct"
)

// Time to re-attest and keep the original data start, from the attestation
// page of the AB2D production access guide: two years after a lapse, ten days
// after a manual removal. An ending not yet classified gets the shorter one.
const (
	lapseGraceYears  = 2
	removalGraceDays = 10
)

// AttestationEvent is one entry of a contract's attestation history. Events
// are only ever added; a wrong one is corrected by another.
type AttestationEvent struct {
	ID        string
	Contract  ContractNumber
	Kind      AttestationKind
	Attestor  Attestor
	Effective Date
	DataStart Date // as HPMS gives it, whose date is authoritative; zero where the rules decide
	Recorded  time.Time
	Source    string // FromHPMS or FromStaff
	Actor     Actor
	Reason    string

	// For Correct: the event that was wrong, and what it should have said.
	// CorrectedKind is empty when the event should not be there at all; else
	// the corrected event has that kind and this event's date and attestor.
	Corrects      string
	CorrectedKind AttestationKind
}

// Standing is what a contract's attestation history says on a date.
type Standing struct {
	Active    bool
	Attestors []Attestor // the active ones, by name
	DataStart Date       // claims are served from here on; zero when never attested
	Grace     Date       // when not active: the last day to re-attest and keep DataStart
}

// From returns the first day served to a contract that stands like this: the
// data start, but nothing before the earliest date served; zero for none.
func (s Standing) From(earliest Date) Date {
	if s.DataStart.IsZero() {
		return 0
	}
	return max(s.DataStart, earliest)
}

// StandingOn returns how a contract stands on a date after its events. The
// answer depends on the events and the date alone, not on the order in which
// the events were recorded.
func StandingOn(events []AttestationEvent, on Date) Standing {
	var s Standing
	for _, e := range effective(events) {
		if e.Effective > on {
			break
		}
		s = s.after(e)
	}
	return s
}

// KnownAt returns the events that had been recorded at t.
func KnownAt(events []AttestationEvent, t time.Time) []AttestationEvent {
	return slices.DeleteFunc(slices.Clone(events), func(e AttestationEvent) bool { return e.Recorded.After(t) })
}

// effective applies the corrections and puts the rest in order of effect. Of
// several corrections of one event the one recorded last counts.
func effective(events []AttestationEvent) []AttestationEvent {
	corrections := map[string]AttestationEvent{}
	for _, e := range events {
		if prior, ok := corrections[e.Corrects]; e.Kind == Correct &&
			(!ok || cmp.Or(e.Recorded.Compare(prior.Recorded), cmp.Compare(e.ID, prior.ID)) > 0) {
			corrections[e.Corrects] = e
		}
	}
	var out []AttestationEvent
	for _, e := range events {
		if e.Kind == Correct {
			continue
		}
		if c, ok := corrections[e.ID]; ok {
			if c.CorrectedKind == "" {
				continue
			}
			e.Kind, e.Attestor, e.Effective, e.DataStart = c.CorrectedKind, c.Attestor, c.Effective, cmp.Or(c.DataStart, e.DataStart)
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b AttestationEvent) int {
		return cmp.Or(cmp.Compare(a.Effective, b.Effective), cmp.Compare(a.Kind.rank(), b.Kind.rank()), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// rank orders events of one day: who attests comes before who leaves, and a
// re-attestation answers an ending of the same day.
func (k AttestationKind) rank() int {
	return slices.Index([]AttestationKind{Attest, AddAttestor, Lapse, Remove, EndUnknown, Reattest}, k)
}

func (s Standing) after(e AttestationEvent) Standing {
	switch e.Kind {
	case Attest, AddAttestor, Reattest:
		if !s.Active && (s.DataStart.IsZero() || e.Effective > s.Grace) {
			s.DataStart = e.Effective
		}
		s.DataStart = cmp.Or(e.DataStart, s.DataStart)
		others := slices.DeleteFunc(slices.Clone(s.Attestors), func(a Attestor) bool { return a == e.Attestor })
		s.Attestors = append(others, e.Attestor)
		slices.SortFunc(s.Attestors, func(a, b Attestor) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Office, b.Office)) })
		s.Active, s.Grace = true, 0
	case Lapse, Remove, EndUnknown:
		if !s.Active {
			return s
		}
		// An ending that names nobody known ends them all: when in doubt nothing leaves.
		left := slices.DeleteFunc(slices.Clone(s.Attestors), func(a Attestor) bool { return a == e.Attestor })
		if len(left) > 0 && len(left) < len(s.Attestors) {
			s.Attestors = left
			return s
		}
		s.Attestors, s.Active, s.Grace = nil, false, e.Effective.AddDays(removalGraceDays)
		if e.Kind == Lapse {
			s.Grace = e.Effective.AddYears(lapseGraceYears)
		}
	}
	return s
}
