// Package sandboxauth is the token issuer of the sandbox. It has the shape of
// the Okta authorization server that the guide of 2019 names, and everybody
// knows its clients' secrets; for the rest it is our own issuer.
package sandboxauth

import (
	"context"
	"net/netip"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/smartauth"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Path is where the issuer lies below the public URL. The id is that of the
// authorization server in the guide of 2019.
const Path = "/oauth2/aus2r7y3gdaFMKBol297"

// TokenPath is where tokens are asked for.
const TokenPath = Path + "/v1/token"

// Scope is that of the guide.
const Scope = domain.AllScope

// lifetime is how long a token for a secret holds; the guide says an hour.
const lifetime = time.Hour

// New returns the issuer. from tells where a request came from; nil for the
// connection's other end.
func New(ctx context.Context, publicURL string, from func(*fiber.Ctx) netip.Addr, secrets ports.Secrets, clients *credentials.UseCase, clock ports.Clock) (*smartauth.Issuer, error) {
	return smartauth.New(ctx, smartauth.Settings{PublicURL: publicURL, Path: Path, SecretLifetime: lifetime, KeyName: "sandbox-signing-key", From: from}, secrets, clients, clock)
}
