package ports

import (
	"context"
	"errors"
	"time"

	"cms.gov/ab2d/domain"
)

// Claims is where claims come from: the Beneficiary FHIR Data server, a folder
// of NDJSON, or the synthetic Medicare of the sandbox. It answers with claims
// as that source has them, before any rule of ours; the source leaves out what
// it knows to be 42 CFR Part 2 data, and we check again.
//
// Both methods are safe for concurrent use, and many readers are open at once.
type Claims interface {
	// CompleteThrough returns the instant up to which the source vouches to
	// have every claim. It may lie behind the present (a lagging replica), and
	// it may go backwards from one call to the next.
	CompleteThrough(ctx context.Context) (time.Time, error)

	// Read starts to read one enrollee's claims. A person that the source does
	// not know is a reader without claims when the source can tell "none" from
	// "cannot say", and a not_found error otherwise. Errors that may pass are
	// coded unavailable. The caller closes the reader.
	Read(ctx context.Context, q ClaimsQuery) (ClaimReader, error)
}

// ErrAway is in the chain of an error that is nobody's in particular: the source
// does not answer at all, or hardly. Who reads waits until it is back (the error
// says in RetryAfter when to look) and holds it against nobody.
var ErrAway = errors.New("the claims source as a whole is away")

// ClaimsQuery asks for the claims of one enrollee.
type ClaimsQuery struct {
	Version domain.FHIRVersion
	Patient domain.PatientID

	// The bounds below let a source send less. A source may ignore them, and
	// whoever reads decides claim by claim all the same.
	UpdatedFrom    time.Time   // no claim last updated before it is needed; zero for no bound
	UpdatedThrough time.Time   // nor after it; zero for no bound
	ServedFrom     domain.Date // nor any whose billable period ends before it; zero for no bound

	// On whose behalf, for sources that want to be told.
	Contract domain.ContractNumber
	Job      domain.JobID
}

// ClaimReader streams the claims of one enrollee, over as many pages as the
// source takes. It is used by one goroutine.
type ClaimReader interface {
	// Next returns the next ExplanationOfBenefit as the source sent it, valid
	// until the following call, and io.EOF after the last claim of the last
	// page. Any other error means that what was read so far is not the whole:
	// the caller throws it away and asks again from the start.
	Next() ([]byte, error)

	// AsOf returns the instant as of which the whole answer stands: the
	// earliest of its pages. It is known once Next has returned io.EOF.
	AsOf() time.Time

	Close() error
}

// OpenClaimReader is a ClaimReader of a source that could find the end of a claim
// only by going over all of it. It lets who reads the claim find it on the way.
type OpenClaimReader interface {
	ClaimReader

	// Begun returns what has come of the next claim, from its first byte on:
	// perhaps less than the claim, perhaps more than it. It has more bytes than
	// beyond, which is for who asks again because the claim was not all there.
	// It is valid until the following call, and nil when it takes Next to say
	// what comes.
	Begun(beyond int) []byte

	// Ended tells that the claim is the first n bytes of what Begun has just
	// returned, so that Next and Begun go on behind it. Who says so has seen
	// that they are one JSON object.
	Ended(n int)
}
