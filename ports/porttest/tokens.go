package porttest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// TokenHarness is what the suite needs to try an adapter of ports.Tokens: the
// means to sign tokens as its issuer does. For an adapter of a remote issuer
// that is a stand-in which serves the public part of Key.
type TokenHarness struct {
	Tokens   ports.Tokens
	Key      *rsa.PrivateKey // a key that the issuer signs with now
	KeyID    string
	Issuer   string
	Audience string
	Scope    string          // one that a token must have, and that lets it read claims
	Client   domain.ClientID // whom the suite's tokens are for
	Now      time.Time       // by the adapter's clock
}

// unsignedToken is a token before it is signed.
type unsignedToken struct {
	header, claims map[string]any
	key            *rsa.PrivateKey
}

// Tokens runs the conformance suite of ports.Tokens.
func Tokens(t *testing.T, newHarness func(t *testing.T) TokenHarness) {
	t.Run("a good token", func(t *testing.T) {
		h := newHarness(t)
		h.accepts(t, h.token().signed(t))
	})
	t.Run("a good token again and again, also at once", func(t *testing.T) {
		h := newHarness(t)
		good := h.token().signed(t)
		for range 8 {
			go func() { _, _ = h.Tokens.Verify(t.Context(), good) }()
			h.accepts(t, good)
		}
	})
	t.Run("several audiences, ours among them", func(t *testing.T) {
		h := newHarness(t)
		h.accepts(t, h.token().with("aud", []string{"somebody", h.Audience}).signed(t))
	})
	t.Run("no claim about when it was issued", func(t *testing.T) {
		h := newHarness(t)
		h.accepts(t, h.token().with("iat", nil).signed(t))
	})
	for _, bad := range badTokens {
		t.Run(bad.name, func(t *testing.T) {
			h := newHarness(t)
			h.refuses(t, bad.make(t, h))
		})
	}
	t.Run("a message that tells one refusal from another", func(t *testing.T) {
		h := newHarness(t)
		seen := map[string]string{}
		for name, bad := range map[string]string{
			"expired":        h.token().at("exp", h.Now.Add(-time.Hour)).signed(t),
			"other issuer":   h.token().with("iss", "https://issuer.example.com").signed(t),
			"other audience": h.token().with("aud", "somebody").signed(t),
			"malformed":      "not a token",
			"foreign key":    h.token().by(t, foreignKey(t)).signed(t),
		} {
			message := h.refuses(t, bad)
			if other, ok := seen[message]; ok {
				t.Errorf("%s and %s are refused in the same words: %s", name, other, message)
			}
			seen[message] = name
		}
	})
}

// badTokens must all be refused as unauthenticated.
var badTokens = []struct {
	name string
	make func(t *testing.T, h TokenHarness) string
}{
	{"an empty token", func(*testing.T, TokenHarness) string { return "" }},
	{"a word", func(*testing.T, TokenHarness) string { return "letmein" }},
	{"dots alone", func(*testing.T, TokenHarness) string { return ".." }},
	{"parts that are not Base64", func(*testing.T, TokenHarness) string { return "%%%.%%%.%%%" }},
	{"parts that are not JSON", func(*testing.T, TokenHarness) string {
		return tokenText("{") + "." + tokenText("[") + "." + tokenText("x")
	}},
	{"claims that are not an object", func(t *testing.T, h TokenHarness) string {
		return h.token().seal(t, []byte("7"))
	}},
	{"a huge token", func(t *testing.T, h TokenHarness) string {
		return h.token().with("padding", strings.Repeat("x", 1<<20)).signed(t)
	}},
	{"no signature", func(t *testing.T, h TokenHarness) string {
		return strings.Join(strings.Split(h.token().signed(t), ".")[:2], ".") + "."
	}},
	{"a signature cut short", func(t *testing.T, h TokenHarness) string {
		good := h.token().signed(t)
		return good[:len(good)-8]
	}},
	{"claims changed after signing", func(t *testing.T, h TokenHarness) string {
		parts := strings.Split(h.token().signed(t), ".")
		other := strings.Split(h.token().with("sub", "somebody").with("cid", "somebody").signed(t), ".")
		return parts[0] + "." + other[1] + "." + parts[2]
	}},
	{"the algorithm none", func(t *testing.T, h TokenHarness) string {
		tok := h.token()
		tok.header["alg"] = "none"
		return strings.Join(strings.Split(tok.signed(t), ".")[:2], ".") + "."
	}},
	{"the algorithm none in capitals, with a signature", func(t *testing.T, h TokenHarness) string {
		tok := h.token()
		tok.header["alg"] = "NONE"
		return tok.signed(t)
	}},
	{"a shared secret made of the public key", func(t *testing.T, h TokenHarness) string {
		tok := h.token()
		tok.header["alg"] = "HS256"
		public, err := x509.MarshalPKIXPublicKey(&h.Key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		signed := tok.signingInput(t)
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}},
	{"an algorithm that is not the issuer's", func(t *testing.T, h TokenHarness) string {
		tok := h.token()
		tok.header["alg"] = "PS256"
		return tok.signed(t)
	}},
	{"a foreign key under its own name", func(t *testing.T, h TokenHarness) string {
		tok := h.token().by(t, foreignKey(t))
		tok.header["kid"] = "foreign"
		return tok.signed(t)
	}},
	{"a foreign key under the issuer's name", func(t *testing.T, h TokenHarness) string {
		return h.token().by(t, foreignKey(t)).signed(t)
	}},
	{"a key that the token brings along", func(t *testing.T, h TokenHarness) string {
		key := foreignKey(t)
		tok := h.token().by(t, key)
		tok.header["kid"] = "mine"
		tok.header["jwk"] = map[string]string{"kty": "RSA", "kid": "mine", "e": "AQAB",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes())}
		return tok.signed(t)
	}},
	{"another issuer", func(t *testing.T, h TokenHarness) string {
		return h.token().with("iss", "https://issuer.example.com").signed(t)
	}},
	{"an issuer that only begins like ours", func(t *testing.T, h TokenHarness) string {
		return h.token().with("iss", h.Issuer+"x").signed(t)
	}},
	{"no issuer", func(t *testing.T, h TokenHarness) string { return h.token().with("iss", nil).signed(t) }},
	{"another audience", func(t *testing.T, h TokenHarness) string { return h.token().with("aud", "somebody").signed(t) }},
	{"no audience", func(t *testing.T, h TokenHarness) string { return h.token().with("aud", nil).signed(t) }},
	{"expired", func(t *testing.T, h TokenHarness) string { return h.token().at("exp", h.Now.Add(-time.Hour)).signed(t) }},
	{"no end", func(t *testing.T, h TokenHarness) string { return h.token().with("exp", nil).signed(t) }},
	{"an end that is not a number", func(t *testing.T, h TokenHarness) string { return h.token().with("exp", "tomorrow").signed(t) }},
	{"not valid yet", func(t *testing.T, h TokenHarness) string { return h.token().at("nbf", h.Now.Add(time.Hour)).signed(t) }},
	{"issued in the future", func(t *testing.T, h TokenHarness) string {
		return h.token().at("iat", h.Now.Add(time.Hour)).at("exp", h.Now.Add(2*time.Hour)).signed(t)
	}},
	{"no client", func(t *testing.T, h TokenHarness) string {
		return h.token().with("sub", nil).with("cid", nil).signed(t)
	}},
	{"an empty client", func(t *testing.T, h TokenHarness) string {
		return h.token().with("sub", "").with("cid", "").signed(t)
	}},
	{"another scope", func(t *testing.T, h TokenHarness) string {
		if h.Scope == "" {
			return ""
		}
		return h.token().with("scp", []string{"other"}).signed(t)
	}},
}

func (h TokenHarness) token() unsignedToken {
	claims := map[string]any{
		"ver": 1, "jti": "AT.conformance", "iss": h.Issuer, "aud": h.Audience, "iat": h.Now.Unix(), "exp": h.Now.Add(time.Hour).Unix(),
		"cid": h.Client, "sub": h.Client,
	}
	if h.Scope != "" {
		claims["scp"] = []string{h.Scope}
	}
	return unsignedToken{map[string]any{"alg": "RS256", "typ": "JWT", "kid": h.KeyID}, claims, h.Key}
}

func (h TokenHarness) accepts(t *testing.T, token string) {
	t.Helper()
	got, err := h.Tokens.Verify(t.Context(), token)
	if err != nil || got.Client != h.Client {
		t.Errorf("Verify = %+v, %v; want %q", got, err, h.Client)
	}
	if want := h.Now.Add(time.Hour).Truncate(time.Second); err == nil && (!got.Expires.Equal(want) || !got.Scopes.Reads("ExplanationOfBenefit")) {
		t.Errorf("the token is for %v until %s, want claims, until %s", got.Scopes, got.Expires, want)
	}
}

func (h TokenHarness) refuses(t *testing.T, bad string) string {
	t.Helper()
	got, err := h.Tokens.Verify(t.Context(), bad)
	if got.Client != "" || got.Scopes != nil || domain.CodeOf(err) != domain.Unauthenticated {
		t.Errorf("Verify = %+v, %v; want unauthenticated", got, err)
		return ""
	}
	e, ok := err.(*domain.Error)
	if !ok || e.Message == "" {
		t.Errorf("%v tells nobody what is wrong", err)
		return ""
	}
	if len(bad) > 8 && strings.Contains(e.Message, bad) {
		t.Errorf("the message repeats the token: %s", e.Message)
	}
	return e.Message
}

// with returns the token with a claim changed, or left out for nil.
func (k unsignedToken) with(claim string, value any) unsignedToken {
	k.claims = maps.Clone(k.claims)
	if k.claims[claim] = value; value == nil {
		delete(k.claims, claim)
	}
	return k
}

func (k unsignedToken) at(claim string, at time.Time) unsignedToken { return k.with(claim, at.Unix()) }

func (k unsignedToken) by(t *testing.T, key *rsa.PrivateKey) unsignedToken {
	t.Helper()
	k.key = key
	return k
}

func (k unsignedToken) signed(t *testing.T) string {
	t.Helper()
	return k.seal(t, tokenPart(t, k.claims))
}

func (k unsignedToken) signingInput(t *testing.T) string {
	t.Helper()
	return tokenText(string(tokenPart(t, k.header))) + "." + tokenText(string(tokenPart(t, k.claims)))
}

// seal signs any payload with RS256, whatever the header says.
func (k unsignedToken) seal(t *testing.T, payload []byte) string {
	t.Helper()
	input := tokenText(string(tokenPart(t, k.header))) + "." + tokenText(string(payload))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func foreignKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func tokenPart(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tokenText(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
