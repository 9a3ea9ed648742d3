package domain

import (
	"fmt"
	"slices"
	"strings"
)

// ListedContract is what HPMS says of one contract: whose it is, and whether it
// is attested. HPMS names no attestor and no kind of ending.
type ListedContract struct {
	Number     ContractNumber
	Name       string
	ParentID   string // of the parent organization
	ParentName string

	// Known is false when HPMS lists the contract and does not say how it stands.
	Known    bool
	Attested bool
	Since    Date // the attestation date; zero when there is none
	Ends     Date // the end date; zero when there is none

	Enrolled int // people enrolled, by HPMS's own count; 0 when it does not say
	Eligible int // of them eligible for Medicare
}

// SponsorOf returns the id that a parent organization of HPMS has as a sponsor here.
func SponsorOf(parent string) SponsorID { return SponsorID("hpms-" + parent) }

// IsListed reports whether the sponsor is an organization of HPMS.
func (id SponsorID) IsListed() bool { return strings.HasPrefix(string(id), "hpms-") }

// Reasons that events from HPMS carry. What HPMS does not say, staff complete.
const (
	beganByHPMS    = "HPMS lists the contract as attested; attestor not known."
	backByHPMS     = "HPMS lists the contract as attested again; attestor not known."
	correctedBy    = "HPMS gives %s as the attestation date instead of %s; its date counts."
	endedByHPMS    = "HPMS no longer lists the contract as attested; ending not classified."
	unlistedByHPMS = "HPMS no longer lists the contract; ending not classified."
)

// Follow returns the event that brings a contract's history in line with what
// HPMS says on a day, and false when none is needed or HPMS does not say enough.
// HPMS's date is authoritative: data starts on it, whatever the rules make of
// an ending whose kind nobody knows.
func (l ListedContract) Follow(events []AttestationEvent, today Date) (AttestationEvent, bool) {
	e := AttestationEvent{Contract: l.Number, Source: FromHPMS}
	s := StandingOn(events, today)
	switch {
	case !l.Known, l.Attested && (l.Since.IsZero() || l.Since > today):
		return e, false
	case !l.Attested && s.Active:
		e.Kind, e.Effective, e.Reason = EndUnknown, today, endedByHPMS
		if l.Ends > last(events, today, AttestationKind.Begins) && l.Ends <= today {
			e.Effective = l.Ends
		}
		if again, ok := reattestedOn(events, today); ok {
			// It counts after an ending of its day, so it is the one that has to go.
			e.Kind, e.Effective, e.Corrects = Correct, 0, again.ID
		}
	case !l.Attested:
		return e, false
	case s.DataStart.IsZero() && !hasBegun(events):
		e.Kind, e.Effective, e.Reason = Attest, l.Since, beganByHPMS
	case !s.Active:
		// When it was attested again is not known: on its date when that is after
		// the ending, else it is noticed today.
		e.Kind, e.Effective, e.DataStart, e.Reason = Reattest, today, l.Since, backByHPMS
		if l.Since > s.DataStart && l.Since >= last(events, today, AttestationKind.Ends) {
			e.Effective = l.Since
		}
	case s.DataStart != l.Since:
		old, ok := startedBy(events, today)
		if !ok {
			return e, false
		}
		e.Kind, e.Corrects, e.CorrectedKind, e.Attestor = Correct, old.ID, old.Kind, old.Attestor
		e.Effective, e.DataStart, e.Reason = old.Effective, l.Since, fmt.Sprintf(correctedBy, l.Since, s.DataStart)
		if old.Kind == Attest {
			e.Effective, e.DataStart = l.Since, 0
		}
	default:
		return e, false
	}
	return e, true
}

// Unlisted returns the event for a contract that HPMS listed before and lists
// no longer, and false when nothing is active that could end.
func Unlisted(n ContractNumber, events []AttestationEvent, today Date) (AttestationEvent, bool) {
	e, ok := ListedContract{Number: n, Known: true}.Follow(events, today)
	e.Reason = unlistedByHPMS
	return e, ok
}

func hasBegun(events []AttestationEvent) bool {
	return slices.ContainsFunc(effective(events), func(e AttestationEvent) bool { return e.Kind.Begins() })
}

// last is the day of the latest event of some kinds, up to a day.
func last(events []AttestationEvent, on Date, is func(AttestationKind) bool) (day Date) {
	for _, e := range effective(events) {
		if is(e.Kind) && e.Effective <= on {
			day = e.Effective
		}
	}
	return day
}

func reattestedOn(events []AttestationEvent, on Date) (AttestationEvent, bool) {
	for _, e := range effective(events) {
		if e.Kind == Reattest && e.Effective == on {
			return e, true
		}
	}
	return AttestationEvent{}, false
}

// AsCorrected returns an event of a history as its corrections have it, and false
// when there is none of that id, or it was struck out.
func AsCorrected(events []AttestationEvent, id string) (AttestationEvent, bool) {
	all := effective(events)
	i := slices.IndexFunc(all, func(e AttestationEvent) bool { return e.ID == id })
	if i < 0 {
		return AttestationEvent{}, false
	}
	return all[i], true
}

// Incomplete returns the events of a history, as corrected, of which HPMS does not
// say everything: how an attestation ended, or who attested.
func Incomplete(events []AttestationEvent) (open []AttestationEvent) {
	for _, e := range effective(events) {
		if e.Kind == EndUnknown || e.Kind.Begins() && e.Attestor.Name == "" {
			open = append(open, e)
		}
	}
	return open
}

// startedBy returns the event, as corrected, that gave the data start of a day.
func startedBy(events []AttestationEvent, on Date) (start AttestationEvent, ok bool) {
	var s Standing
	for _, e := range effective(events) {
		if e.Effective > on {
			break
		}
		before := s.DataStart
		if s = s.after(e); s.DataStart != before || e.DataStart != 0 {
			start, ok = e, true
		}
	}
	return start, ok
}

// Guard decides whether a change that takes something from many is believed.
type Guard struct {
	Share float64 // of those who have it now; a larger drop is held for a person
}

// Holds reports whether a drop is more than the guard lets through: all of it
// gone, or more than the share and more than one.
func (g Guard) Holds(before, dropped int) bool {
	return dropped > 1 && (dropped == before || float64(dropped) > g.Share*float64(before))
}
