// Package eob holds the rules for one claim, an ExplanationOfBenefit: which
// claims may leave, and what of each may leave. Claims are handled as the
// bytes that the source sent; nothing here builds a tree of a claim.
package eob

import (
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// ClaimType is the kind of a claim, from the coding of ExplanationOfBenefit.type
// whose system ends in "eob-type".
type ClaimType uint8

// The seven Part A and B types, which are an allow list, and two that are kept
// apart only to say why a claim stayed behind.
const (
	UnknownType ClaimType = iota
	Carrier
	DME
	HHA
	Hospice
	Inpatient
	Outpatient
	SNF
	PartD
)

// String returns the code that the source uses for the type.
func (t ClaimType) String() string {
	return [...]string{"unknown", "CARRIER", "DME", "HHA", "HOSPICE", "INPATIENT", "OUTPATIENT", "SNF", "PDE"}[t]
}

// Shared reports whether the type is one of the seven that may leave.
func (t ClaimType) Shared() bool { return t >= Carrier && t <= SNF }

// ParseClaimType reads the code of a type that may leave, in upper or lower case.
func ParseClaimType(code string) (ClaimType, bool) {
	t := typeOf([]byte(strings.ToUpper(code)))
	return t, t.Shared()
}

// Status is ExplanationOfBenefit.status.
type Status uint8

// The statuses, which are the same in STU3 and R4. NoStatus stands for any other
// too, and for a claim that is trimmed for an export which does not ask.
const (
	NoStatus Status = iota
	Active
	Cancelled
	Draft
	EnteredInError
)

var statuses = [...]string{"", "active", "cancelled", "draft", "entered-in-error"}

// String returns the code of the status.
func (s Status) String() string { return statuses[s] }

// ParseStatus reads the code of a status.
func ParseStatus(code string) (Status, bool) {
	s := statusOf([]byte(code))
	return s, s != NoStatus
}

func statusOf(code []byte) Status {
	for s := Active; s <= EnteredInError; s++ {
		if s.String() == string(code) {
			return s
		}
	}
	return NoStatus
}

// Facts is what a claim is decided by. The byte slices hold texts free of
// escapes: they point into the raw claim, or into a copy where it has escapes.
type Facts struct {
	ID          []byte
	Type        ClaimType
	Status      Status        // only of a Trimmer WithStatus
	Period      domain.Period // billablePeriod; zero when an end of it is missing
	Patient     []byte        // the id in patient.reference, without "Patient/"
	LastUpdated time.Time     // meta.lastUpdated; zero when there is none
	Restricted  bool          // 42 CFR Part 2 data, by a label in meta.security or by a listed code
}
