package ports

import (
	"context"

	"cms.gov/ab2d/domain"
)

// Tokens verifies the bearer tokens of sponsors' clients.
type Tokens interface {
	// Verify returns the client that a token was issued to. For a token that is
	// malformed, forged, expired, of another issuer or for another audience it
	// returns unauthenticated, with a message that says which; when keys cannot
	// be had, unavailable. Whether the client exists and is enabled is not its
	// business.
	Verify(ctx context.Context, token string) (domain.ClientID, error)
}

// Secrets keeps a few random values that all processes of one installation
// share, such as the sandbox's signing key.
type Secrets interface {
	// Ensure returns the value kept under name. When there is none it keeps what
	// mint returns; of several processes that do so at once the first wins and
	// all get its value.
	Ensure(ctx context.Context, name string, mint func() ([]byte, error)) ([]byte, error)
}
