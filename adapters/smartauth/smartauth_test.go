package smartauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

const clientID = domain.ClientID("backend")

var (
	rsaKey, _   = rsa.GenerateKey(rand.Reader, 2048)
	otherKey, _ = rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _    = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
)

func set(keys ...jose.JSONWebKey) string {
	b, _ := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	return string(b)
}

func public(id string, key crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: id, Key: key, Use: "sig"}
}

type bundle struct {
	*testing.T
	*Issuer
	store  *memory.Store
	clock  *memory.Clock
	bounds *memory.Bounds
	base   string
}

// setup returns an issuer with one client, whose keys are given by value.
func setup(t *testing.T, change ...func(*domain.Client, *credentials.Settings)) *bundle {
	t.Helper()
	clock := memory.NewClock(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	store, bounds := memory.NewStoreAt(clock.Now), &memory.Bounds{Now: clock.Now}
	c := domain.Client{ID: clientID, Sponsor: "s", Enabled: true, Keys: domain.ClientKeys{Set: set(public("rsa", &rsaKey.PublicKey), public("ec", &ecKey.PublicKey))},
		Secrets: []domain.ClientSecret{{ID: "1", Hash: domain.SecretKey("key").Hash("secret"), CreatedAt: clock.Now()}}, CreatedAt: clock.Now()}
	var s credentials.Settings
	for _, ch := range change {
		ch(&c, &s)
	}
	b := &bundle{T: t, store: store, clock: clock, bounds: bounds}
	b.put(c)
	b.Issuer = b.process(store, s)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	b.Mount(app)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(ln) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	b.base = "http://" + ln.Addr().String()
	return b
}

// process is one more process of the same installation.
func (b *bundle) process(secrets ports.Secrets, s credentials.Settings) *Issuer {
	b.Helper()
	i, err := New(b.Context(), Settings{PublicURL: "https://ab2d.test", KeyLife: 10 * time.Hour}, secrets,
		&credentials.UseCase{Store: b.store, Clock: b.clock, Assertions: b.bounds, Limits: b.bounds, SecretKey: domain.SecretKey("key"), Settings: s}, b.clock)
	if err != nil {
		b.Fatal(err)
	}
	return i
}

func (b *bundle) put(c domain.Client) {
	b.Helper()
	if err := b.store.Do(b.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "s"}); err != nil {
			return err
		}
		return tx.Clients.Put(ctx, c)
	}); err != nil {
		b.Fatal(err)
	}
}

type change func(header, claims map[string]any)

func claim(name string, value any) change {
	return func(_, c map[string]any) {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
}

func header(name string, value any) change {
	return func(h, _ map[string]any) {
		if h[name] = value; value == nil {
			delete(h, name)
		}
	}
}

// assertion is signed as SMART has it, but for what is changed.
func (b *bundle) assertion(method jwt.SigningMethod, key crypto.PrivateKey, kid string, changes ...change) string {
	b.Helper()
	c := map[string]any{"iss": string(clientID), "sub": string(clientID), "aud": "https://ab2d.test/oauth2/v1/token", "jti": rand.Text(),
		"exp": b.clock.Now().Add(4 * time.Minute).Unix(), "iat": b.clock.Now().Unix()}
	h := map[string]any{"kid": kid}
	for _, ch := range changes {
		ch(h, c)
	}
	t := jwt.NewWithClaims(method, jwt.MapClaims(c))
	maps.Copy(t.Header, h)
	for name, value := range h {
		if value == nil {
			delete(t.Header, name)
		}
	}
	signed, err := t.SignedString(key)
	if err != nil {
		b.Fatal(err)
	}
	return signed
}

func (b *bundle) rs384(changes ...change) string {
	return b.assertion(jwt.SigningMethodRS384, rsaKey, "rsa", changes...)
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
}

// ask asks for a token with an assertion, but for what the further form says.
func (b *bundle) ask(assertion string, form ...string) reply {
	b.Helper()
	values := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.read"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	for i := 0; i+1 < len(form); i += 2 {
		if values.Set(form[i], form[i+1]); form[i+1] == "" {
			values.Del(form[i])
		}
	}
	return b.post(values, "")
}

func (b *bundle) post(values url.Values, secret string) reply {
	b.Helper()
	req, err := http.NewRequest(http.MethodPost, b.base+"/oauth2/v1/token", strings.NewReader(values.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth(string(clientID), secret)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header}
	if err := json.Unmarshal(raw, &r.body); err != nil {
		b.Fatalf("%s: %v", raw, err)
	}
	return r
}

func (b *bundle) lets(r reply) {
	b.Helper()
	token, _ := r.body["access_token"].(string)
	g, err := b.Verify(b.Context(), token)
	if r.status != 200 || err != nil || g.Client != clientID {
		b.Errorf("%d %v: %+v, %v", r.status, r.body, g, err)
	}
}

func (b *bundle) refuses(r reply, status int, code string) string {
	b.Helper()
	text, _ := r.body["error_description"].(string)
	if r.status != status || r.body["error"] != code || text == "" || r.header.Get("Cache-Control") != "no-store" {
		b.Errorf("%d %v, want %d %s", r.status, r.body, status, code)
	}
	return text
}

func TestTokens(t *testing.T) {
	b := setup(t)
	porttest.Tokens(t, func(t *testing.T) porttest.TokenHarness {
		k, err := b.key(t.Context(), b.period(b.clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		return porttest.TokenHarness{Tokens: b, Key: k.private, KeyID: k.public.KeyID, Issuer: b.URL(), Audience: "AB2D", Scope: "system/*.rs", Client: clientID, Now: b.clock.Now()}
	})
}

func TestAnAssertionGetsATokenOfFiveMinutes(t *testing.T) {
	b := setup(t)
	for name, assertion := range map[string]string{
		"RS384": b.rs384(), "ES384": b.assertion(jwt.SigningMethodES384, ecKey, "ec"),
		"for the issuer": b.rs384(claim("aud", "https://ab2d.test/oauth2")), "for several": b.rs384(claim("aud", []string{"x", "https://ab2d.test/oauth2/v1/token"})),
		"without iat": b.rs384(claim("iat", nil)), "without typ": b.rs384(header("typ", nil)),
	} {
		r := b.ask(assertion, "scope", "system/ExplanationOfBenefit.rs system/Observation.rs")
		b.lets(r)
		if r.body["expires_in"] != 300.0 || r.body["token_type"] != "Bearer" || r.body["scope"] != "system/ExplanationOfBenefit.rs" {
			t.Errorf("%s: %v", name, r.body)
		}
	}
	b.lets(b.ask(b.rs384(), "client_id", string(clientID)))
	r := b.ask(b.rs384())
	b.clock.Advance(6 * time.Minute)
	if _, err := b.Verify(t.Context(), r.body["access_token"].(string)); domain.CodeOf(err) != domain.Unauthenticated {
		t.Errorf("after six minutes: %v", err)
	}
	b.lets(b.post(url.Values{"grant_type": {"client_credentials"}}, "secret"))
}

func TestAssertionsThatAreRefused(t *testing.T) {
	b := setup(t)
	at := func(d time.Duration) int64 { return b.clock.Now().Add(d).Unix() }
	for name, bad := range map[string]string{
		"nothing that is a JWT":         "x.y.z",
		"another's key":                 b.assertion(jwt.SigningMethodRS384, otherKey, "rsa"),
		"a key that is not registered":  b.assertion(jwt.SigningMethodRS384, otherKey, "other"),
		"a kid of another kind of key":  b.assertion(jwt.SigningMethodRS384, rsaKey, "ec"),
		"RS256":                         b.assertion(jwt.SigningMethodRS256, rsaKey, "rsa"),
		"a secret made of a public key": b.assertion(jwt.SigningMethodHS384, []byte("x"), "rsa"),
		"no algorithm":                  b.assertion(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rsa"),
		"no kid":                        b.rs384(header("kid", nil)),
		"another typ":                   b.rs384(header("typ", "at+jwt")),
		"keys elsewhere":                b.rs384(header("jku", "https://example.com/jwks.json")),
		"keys at no address":            b.rs384(header("jku", 7)),
		"a critical header":             b.rs384(header("crit", []string{"x"})),
		"a key of its own":              b.assertion(jwt.SigningMethodRS384, otherKey, "own", header("jwk", public("own", &otherKey.PublicKey))),
		"another sub":                   b.rs384(claim("sub", "somebody")),
		"no iss":                        b.rs384(claim("iss", nil)),
		"a client that is not there":    b.rs384(claim("iss", "none"), claim("sub", "none")),
		"an odd client":                 b.rs384(claim("iss", "\x00\xff"), claim("sub", "\x00\xff")),
		"for another":                   b.rs384(claim("aud", "https://example.com/token")),
		"for nobody":                    b.rs384(claim("aud", nil)),
		"no jti":                        b.rs384(claim("jti", nil)),
		"a jti too long":                b.rs384(claim("jti", strings.Repeat("x", 501))),
		"expired":                       b.rs384(claim("exp", at(-time.Minute))),
		"no end":                        b.rs384(claim("exp", nil)),
		"an end far ahead":              b.rs384(claim("exp", at(6*time.Minute))),
		"not valid yet":                 b.rs384(claim("nbf", at(time.Minute))),
		"issued in the future":          b.rs384(claim("iat", at(time.Minute))),
		"too long":                      b.rs384(claim("x", strings.Repeat("x", assertionLimit))),
	} {
		t.Run(name, func(t *testing.T) { (&bundle{T: t, base: b.base}).refuses(b.ask(bad), 401, "invalid_client") })
	}
	once := b.rs384()
	b.lets(b.ask(once))
	if text := b.refuses(b.ask(once), 401, "invalid_client"); !strings.Contains(text, "used before") {
		t.Errorf("a replay is refused with %q", text)
	}
	known, err := b.store.Find(t.Context(), "client.authenticate", "", 100)
	if err != nil || len(known) < 20 || known[0].Outcome != "unauthenticated" || known[0].Detail["why"] != "replay" {
		t.Errorf("%d refusals are on record, %v", len(known), err)
	}
}

func TestRequestsThatAreWrong(t *testing.T) {
	b := setup(t)
	b.refuses(b.ask(b.rs384(), "grant_type", ""), 400, "invalid_request")
	b.refuses(b.ask(b.rs384(), "grant_type", "password"), 400, "unsupported_grant_type")
	b.refuses(b.ask(b.rs384(), "scope", ""), 400, "invalid_scope")
	b.refuses(b.ask(b.rs384(), "scope", "openid"), 400, "invalid_scope")
	b.refuses(b.ask(b.rs384(), "scope", "system/Observation.read"), 400, "invalid_scope")
	b.refuses(b.ask(b.rs384(), "client_assertion_type", "x"), 400, "invalid_request")
	b.refuses(b.ask(b.rs384(), "client_id", "another"), 400, "invalid_request")
	b.refuses(b.ask("", "client_assertion", ""), 401, "invalid_client")
	b.refuses(b.post(url.Values{"grant_type": {"client_credentials"}, "client_assertion": {b.rs384()}, "client_assertion_type": {assertionType}}, "secret"), 400, "invalid_request")
}

func TestClientsThatMayNot(t *testing.T) {
	disabled := setup(t, func(c *domain.Client, _ *credentials.Settings) { c.Enabled = false })
	disabled.refuses(disabled.ask(disabled.rs384()), 401, "invalid_client")
	disabled.refuses(disabled.post(url.Values{"grant_type": {"client_credentials"}}, "secret"), 401, "invalid_client")
	elsewhere := setup(t, func(c *domain.Client, _ *credentials.Settings) {
		c.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	if text := elsewhere.refuses(elsewhere.ask(elsewhere.rs384()), 403, "unauthorized_client"); !strings.Contains(text, "127.0.0.1") {
		t.Errorf("the address is not told: %s", text)
	}
	keyless := setup(t, func(c *domain.Client, _ *credentials.Settings) { c.Keys = domain.ClientKeys{} })
	keyless.refuses(keyless.ask(keyless.rs384()), 401, "invalid_client")
}

// Keys at an address: fetched once, kept as long as its Cache-Control says, and
// looked for again for a key that is new there.
func TestKeysAtAnAddress(t *testing.T) {
	var mu sync.Mutex
	keys, fetched, status := set(public("rsa", &rsaKey.PublicKey)), 0, 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fetched++
		w.Header().Set("Cache-Control", "max-age=120")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, keys)
	}))
	t.Cleanup(server.Close)
	b := setup(t, func(c *domain.Client, _ *credentials.Settings) { c.Keys = domain.ClientKeys{URL: server.URL + "/jwks"} })
	for range 3 {
		b.lets(b.ask(b.rs384()))
	}
	b.lets(b.ask(b.rs384(header("jku", server.URL+"/jwks"))))
	b.refuses(b.ask(b.rs384(header("jku", server.URL+"/other"))), 401, "invalid_client")
	if fetched != 1 {
		t.Errorf("the keys were fetched %d times", fetched)
	}
	mu.Lock()
	keys = set(public("rsa", &rsaKey.PublicKey), public("ec", &ecKey.PublicKey))
	mu.Unlock()
	b.lets(b.ask(b.assertion(jwt.SigningMethodES384, ecKey, "ec")))
	mu.Lock()
	status = 503
	mu.Unlock()
	b.lets(b.ask(b.rs384()))
	b.clock.Advance(3 * time.Minute) // longer than they may be kept
	b.refuses(b.ask(b.rs384()), 401, "invalid_client")
}

func TestTooMuchIsTooMuch(t *testing.T) {
	bound := domain.Rate{Burst: 3, Per: time.Hour}
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, s := range map[string]credentials.Settings{"a client": {Client: bound}, "an address": {Address: bound}} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, func(_ *domain.Client, to *credentials.Settings) { *to = s })
			for range 3 {
				b.lets(b.post(form, "secret"))
			}
			r := b.post(form, "secret")
			if b.refuses(r, 429, "temporarily_unavailable"); r.header.Get("Retry-After") != "3600" {
				t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
			}
			b.clock.Advance(time.Hour)
			b.lets(b.post(form, "secret"))
		})
	}
	t.Run("failed attempts", func(t *testing.T) {
		b := setup(t, func(_ *domain.Client, to *credentials.Settings) { to.Failing = bound })
		b.lets(b.post(form, "secret"))
		for range 3 {
			b.refuses(b.post(form, "guess"), 401, "invalid_client")
		}
		b.refuses(b.post(form, "secret"), 429, "temporarily_unavailable")
		b.refuses(b.ask(b.rs384()), 429, "temporarily_unavailable")
		activity := func() (a domain.ClientActivity) {
			_ = b.store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				all, err := tx.Activity.Of(ctx, []domain.ClientID{clientID})
				a = all[clientID]
				return err
			})
			return a
		}
		if a := activity(); a.Failures != 3 || a.LastUsed.IsZero() {
			t.Errorf("the activity is %+v", a)
		}
		records, err := b.store.Find(t.Context(), "client.authenticate", string(clientID), 10)
		if err != nil || len(records) != 3 { // what is not even looked at is no attempt
			t.Errorf("the trail has %+v, %v", records, err)
		}
		for _, r := range records {
			if r.Outcome != string(domain.Unauthenticated) || r.Detail["why"] != "secret" || r.Actor.From == "" || strings.Contains(fmt.Sprint(r), "guess") {
				t.Errorf("the trail has %+v", r)
			}
		}
		b.clock.Advance(time.Hour)
		b.lets(b.post(form, "secret"))
		if a := activity(); a.Failures != 0 || a.LastUsed != b.clock.Now() {
			t.Errorf("the activity is %+v", a)
		}
	})
}

// A token of any process holds in any other, whichever key signed it, at every
// moment of several rotations.
// Two processes share a database, and each has a connection to it of its own.
// Tokens are in flight from one to the other over several turns of the keys, and
// a process that has just started knows them too. Keys are removed once they are
// over, and nothing else is.
func TestSigningKeysRotateWithoutARefusedRequest(t *testing.T) {
	b := setup(t)
	url := sqlitetest.URL(t)
	var stores []*entstore.Store
	for range 3 {
		store, err := entstore.Open(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		stores = append(stores, store)
	}
	if _, err := stores[0].Ensure(t.Context(), "another-secret/1", func() ([]byte, error) { return []byte{1}, nil }); err != nil {
		t.Fatal(err)
	}
	one, two := b.process(stores[0], credentials.Settings{}), b.process(stores[1], credentials.Settings{})
	names := map[string]bool{}
	for n := range 60 {
		token, err := one.Issue(t.Context(), clientID, domain.Scopes{"system/*.rs"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		kid := parsed.Header["kid"].(string)
		all, err := two.published(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		listed := false
		for _, k := range all {
			listed = listed || k.public.KeyID == kid
		}
		if names[kid] = true; !listed {
			t.Errorf("the key %s signs and is not listed", kid)
		}
		b.clock.Advance(40 * time.Minute) // later, it may be another period
		if n%2 == 0 {                     // by whichever of the two it is then, at any point of a period
			if err := two.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for n, i := range []*Issuer{two, one, b.process(stores[2], credentials.Settings{})} {
			if _, err := i.Verify(t.Context(), token); err != nil {
				t.Errorf("process %d: %v", n, err)
			}
		}
		one, two = two, one
	}
	if len(names) < 4 {
		t.Errorf("only %d keys signed", len(names))
	}
	if err := one.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := map[string]int{}
	rows, err := stores[0].DB().QueryContext(t.Context(), "SELECT name FROM secrets")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(name, "/")
		left[kind]++
	}
	if n := left["smart-signing-key"]; rows.Err() != nil || n < 2 || n > 3 || left["another-secret"] != 1 {
		t.Errorf("the database holds %v, %v", left, rows.Err())
	}
}

func FuzzAssertion(f *testing.F) {
	f.Add("x.y.z")
	f.Add("eyJhbGciOiJSUzM4NCIsImtpZCI6ImsifQ.eyJpc3MiOiJjIiwic3ViIjoiYyIsImp0aSI6IjEiLCJleHAiOjF9.AA")
	f.Add("eyJhbGciOiJFUzM4NCIsImtpZCI6ImsiLCJqa3UiOjd9.eyJpc3MiOiJjIiwic3ViIjoiYyIsImp0aSI6IjEiLCJleHAiOjFlOTl9.")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAssertion(text)
		if err == nil && (a.client == "" || a.id == "" || a.keyID == "" || a.expires.IsZero() || a.algorithm != "RS384" && a.algorithm != "ES384" || len(a.id) > longestID) {
			t.Errorf("%q is read as %+v", text, a)
		}
		if told := errAssertion(""); err != nil && !asErrAssertion(err, &told) {
			t.Errorf("%q is refused with %v, which tells the client nothing", text, err)
		}
	})
}

func asErrAssertion(err error, to *errAssertion) bool {
	e, ok := err.(errAssertion)
	*to = e
	return ok && e != ""
}
