package sandboxauth

import (
	"context"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/domain"
)

var errForeignKey = errors.New("the key is not one of ours")

// reasons says what was wrong with a token, the first that applies.
var reasons = []struct {
	err  error
	text string
}{
	{errForeignKey, "The token was signed with a key that is not this issuer's."},
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
func (i *Issuer) Verify(_ context.Context, token string) (domain.ClientID, error) {
	if len(token) > tokenLimit {
		return "", refuse("The token is too long.")
	}
	var c claims
	if _, err := i.parser.ParseWithClaims(token, &c, i.publicKey); err != nil {
		for _, r := range reasons {
			if errors.Is(err, r.err) {
				return "", refuse(r.text).Because(err)
			}
		}
		return "", refuse("The token is not valid.").Because(err)
	}
	switch {
	case c.Client == "" || c.Subject == "":
		return "", refuse("The token does not say which client it was issued to.")
	case c.Client != c.Subject:
		return "", refuse("The token names two clients.")
	case !slices.Contains(c.Scopes, Scope):
		return "", refuse("The token does not have the scope " + Scope + ".")
	}
	return domain.ClientID(c.Client), nil
}

func refuse(why string) *domain.Error {
	return domain.Errorf(domain.Unauthenticated, "%s", why).WithNext("Get a new token from the token endpoint and send it in the header Authorization: Bearer <token>.")
}
