// Package smartauth is a token issuer of our own, for SMART Backend Services: a
// client proves itself with an assertion that it signs (RFC 7523), or with its
// secret, and gets a token that holds for a few minutes. It verifies its own
// tokens too.
package smartauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings say who an issuer is.
type Settings struct {
	PublicURL string // what its address begins with
	Path      string // the rest of its address; /oauth2 if empty
	Audience  string // whom tokens are for; AB2D if empty

	Lifetime       time.Duration // of a token for an assertion; 5 min if zero, as SMART says
	SecretLifetime time.Duration // of one for a secret; the same if zero
	KeyLife        time.Duration // how long a key signs; 30 days if zero
	KeyName        string        // of the keys among the secrets; smart-signing-key if empty

	// From returns the address that a request came from; that of the connection
	// if nil.
	From   func(*fiber.Ctx) netip.Addr
	Client *http.Client // that fetches clients' keys; nil for the usual one
}

// Issuer issues and verifies tokens.
type Issuer struct {
	ports.Tokens
	s       Settings
	url     string
	secrets ports.Secrets
	clients *credentials.UseCase
	clock   ports.Clock
	remotes remotes

	mu   sync.Mutex
	keys map[int64]signing // by the period that they sign in
	seen time.Time         // when a key that is not known was last looked for
}

// signing is a key of ours.
type signing struct {
	private *rsa.PrivateKey
	public  jwk
}

const (
	keyBits    = 2048
	remembered = 10_000 // verified tokens; each client has one or two
)

// New returns the issuer. Its keys are kept in secrets, so that tokens outlive a
// restart and hold in every process.
func New(ctx context.Context, s Settings, secrets ports.Secrets, clients *credentials.UseCase, clock ports.Clock) (*Issuer, error) {
	s.Path, s.Audience, s.KeyName = cmp.Or(s.Path, "/oauth2"), cmp.Or(s.Audience, "AB2D"), cmp.Or(s.KeyName, "smart-signing-key")
	s.Lifetime, s.KeyLife = cmp.Or(s.Lifetime, 5*time.Minute), cmp.Or(s.KeyLife, 30*24*time.Hour)
	s.SecretLifetime = cmp.Or(s.SecretLifetime, s.Lifetime)
	i := &Issuer{s: s, url: strings.TrimRight(s.PublicURL, "/") + s.Path, secrets: secrets, clients: clients, clock: clock, keys: map[int64]signing{},
		remotes: remotes{client: s.Client, now: clock.Now}}
	verifier := jwks.NewVerifier(jwks.VerifierSettings{Issuer: i.url, Audience: s.Audience, Keys: i.find, Now: clock.Now})
	i.Tokens = jwks.Remember(verifier, clock.Now, remembered)
	if _, err := i.key(ctx, i.period(clock.Now())); err != nil {
		return nil, err
	}
	return i, nil
}

// URL is the issuer as it stands in tokens.
func (i *Issuer) URL() string { return i.url }

// TokenURL is where tokens are asked for.
func (i *Issuer) TokenURL() string { return i.url + "/v1/token" }

// A key signs for one period of the clock. All processes know it by the period's
// number, so that they agree without a word, also those whose clocks differ a
// little. The key of the next period is there before it signs, and that of the
// last for as long as its tokens hold.
func (i *Issuer) period(at time.Time) int64 { return at.Unix() / int64(i.s.KeyLife/time.Second) }

// key returns the key of a period and makes it when there is none.
func (i *Issuer) key(ctx context.Context, period int64) (signing, error) {
	return i.load(ctx, period, mintKey)
}

var errNone = errors.New("there is none")

// old returns the key of a period if there is one.
func (i *Issuer) old(ctx context.Context, period int64) (signing, bool, error) {
	k, err := i.load(ctx, period, func() ([]byte, error) { return nil, errNone })
	if errors.Is(err, errNone) {
		return signing{}, false, nil
	}
	return k, err == nil, err
}

func (i *Issuer) load(ctx context.Context, period int64, mint func() ([]byte, error)) (signing, error) {
	i.mu.Lock()
	k, there := i.keys[period]
	i.mu.Unlock()
	if there {
		return k, nil
	}
	kept, err := i.secrets.Ensure(ctx, i.keyName(period), mint)
	if err != nil {
		return signing{}, fmt.Errorf("signing key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(kept)
	if err != nil {
		return signing{}, fmt.Errorf("signing key: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return signing{}, fmt.Errorf("the signing key is a %T", parsed)
	}
	k = signing{private, publicJWK(&private.PublicKey)}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[period] = k
	for p := range i.keys {
		if p < period-2 {
			delete(i.keys, p)
		}
	}
	return k, nil
}

func (i *Issuer) keyName(period int64) string { return fmt.Sprintf("%s/%d", i.s.KeyName, period) }

// Keep sees to the keys until ctx ends: the next is there before it signs, and
// those whose tokens are all over are removed.
func (i *Issuer) Keep(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(max(i.s.KeyLife/20, time.Second))
	defer ticker.Stop()
	for {
		if err := i.turn(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "the signing keys cannot be seen to; those that are there go on counting", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// turn makes the key that is due and removes those that are over. The last one
// stays for the whole of the period after its own: longer than a token holds, and
// than clocks differ.
func (i *Issuer) turn(ctx context.Context) error {
	if _, err := i.published(ctx); err != nil {
		return err
	}
	now := i.period(i.clock.Now())
	return i.secrets.Forget(ctx, i.s.KeyName+"/", i.keyName(now-1), i.keyName(now), i.keyName(now+1))
}

func mintKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// published returns the keys that tokens in force may be signed with, those of
// clocks that go before or behind included.
func (i *Issuer) published(ctx context.Context) ([]signing, error) {
	now := i.clock.Now()
	period := i.period(now)
	current, err := i.key(ctx, period)
	if err != nil {
		return nil, err
	}
	all := []signing{current}
	if last, there, err := i.old(ctx, period-1); err != nil {
		return nil, err
	} else if there {
		all = append(all, last)
	}
	next, there, err := i.old(ctx, period+1)
	if lead := max(i.s.KeyLife/10, time.Second); err == nil && !there && i.period(now.Add(lead)) != period {
		next, err = i.key(ctx, period+1)
		there = true
	}
	if err != nil {
		return nil, err
	}
	if there {
		all = append(all, next)
	}
	return all, nil
}

// find gives the key that a token of ours names.
func (i *Issuer) find(ctx context.Context, id, _ string) (jwks.Key, error) {
	if k, found := i.held(id); found {
		return k, nil
	}
	i.mu.Lock()
	now := time.Now()
	soon := now.Sub(i.seen) < time.Second // whoever makes names up is not to cost much
	i.mu.Unlock()
	if !soon {
		if _, err := i.published(ctx); err != nil {
			return jwks.Key{}, domain.Errorf(domain.Unavailable, "The keys that tokens are verified with cannot be had.").Because(err)
		}
		k, found := i.held(id)
		if found {
			return k, nil
		}
		i.mu.Lock()
		i.seen = now
		i.mu.Unlock()
	}
	return jwks.Key{}, jwks.ErrUnknownKey
}

func (i *Issuer) held(id string) (jwks.Key, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, k := range i.keys {
		if k.public.KeyID == id {
			return jwks.Key{ID: id, Public: &k.private.PublicKey}, true
		}
	}
	return jwks.Key{}, false
}

// claims are those of an Okta access token for client credentials, which
// sponsors know, with the scope of RFC 9068 beside.
type claims struct {
	Version int      `json:"ver"`
	Client  string   `json:"cid"`
	Scopes  []string `json:"scp"`
	jwt.RegisteredClaims
}

// Issue returns a token for a client.
func (i *Issuer) Issue(ctx context.Context, client domain.ClientID, scopes domain.Scopes, lifetime time.Duration) (string, error) {
	now := i.clock.Now()
	key, err := i.key(ctx, i.period(now))
	if err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims{
		Version: 1, Client: string(client), Scopes: scopes,
		RegisteredClaims: jwt.RegisteredClaims{
			ID: "AT." + rand.Text(), Issuer: i.url, Subject: string(client), Audience: jwt.ClaimStrings{i.s.Audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
		},
	})
	t.Header["kid"] = key.public.KeyID
	return t.SignedString(key.private)
}

// jwk is a public RSA key (RFC 7517), named after itself (RFC 7638).
type jwk struct {
	KeyType   string `json:"kty"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	KeyID     string `json:"kid"`
	E         string `json:"e"`
	N         string `json:"n"`
}

func publicJWK(key *rsa.PublicKey) jwk {
	e := strings.TrimLeft(string(binary.BigEndian.AppendUint64(nil, uint64(key.E))), "\x00")
	k := jwk{KeyType: "RSA", Algorithm: "RS256", Use: "sig",
		E: base64.RawURLEncoding.EncodeToString([]byte(e)), N: base64.RawURLEncoding.EncodeToString(key.N.Bytes())}
	canonical, _ := json.Marshal(map[string]string{"e": k.E, "kty": k.KeyType, "n": k.N}) // keys come sorted
	sum := sha256.Sum256(canonical)
	k.KeyID = base64.RawURLEncoding.EncodeToString(sum[:])
	return k
}
