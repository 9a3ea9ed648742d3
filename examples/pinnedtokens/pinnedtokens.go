// Package pinnedtokens is an example of an adapter: it takes the tokens of an
// issuer whose public key is known beforehand, for a network that the issuer
// cannot be reached from.
package pinnedtokens

import (
	"context"
	"crypto/rsa"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Issuer is who signs the tokens that are taken.
type Issuer struct {
	Name     string // the iss of its tokens
	Audience string // whom they must be for
	KeyID    string
	Key      *rsa.PublicKey
	Scope    string // one that they must have
}

// Tokens verifies tokens of one issuer. It is the adapter.
type Tokens struct {
	issuer Issuer
	parser *jwt.Parser
}

// That it is one is checked when it is compiled.
var _ ports.Tokens = (*Tokens)(nil)

// New returns the adapter. What it needs of the outside, such as the clock, is
// given to it: it reads no settings and keeps nothing that is global.
func New(issuer Issuer, clock ports.Clock) *Tokens {
	return &Tokens{issuer, jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer.Name), jwt.WithAudience(issuer.Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(clock.Now))}
}

// claims are those of a token that matter.
type claims struct {
	jwt.RegisteredClaims
	Client string   `json:"cid"`
	Scopes []string `json:"scp"`
}

// longest is how long a token may be. Nobody signs a megabyte.
const longest = 16 << 10

// Verify keeps the promise of ports.Tokens. A foreign error is translated where it
// appears, into the one error type that crosses layers, with words for people.
func (t *Tokens) Verify(_ context.Context, token string) (domain.Grant, error) {
	var c claims
	if len(token) > longest {
		return domain.Grant{}, refuse("The token is too long.", nil)
	}
	_, err := t.parser.ParseWithClaims(token, &c, func(parsed *jwt.Token) (any, error) {
		if parsed.Header["kid"] != t.issuer.KeyID {
			return nil, errors.New("another key")
		}
		return t.issuer.Key, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return domain.Grant{}, refuse("The token has expired.", err)
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return domain.Grant{}, refuse("The token is of another issuer.", err)
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return domain.Grant{}, refuse("The token is for another audience.", err)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return domain.Grant{}, refuse("The token is malformed.", err)
	case err != nil:
		return domain.Grant{}, refuse("The token is not valid.", err)
	case c.Client == "":
		return domain.Grant{}, refuse("The token names no client.", nil)
	}
	for _, scope := range c.Scopes {
		if scope == t.issuer.Scope {
			return domain.Grant{Client: domain.ClientID(c.Client), Scopes: c.Scopes, Expires: c.ExpiresAt.Time}, nil
		}
	}
	return domain.Grant{}, refuse("The token does not have the scope "+t.issuer.Scope+".", nil)
}

// refuse never repeats the token: messages are shown and logged.
func refuse(message string, cause error) error {
	return domain.Errorf(domain.Unauthenticated, "%s", message).WithNext("Get a new token.").Because(cause)
}
