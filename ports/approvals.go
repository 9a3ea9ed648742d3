package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Approvals holds what one person asked for and another has to approve.
type Approvals interface {
	// Put adds or replaces a request. One that is approved by who asked for it is
	// refused, whatever the caller thinks.
	Put(ctx context.Context, a domain.Approval) error
	// Get returns the request so that no other unit of work changes it before this
	// one ends, or not_found.
	Get(ctx context.Context, id string) (domain.Approval, error)
	// Find returns requests in a state, the latest first, at most limit of them.
	// An empty state does not narrow.
	Find(ctx context.Context, state domain.ApprovalState, limit int) ([]domain.Approval, error)
}

// Onboardings holds how far contracts are on their way to production access.
type Onboardings interface {
	// Put adds or replaces it.
	Put(ctx context.Context, o domain.Onboarding) error
	// Get returns a contract's, an empty one where there is none.
	Get(ctx context.Context, n domain.ContractNumber) (domain.Onboarding, error)
	// List returns all there are, by contract.
	List(ctx context.Context) ([]domain.Onboarding, error)
}

// OneTimeLinks holds secrets on their way to sponsors.
type OneTimeLinks interface {
	// Put keeps a link. Those that ended before now are forgotten on the way.
	Put(ctx context.Context, l domain.OneTimeLink, now time.Time) error
	// Take returns the link and forgets it, so that nobody gets it twice. It
	// returns not_found for none, and for one that ended.
	Take(ctx context.Context, id string, now time.Time) (domain.OneTimeLink, error)
}
