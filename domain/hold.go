package domain

import "time"

// Hold is a change that a source upstream brought and that was not believed: it
// waits for a person, and what was in force before stays in force.
type Hold struct {
	ID       string
	Kind     HoldKind
	Contract ContractNumber // whose enrollment; empty for HPMS
	At       time.Time
	Reason   string           // in plain words
	Ends     []ContractNumber // for HPMS: whose attestation would end
	Before   int              // contracts attested, or people enrolled, before
	Dropped  int              // of them who would not be any more

	State   HoldState
	Decided time.Time
	By      Actor
	Note    string // why it was decided so
}

// HoldKind says what a hold is about.
type HoldKind string

// What can be held.
const (
	HeldListing    HoldKind = "hpms"
	HeldEnrollment HoldKind = "enrollment"
)

// HoldState is what became of a hold.
type HoldState string

// The states of a hold. Only one that waits can be decided.
const (
	HoldWaiting    HoldState = "waiting"
	HoldReleased   HoldState = "released"   // the change may be taken over
	HoldRejected   HoldState = "rejected"   // it may not
	HoldSuperseded HoldState = "superseded" // the source has said something else since
)

// Decide ends a hold that waits. It fails with a conflict for any other.
func (h *Hold) Decide(state HoldState, at time.Time, by Actor, note string) error {
	if h.State != HoldWaiting {
		return Errorf(Conflict, "This is %s already.", h.State).WithNext("Look at what waits now.")
	}
	h.State, h.Decided, h.By, h.Note = state, at, by, note
	return nil
}
