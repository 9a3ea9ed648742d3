package jwks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/domain"
)

// tokenLimit is how long a token may be; usual ones have about 1 KiB.
const tokenLimit = 8 << 10

// leeway is for clocks that differ.
const leeway = 30 * time.Second

// Finder finds the key of that name for an algorithm, as Remote does. It returns
// ErrUnknownKey for none, and a domain error for what is to be told as it is.
type Finder func(ctx context.Context, id, algorithm string) (Key, error)

// VerifierSettings say what a good token looks like.
type VerifierSettings struct {
	Issuer      string
	Audience    string
	Algorithms  []string // RS256 if none
	ClientClaim string   // that names the client; cid if empty. A sub beside it must be the same
	Scope       string   // that a token must have; empty for any that there is here
	Keys        Finder
	Now         func() time.Time
}

// Verifier verifies access tokens. It implements ports.Tokens.
type Verifier struct {
	s      VerifierSettings
	parser *jwt.Parser
}

// NewVerifier returns a verifier.
func NewVerifier(s VerifierSettings) *Verifier {
	if len(s.Algorithms) == 0 {
		s.Algorithms = []string{"RS256"}
	}
	if s.ClientClaim == "" {
		s.ClientClaim = "cid"
	}
	return &Verifier{s, jwt.NewParser(jwt.WithValidMethods(s.Algorithms), jwt.WithTimeFunc(s.Now), jwt.WithLeeway(leeway),
		jwt.WithIssuer(s.Issuer), jwt.WithAudience(s.Audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())}
}

// reasons says what was wrong with a token, the first that applies.
var reasons = []struct {
	err  error
	text string
}{
	{ErrUnknownKey, "The token was signed with a key that is not this issuer's."},
	{jwt.ErrTokenMalformed, "The token is malformed."},
	{jwt.ErrTokenUnverifiable, "The token cannot be verified."},
	{jwt.ErrTokenSignatureInvalid, "The token's signature is not valid."},
	{jwt.ErrTokenInvalidIssuer, "The token is of another issuer."},
	{jwt.ErrTokenInvalidAudience, "The token is for another audience."},
	{jwt.ErrTokenExpired, "The token has expired."},
	{jwt.ErrTokenNotValidYet, "The token is not valid yet."},
	{jwt.ErrTokenUsedBeforeIssued, "The token was issued in the future."},
	{jwt.ErrTokenRequiredClaimMissing, "The token lacks a claim that it must have."},
}

// Verify implements ports.Tokens.
func (v *Verifier) Verify(ctx context.Context, token string) (domain.Grant, error) {
	if len(token) > tokenLimit {
		return domain.Grant{}, refuse("The token is too long.")
	}
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) { return v.key(ctx, t) }); err != nil {
		if told := (*domain.Error)(nil); errors.As(err, &told) {
			return domain.Grant{}, told
		}
		if ctx.Err() != nil {
			return domain.Grant{}, ctx.Err()
		}
		for _, r := range reasons {
			if errors.Is(err, r.err) {
				return domain.Grant{}, refuse(r.text).Because(err)
			}
		}
		return domain.Grant{}, refuse("The token is not valid.").Because(err)
	}
	client, _ := claims[v.s.ClientClaim].(string)
	subject, hasSubject := claims["sub"]
	g := domain.Grant{Client: domain.ClientID(client), Scopes: scopes(claims)}
	if until, err := claims.GetExpirationTime(); err == nil && until != nil {
		g.Expires = until.Time
	}
	switch {
	case client == "" || hasSubject && subject == "":
		return domain.Grant{}, refuse("The token does not say which client it was issued to.")
	case hasSubject && subject != client:
		return domain.Grant{}, refuse("The token names two clients.")
	case v.s.Scope != "" && !slices.Contains(g.Scopes, v.s.Scope):
		return domain.Grant{}, refuse("The token does not have the scope " + v.s.Scope + ".")
	case !slices.ContainsFunc(g.Scopes, func(s string) bool { _, err := domain.GrantScopes([]string{s}); return err == nil }) && v.s.Scope == "":
		return domain.Grant{}, refuse("The token has no scope of this service.")
	}
	return g, nil
}

func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, jwt.ErrTokenUnverifiable // RFC 7515, section 4.1.11
	}
	id, _ := t.Header["kid"].(string)
	key, err := v.s.Keys(ctx, id, t.Method.Alg())
	return key.Public, err
}

// scopes are a list in Okta's tokens, and a text in those of RFC 9068.
func scopes(c jwt.MapClaims) (all domain.Scopes) {
	switch scp := c["scp"].(type) {
	case []any:
		for _, one := range scp {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
	case string:
		all = strings.Fields(scp)
	}
	if scope, ok := c["scope"].(string); ok {
		all = append(all, strings.Fields(scope)...)
	}
	return all
}

func refuse(why string) *domain.Error {
	return domain.Errorf(domain.Unauthenticated, "%s", why).WithNext("Get a new token from the token endpoint and send it in the header Authorization: Bearer <token>.")
}
