package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Listing is where CMS says which organizations hold which contracts, and which
// of them are attested: HPMS.
type Listing interface {
	// Contracts returns everything that is listed, by contract number. It is all
	// or an error: one coded unavailable when asking again may help, else the
	// adapter's own. A contract about whose attestation nothing is said is not
	// Known. Whether an empty list can be true is not the source's to judge.
	Contracts(ctx context.Context) ([]domain.ListedContract, error)
}

// Holds keeps what sources upstream brought and nobody has believed yet.
type Holds interface {
	// Put adds or replaces the hold.
	Put(ctx context.Context, h domain.Hold) error

	// Get returns the hold so that no other unit of work changes it before this
	// one ends, or not_found.
	Get(ctx context.Context, id string) (domain.Hold, error)

	// Find returns the holds of a kind and a state, the oldest first. An empty
	// kind or state does not narrow.
	Find(ctx context.Context, kind domain.HoldKind, state domain.HoldState) ([]domain.Hold, error)
}

// Errands are what an installation does again and again, each by one process at
// a time. Time is the store's own clock.
type Errands interface {
	// Take gives the errand to the caller for length. It fails with a conflict
	// while somebody else has it or, unless the caller insists, while it rests.
	Take(ctx context.Context, name string, insist bool, length time.Duration) (token string, err error)

	// Keep extends it to length from now. It fails with a conflict when it was
	// not ended in time and may have gone to another.
	Keep(ctx context.Context, name, token string, length time.Duration) error

	// End gives it back, to rest for as long as told. One that is lost already is
	// ended by that.
	End(ctx context.Context, name, token string, rest time.Duration) error

	// Wake has an errand rest no longer.
	Wake(ctx context.Context, name string) error
}

// Enrollment is where CMS says who is enrolled in which contract in which
// month: BFD.
type Enrollment interface {
	// Page returns some of the people enrolled in a contract in a month, from the
	// cursor on, which is empty at first. A page may be empty and yet not be the
	// last. Errors that may pass are coded unavailable.
	Page(ctx context.Context, n domain.ContractNumber, m domain.Month, cursor string) (EnrollmentPage, error)
}

// EnrollmentPage is one page of people.
type EnrollmentPage struct {
	People []EnrolledPerson
	Next   string // the cursor of the next page; empty after the last
}

// EnrolledPerson is one person on a page. Some have no current MBI.
type EnrolledPerson struct {
	Patient domain.PatientID
	IDs     domain.Identifiers
}

// Intakes holds how far the enrollment of each contract has been taken in.
type Intakes interface {
	// Get returns a contract's intake, an empty one where there is none.
	Get(ctx context.Context, n domain.ContractNumber) (domain.Intake, error)
	// Put adds or replaces it.
	Put(ctx context.Context, in domain.Intake) error
	// List returns all, by contract number.
	List(ctx context.Context) ([]domain.Intake, error)
}

// Gathering keeps people beside the enrollment of a contract until all have
// come. It identifies people, so nothing of it is logged.
type Gathering interface {
	// Add gathers people: a person's months are added to those gathered before,
	// and the MBIs take the place of the former. Adding the same again changes
	// nothing.
	Add(ctx context.Context, n domain.ContractNumber, people []domain.Enrollee) error
	// After returns those gathered whose ids come after the given one, in the byte
	// order of ids, at most limit of them.
	After(ctx context.Context, n domain.ContractNumber, after domain.PatientID, limit int) ([]domain.Enrollee, error)
	// Clear forgets all of the contract.
	Clear(ctx context.Context, n domain.ContractNumber) error
}
