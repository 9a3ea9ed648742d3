// Package okta verifies the access tokens of an Okta authorization server, or of
// any other issuer that works alike: signed JWTs, and keys where its discovery
// document says.
package okta

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings say whose tokens are good.
type Settings struct {
	Issuer      string // as it stands in tokens
	Audience    string
	Scope       string // that a token must have
	ClientClaim string // that names the client; cid if empty

	// Outlive is how long keys count while the issuer is away; 24 h if zero.
	Outlive time.Duration
	Pace    time.Duration // least time between two fetches of keys; 1 s if zero
	Client  *http.Client  // nil for the usual one
	Log     *slog.Logger
}

// Tokens implements ports.Tokens.
type Tokens struct {
	ports.Tokens
	issuer string
	keys   *jwks.Remote
	log    *slog.Logger
}

// remembered is how many verified tokens are known at most: more than there are
// clients, since each has one or two.
const remembered = 10_000

// New returns the verifier. It works without Keep, only that requests then wait
// for keys.
func New(s Settings, clock ports.Clock) *Tokens {
	if s.Outlive == 0 {
		s.Outlive = 24 * time.Hour
	}
	keys := jwks.NewRemote(jwks.RemoteSettings{Issuer: s.Issuer, Outlive: s.Outlive, Pace: s.Pace, Client: s.Client, Now: clock.Now})
	verifier := jwks.NewVerifier(jwks.VerifierSettings{Issuer: s.Issuer, Audience: s.Audience, Scope: s.Scope, ClientClaim: s.ClientClaim,
		Keys: keys.Find, Now: clock.Now})
	return &Tokens{Tokens: jwks.Remember(verifier, clock.Now, remembered), issuer: s.Issuer, keys: keys, log: s.Log}
}

// Keep keeps the issuer's keys fresh until ctx ends.
func (t *Tokens) Keep(ctx context.Context) {
	t.keys.Refresh(ctx, func(err error) {
		if err != nil {
			t.log.WarnContext(ctx, "the token issuer's keys cannot be fetched; those that are known go on counting", "issuer", t.issuer, "error", err)
		} else {
			t.log.InfoContext(ctx, "the token issuer's keys can be fetched again", "issuer", t.issuer)
		}
	})
}

// TokenURL is where Okta hands out tokens.
func TokenURL(issuer string) string { return strings.TrimRight(issuer, "/") + "/v1/token" }

// Scope is that of the developer guide.
const Scope = domain.AllScope
