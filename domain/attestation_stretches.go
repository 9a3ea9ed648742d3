package domain

import "slices"

// StretchKind is how attestation stood during a time.
type StretchKind string

// The kinds of stretch.
const (
	ActiveStretch StretchKind = "active"
	GraceStretch  StretchKind = "grace" // none active; re-attesting keeps the data start
	GapStretch    StretchKind = "gap"   // none active; data starts anew afterwards
)

// Stretch is a time during which attestation stood in one way.
type Stretch struct {
	Kind   StretchKind
	From   Date
	To     Date // the last day; up to the day asked about for the one that lasts
	Lasts  bool
	Ending AttestationKind // for grace and gap: how the attestation had ended
}

// Days returns how many days the period has, both ends included.
func (p Stretch) Days() int { return p.To.DaysSince(p.From) + 1 }

// Stretches returns how attestation stood from the first event to a day, without
// holes, in the order of time. A contract that was never attested has none.
func Stretches(events []AttestationEvent, until Date) []Stretch {
	var out []Stretch
	add := func(kind StretchKind, from Date, ending AttestationKind) {
		if n := len(out); n > 0 && out[n-1].Kind == kind && out[n-1].Ending == ending {
			return
		}
		if n := len(out); n > 0 && out[n-1].From == from {
			out = out[:n-1] // what stood for less than a day stood for none
		}
		out = append(out, Stretch{Kind: kind, From: from, Ending: ending})
	}
	all := slices.DeleteFunc(effective(events), func(e AttestationEvent) bool { return e.Effective > until })
	var s Standing
	var ending AttestationKind
	for i, e := range all {
		wasActive := s.Active
		if s = s.after(e); s.DataStart.IsZero() {
			continue
		}
		if s.Active {
			add(ActiveStretch, e.Effective, "")
			continue
		}
		if wasActive { // else there was nothing left to end
			ending = e.Kind
			add(GraceStretch, e.Effective, ending)
		}
		next := until.AddDays(1)
		if i+1 < len(all) {
			next = all[i+1].Effective
		}
		if over := s.Grace.AddDays(1); over < next {
			add(GapStretch, over, ending)
		}
	}
	for i := range out {
		if i+1 < len(out) {
			out[i].To = out[i+1].From.AddDays(-1)
		} else {
			out[i].To, out[i].Lasts = until, true
		}
	}
	return out
}
