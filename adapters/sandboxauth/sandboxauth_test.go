package sandboxauth

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/smartauth"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// secrets keeps values as ports.Secrets says.
type secrets struct {
	mu     sync.Mutex
	kept   map[string][]byte
	minted int
}

func (s *secrets) Ensure(_ context.Context, name string, mint func() ([]byte, error)) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.kept[name]; ok {
		return v, nil
	}
	v, err := mint()
	if err != nil {
		return nil, err
	}
	s.minted++
	s.kept[name] = v
	return v, nil
}

func (s *secrets) Forget(_ context.Context, prefix string, except ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.kept, func(name string, _ []byte) bool {
		return strings.HasPrefix(name, prefix) && !slices.Contains(except, name)
	})
	return nil
}

// shared is kept by all tests, since making a key takes a while.
var shared = &secrets{kept: map[string][]byte{}}

type clock struct{ at time.Time }

func (c *clock) Now() time.Time { return c.at }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newIssuer(t testing.TB, s *secrets, c *clock) *smartauth.Issuer {
	t.Helper()
	store := memory.NewStoreAt(c.Now)
	public := append(GuideCredentials(), credentials.Public{ID: "odd:id", Secret: "x"}, credentials.Public{ID: "odd", Secret: "a b+c%d"})
	if err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "s"}); err != nil {
			return err
		}
		for _, p := range public {
			id := cmp.Or(p.Client, domain.ClientID(p.ID))
			if err := tx.Clients.Put(ctx, domain.Client{ID: id, Sponsor: "s", Enabled: true}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	bounds := &memory.Bounds{Now: c.Now}
	i, err := New(t.Context(), "http://sandbox.test/", nil, s, &credentials.UseCase{Store: store, Clock: c, Assertions: bounds, Limits: bounds,
		SecretKey: domain.SecretKey("key"), Settings: credentials.Settings{Public: public}}, c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// signingKey is the key that an issuer signs with.
func signingKey(t *testing.T, i *smartauth.Issuer, s *secrets) (*rsa.PrivateKey, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, kept := range s.kept {
		if key, err := x509.ParsePKCS8PrivateKey(kept); err == nil && strings.HasPrefix(name, "sandbox-signing-key/") {
			token, err := i.Issue(t.Context(), "x", nil, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			tok, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
			if err != nil {
				t.Fatal(err)
			}
			return key.(*rsa.PrivateKey), tok.Header["kid"].(string)
		}
	}
	t.Fatal("there is no signing key")
	return nil, ""
}

func TestTokens(t *testing.T) {
	porttest.Tokens(t, func(t *testing.T) porttest.TokenHarness {
		i := newIssuer(t, shared, &clock{noon})
		key, id := signingKey(t, i, shared)
		return porttest.TokenHarness{Tokens: i, Key: key, KeyID: id, Issuer: "http://sandbox.test" + Path, Audience: "AB2D",
			Scope: Scope, Client: Guide[0].Client, Now: noon}
	})
}

// The guide's Base64 column, as it is printed.
var printed = map[string]string{
	"PDP-100":   "MG9hMnQwbHNyZFp3NXVXUngyOTc6SEhkdVdHNkxvZ0l2RElRdVdncDNabG85T1lNVmFsVHRINU9CY3VIdw==",
	"PDP-1000":  "nQwbGM2NUVyVjhPbVkyOTc6MUJsM0hHTzZlZ2xrWFVEdGpWanRvM0wtM0Mwb2ZmelRNazJxbHo5cg==",
	"PDP-2000":  "MG9hMnQwbGtpY3B4RkdrR3QyOTc6ZURwYW5KVHR3OTB2WTJ2aVlsWDRvMnJnVlJJUjR0RFJIMG1Xcjl2Tg==",
	"PDP-5000":  "MG9hMnQwbDZjMXRRYlRpa3oyOTc6ODB6WC03R2VpTWlpQTZ6VmdoaXFZWkw4Mm9MQVdTeGhnZkJrZm8wVA==",
	"PDP-10000": "MG9hMnQwbG05cW9BdEpIcUMyOTc6eWJSNjBKbXRjcFJ0NlNBZUxtdmJxNmwtM1lEUkNaUC1XTjFBdDZ0Xw==",
	"PDP-30000": "MG9hMnQwbHJqeVZlVkFaanQyOTc6a3BKa1lSMms3Q2ZvanJ6dVpBaGEwQ1ZWTjlQdEZLQlc0TTJBRFJLeA==",
}

func TestGuideSaysWhatItsBase64Says(t *testing.T) {
	for _, s := range Guide {
		encoded := printed[s.Name]
		if s.PrintedID != "" {
			encoded = "MG9hM" + encoded
		}
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if want := string(s.Client) + ":" + s.Secret; err != nil || string(decoded) != want {
			t.Errorf("%s: the guide has %q, %v; want %q", s.Name, decoded, err, want)
		}
		if !strings.HasSuffix(s.Secret, s.PrintedSecret) {
			t.Errorf("%s: the printed secret is no part of the true one", s.Name)
		}
	}
	if len(Guide) != len(printed) {
		t.Errorf("%d sponsors, want %d", len(Guide), len(printed))
	}
}

// serve puts the issuer on a loopback port and returns its address.
func serve(t *testing.T, i *smartauth.Issuer) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	i.Mount(app)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(ln) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return "http://" + ln.Addr().String()
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func post(t *testing.T, base, query, auth, contentType, body string) reply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, base+TokenPath+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) reply {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header}
	if err := json.Unmarshal(raw, &r.body); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}

func basicAuth(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

const (
	formType = "application/x-www-form-urlencoded"
	goodForm = "grant_type=client_credentials&scope=clientCreds"
)

func TestEverybodyOfTheGuideGetsAToken(t *testing.T) {
	i := newIssuer(t, shared, &clock{noon})
	base := serve(t, i)
	type login struct {
		auth   string
		client domain.ClientID
	}
	var logins []login
	for _, s := range Guide {
		logins = append(logins, login{basicAuth(string(s.Client), s.Secret), s.Client})
		if s.PrintedID != "" {
			logins = append(logins, login{basicAuth(s.PrintedID, s.PrintedSecret), s.Client}, login{"Basic MG9hM" + printed[s.Name], s.Client})
		} else {
			logins = append(logins, login{"basic " + printed[s.Name], s.Client})
		}
	}
	for _, l := range logins {
		r := post(t, base, "", l.auth, formType, goodForm)
		if r.status != 200 || r.body["token_type"] != "Bearer" || r.body["expires_in"] != 3600.0 || r.body["scope"] != "clientCreds" {
			t.Fatalf("%s: %d %v", l.client, r.status, r.body)
		}
		if got := r.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}
		got, err := i.Verify(t.Context(), r.body["access_token"].(string))
		if err != nil || got.Client != l.client {
			t.Errorf("the token is %q's, %v; want %q's", got.Client, err, l.client)
		}
	}
}

func TestTokenRequests(t *testing.T) {
	base := serve(t, newIssuer(t, shared, &clock{noon}))
	good := basicAuth(string(Guide[0].Client), Guide[0].Secret)
	for _, tt := range []struct {
		name                           string
		query, auth, contentType, body string
		status                         int
		code                           string
	}{
		{"an empty scope is the default", "", good, formType, "grant_type=client_credentials&scope=", 200, ""},
		{"no scope is the default", "", good, formType, "grant_type=client_credentials", 200, ""},
		{"a charset with the type", "", good, formType + "; charset=UTF-8", goodForm, 200, ""},
		{"parameters in the address", "?" + goodForm, good, "", "", 200, ""},
		{"an encoded credential", "", basicAuth("odd", url.QueryEscape("a b+c%d")), formType, goodForm, 200, ""},
		{"a credential as it is", "", basicAuth("odd", "a b+c%d"), formType, goodForm, 200, ""},
		{"no credentials", "", "", formType, goodForm, 401, "invalid_client"},
		{"a wrong secret", "", basicAuth(string(Guide[0].Client), "guess"), formType, goodForm, 401, "invalid_client"},
		{"no secret", "", basicAuth(string(Guide[0].Client), ""), formType, goodForm, 401, "invalid_client"},
		{"another's secret", "", basicAuth(string(Guide[0].Client), Guide[1].Secret), formType, goodForm, 401, "invalid_client"},
		{"an unknown id", "", basicAuth("nobody", "x"), formType, goodForm, 401, "invalid_client"},
		{"an unknown id without a secret", "", basicAuth("nobody", ""), formType, goodForm, 401, "invalid_client"},
		{"the true id with the printed secret", "", basicAuth(string(Guide[1].Client), Guide[1].PrintedSecret), formType, goodForm, 401, "invalid_client"},
		{"not Base64", "", "Basic %%%", formType, goodForm, 401, "invalid_client"},
		{"another scheme", "", "Bearer x", formType, goodForm, 401, "invalid_client"},
		{"a bad escape in the credential", "", basicAuth("nobody", "%zz"), formType, goodForm, 401, "invalid_client"},
		{"another grant", "", good, formType, "grant_type=password&scope=clientCreds", 400, "unsupported_grant_type"},
		{"no grant", "", good, formType, "scope=clientCreds", 400, "invalid_request"},
		{"nothing", "", good, formType, "", 400, "invalid_request"},
		{"another scope", "", good, formType, "grant_type=client_credentials&scope=openid", 400, "invalid_scope"},
		{"a scope too many", "", good, formType, "grant_type=client_credentials&scope=clientCreds+openid", 400, "invalid_scope"},
		{"a parameter twice", "", good, formType, "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"},
		{"JSON", "", good, "application/json", `{"grant_type":"client_credentials"}`, 400, "invalid_request"},
		{"a broken form", "", good, formType, "grant_type=%zz", 400, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, base, tt.query, tt.auth, tt.contentType, tt.body)
			code, _ := r.body["error"].(string)
			if r.status != tt.status || code != tt.code {
				t.Fatalf("%d %v, want %d %q", r.status, r.body, tt.status, tt.code)
			}
			if tt.status != 200 && r.body["error_description"] == "" {
				t.Error("nobody is told what is wrong")
			}
			if challenge := r.header.Get("WWW-Authenticate"); (tt.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
			if r.header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
		})
	}
}

func TestTheTokenIsShapedAsOktas(t *testing.T) {
	i := newIssuer(t, shared, &clock{noon})
	base := serve(t, i)
	r := post(t, base, "", basicAuth(string(Guide[0].Client), Guide[0].Secret), formType, goodForm)

	keys := get(t, base+Path+"/v1/keys")["keys"].([]any)
	if len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	key := keys[0].(map[string]any)
	var c jwt.MapClaims
	tok, err := jwt.NewParser(jwt.WithTimeFunc(func() time.Time { return noon })).ParseWithClaims(r.body["access_token"].(string), &c,
		func(tok *jwt.Token) (any, error) { return rsaKey(t, key), nil })
	if err != nil {
		t.Fatal(err)
	}
	if tok.Header["alg"] != "RS256" || tok.Header["kid"] != key["kid"] || key["kid"] == "" || key["kty"] != "RSA" || key["use"] != "sig" {
		t.Errorf("header %v, key %v", tok.Header, key)
	}
	client := string(Guide[0].Client)
	for name, want := range map[string]any{"ver": 1.0, "iss": "http://sandbox.test" + Path, "cid": client, "sub": client,
		"iat": float64(noon.Unix()), "exp": float64(noon.Add(time.Hour).Unix())} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	if jti, _ := c["jti"].(string); !strings.HasPrefix(jti, "AT.") || len(jti) < 20 {
		t.Errorf("jti %q", jti)
	}
	if aud, _ := c.GetAudience(); !slices.Equal(aud, []string{"AB2D"}) {
		t.Errorf("aud %v", aud)
	}
	if scp, _ := c["scp"].([]any); len(scp) != 1 || scp[0] != "clientCreds" {
		t.Errorf("scp %v", c["scp"])
	}
}

func rsaKey(t *testing.T, key map[string]any) *rsa.PublicKey {
	t.Helper()
	number := func(name string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(key[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
}

func TestDiscovery(t *testing.T) {
	base := serve(t, newIssuer(t, shared, &clock{noon}))
	issuer := "http://sandbox.test" + Path
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		d := get(t, base+Path+"/.well-known/"+name)
		if d["issuer"] != issuer || d["token_endpoint"] != issuer+"/v1/token" || d["jwks_uri"] != issuer+"/v1/keys" {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func get(t *testing.T, url string) map[string]any {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := do(t, req)
	if r.status != 200 || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %s", url, r.status, r.header.Get("Content-Type"))
	}
	return r.body
}

func TestTokensOutliveARestart(t *testing.T) {
	s := &secrets{kept: map[string][]byte{}}
	c := &clock{noon}
	first, second := newIssuer(t, s, c), newIssuer(t, s, c)
	token, err := first.Issue(t.Context(), "somebody", domain.Scopes{Scope}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Verify(t.Context(), token); err != nil || got.Client != "somebody" {
		t.Errorf("Verify = %v, %v", got, err)
	}
	if s.minted != 1 {
		t.Errorf("%d keys were made", s.minted)
	}
	c.at = noon.Add(time.Hour - time.Second)
	if _, err := second.Verify(t.Context(), token); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	c.at = noon.Add(time.Hour + time.Minute)
	if _, err := second.Verify(t.Context(), token); domain.CodeOf(err) != domain.Unauthenticated {
		t.Errorf("after the hour: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b, shared, &clock{noon})
	token, err := i.Issue(b.Context(), "somebody", domain.Scopes{Scope}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := i.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
