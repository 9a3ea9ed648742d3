package pinnedtokens_test

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/examples/pinnedtokens"
	"cms.gov/ab2d/ports/porttest"
)

type clock time.Time

func (c clock) Now() time.Time { return time.Time(c) }

// The suite of the port is the test. The harness says how to make tokens as the
// issuer makes them.
func TestTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	issuer := pinnedtokens.Issuer{Name: "https://tokens.example.org", Audience: "AB2D", KeyID: "one", Key: &key.PublicKey, Scope: domain.AllScope}
	porttest.Tokens(t, func(t *testing.T) porttest.TokenHarness {
		return porttest.TokenHarness{Tokens: pinnedtokens.New(issuer, clock(now)), Key: key, KeyID: issuer.KeyID, Issuer: issuer.Name,
			Audience: issuer.Audience, Scope: issuer.Scope, Client: "sponsor-one", Now: now}
	})
}
