package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Tokens verifies the bearer tokens of sponsors' clients.
type Tokens interface {
	// Verify returns what a token says: the client that it was issued to, what it
	// is for and until when it holds. For a token that is
	// malformed, forged, expired, of another issuer or for another audience it
	// returns unauthenticated, with a message that says which; when keys cannot
	// be had, unavailable. Whether the client exists and is enabled is not its
	// business.
	Verify(ctx context.Context, token string) (domain.Grant, error)
}

// Secrets keeps a few random values that all processes of one installation
// share, such as the sandbox's signing key.
type Secrets interface {
	// Ensure returns the value kept under name. When there is none it keeps what
	// mint returns; of several processes that do so at once the first wins and
	// all get its value.
	Ensure(ctx context.Context, name string, mint func() ([]byte, error)) ([]byte, error)

	// Forget removes every value whose name begins with prefix, except those
	// named. That there is none to remove is no error.
	Forget(ctx context.Context, prefix string, except ...string) error
}

// KeySets knows which public keys of clients are of use.
type KeySets interface {
	// CheckKeys returns an invalid error that says what is wrong with a JWK Set
	// (RFC 7517) unless it holds at least one key that assertions in RS384 or
	// ES384 can be verified with, each with a kid of its own, and nothing secret.
	CheckKeys(set string) error
}

// Assertions remembers the signed assertions that clients proved themselves
// with, for all processes together, so that none counts twice.
type Assertions interface {
	// Use remembers an assertion by its issuer and id until the time. It returns
	// a conflict when it is remembered already; of several that use one at once
	// only the first does not get that.
	Use(ctx context.Context, issuer domain.ClientID, id string, until time.Time) error
}

// Limits bounds how often something is done, by all processes together.
type Limits interface {
	// Take takes n of what key has under the rate, and returns zero; or it takes
	// nothing and returns how long to wait until there are as many. Taking none
	// only looks: it waits for one. A key that nobody took from for a while has
	// all that the rate allows at once. Keys are up to 200 bytes long.
	Take(ctx context.Context, key string, n int, r domain.Rate) (wait time.Duration, err error)
}
