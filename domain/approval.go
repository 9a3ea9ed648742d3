package domain

import (
	"crypto/rand"
	"time"
)

// PairedAction is something that may need two people: one who asks for it, and
// another who approves.
type PairedAction string

// The actions that a site may have two people for.
const (
	PairRevoke   PairedAction = "attestation.revoke"   // a lapse, a removal, or striking an attestation out
	PairBackdate PairedAction = "attestation.backdate" // effective on an earlier day than the one it is recorded on
	PairClient   PairedAction = "client.create"
)

// PairedActions are all of them.
var PairedActions = []PairedAction{PairRevoke, PairBackdate, PairClient}

// ApprovalState is what became of a request for approval.
type ApprovalState string

// The states of a request. Only one that waits can be decided.
const (
	ApprovalWaiting ApprovalState = "waiting"
	ApprovalGiven   ApprovalState = "approved"
	ApprovalDenied  ApprovalState = "denied"
	ApprovalExpired ApprovalState = "expired"
)

// ApprovalLife is how long a request waits for somebody to decide.
const ApprovalLife = 72 * time.Hour

// Approval is something that one person asked for and another has to approve
// before it is done.
type Approval struct {
	ID      string
	Action  PairedAction
	Does    string // what is done, as the audit trail calls it
	Target  string // on what
	Needs   Permission
	Says    string            // in words
	Request map[string]string // what is to be done, for whoever does it
	Reason  Reason
	By      Staff // who asked
	AskedAt time.Time
	EndsAt  time.Time

	State     ApprovalState
	DecidedBy Staff
	DecidedAt time.Time
	Note      string // why it was decided so
	Result    string // what came of it
}

// NewApprovalID returns a random id.
func NewApprovalID() string { return rand.Text()[:16] }

// At returns the request as it stands at a time: one that nobody decided in time
// has expired, whether or not that was marked.
func (a Approval) At(at time.Time) Approval {
	if a.State == ApprovalWaiting && !at.Before(a.EndsAt) {
		a.State = ApprovalExpired
	}
	return a
}

// Decide ends a request that waits. It fails with a conflict for any other, and
// with a business_rule for the one who asked, whatever their roles.
func (a *Approval) Decide(state ApprovalState, who Staff, at time.Time, note string) error {
	switch {
	case a.State != ApprovalWaiting:
		return Errorf(Conflict, "The request is %s already.", a.State).WithNext("Look at what waits now.")
	case !at.Before(a.EndsAt):
		return Errorf(Conflict, "The request has expired: nobody decided it within 72 hours.").WithNext("Ask for it again.")
	case a.By.ID == who.ID && state == ApprovalGiven:
		return Errorf(BusinessRule, "Who asks for something cannot approve it.").WithNext("Somebody else with the same permission has to.")
	}
	a.State, a.DecidedBy, a.DecidedAt, a.Note = state, who, at, note
	return nil
}
