// Package sandboxauth is the token issuer of the sandbox. It has the shape of
// the Okta authorization server that production uses, so that a client written
// against one works with the other, and it verifies its own tokens.
package sandboxauth

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Path is where the issuer lies below the public URL. The id is that of the
// authorization server in the guide of 2019.
const Path = "/oauth2/aus2r7y3gdaFMKBol297"

// TokenPath is where tokens are asked for.
const TokenPath = Path + "/v1/token"

// Scope is the one scope there is.
const Scope = "clientCreds"

// Methods are the ways in which clients authenticate, by their registered names.
var Methods = []string{"client_secret_basic"}

const (
	lifetime   = time.Hour
	leeway     = 30 * time.Second // for clocks that differ
	tokenLimit = 8 << 10          // ours have about 1 KiB
	keyName    = "sandbox-signing-key"
	keyBits    = 2048
)

// Config says who the issuer is and whom it knows.
type Config struct {
	PublicURL   string // what the issuer's address begins with
	Audience    string // whom tokens are for; AB2D if empty
	Credentials []Credential
}

// Credential is what a client identifies itself with.
type Credential struct {
	ID     string
	Secret string
	Client domain.ClientID // whom the tokens are issued to; ID if empty
}

// Issuer issues and verifies tokens.
type Issuer struct {
	url      string
	audience string
	clock    ports.Clock
	known    map[string]registered
	key      *rsa.PrivateKey
	keyID    string
	parser   *jwt.Parser
}

// registered is a credential as it is kept: never the secret itself.
type registered struct {
	secret [sha256.Size]byte
	client domain.ClientID
}

var _ ports.Tokens = (*Issuer)(nil)

// New returns the issuer. Its signing key is made once and kept in secrets, so
// that tokens outlive a restart and hold in every process.
func New(ctx context.Context, cfg Config, secrets ports.Secrets, clock ports.Clock) (*Issuer, error) {
	kept, err := secrets.Ensure(ctx, keyName, mintKey)
	if err != nil {
		return nil, fmt.Errorf("sandbox signing key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(kept)
	if err != nil {
		return nil, fmt.Errorf("sandbox signing key: %w", err)
	}
	signing, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("sandbox signing key is a %T", key)
	}
	i := &Issuer{
		url: strings.TrimRight(cfg.PublicURL, "/") + Path, audience: cmp.Or(cfg.Audience, "AB2D"),
		clock: clock, known: map[string]registered{}, key: signing, keyID: thumbprint(&signing.PublicKey),
	}
	for _, c := range cfg.Credentials {
		i.known[c.ID] = registered{sha256.Sum256([]byte(c.Secret)), cmp.Or(c.Client, domain.ClientID(c.ID))}
	}
	i.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithTimeFunc(clock.Now), jwt.WithLeeway(leeway),
		jwt.WithIssuer(i.url), jwt.WithAudience(i.audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return i, nil
}

func mintKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// thumbprint names a key after itself (RFC 7638).
func thumbprint(key *rsa.PublicKey) string {
	jwk := publicJWK(key)
	canonical, _ := json.Marshal(map[string]string{"e": jwk.E, "kty": jwk.KeyType, "n": jwk.N}) // keys come sorted
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authenticate returns whom the credential belongs to. An unknown id costs as
// much time as a wrong secret.
func (i *Issuer) authenticate(id, secret string) (domain.ClientID, bool) {
	want, known := i.known[id]
	got := sha256.Sum256([]byte(secret))
	same := subtle.ConstantTimeCompare(got[:], want.secret[:]) == 1
	return want.client, known && same
}

// claims are those of an Okta access token for client credentials.
type claims struct {
	Version int      `json:"ver"`
	Client  string   `json:"cid"`
	Scopes  []string `json:"scp"`
	jwt.RegisteredClaims
}

// issue returns a token for a client.
func (i *Issuer) issue(client domain.ClientID) (string, error) {
	now := i.clock.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims{
		Version: 1, Client: string(client), Scopes: []string{Scope},
		RegisteredClaims: jwt.RegisteredClaims{
			ID: "AT." + rand.Text(), Issuer: i.url, Subject: string(client), Audience: jwt.ClaimStrings{i.audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
		},
	})
	t.Header["kid"] = i.keyID
	return t.SignedString(i.key)
}

// publicKey returns the key to check a token with.
func (i *Issuer) publicKey(t *jwt.Token) (any, error) {
	if kid, _ := t.Header["kid"].(string); kid != i.keyID {
		return nil, errForeignKey
	}
	return crypto.PublicKey(&i.key.PublicKey), nil
}
