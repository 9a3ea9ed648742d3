package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/oidctest"
	"cms.gov/ab2d/adapters/okta"
)

// A client whose tokens are another issuer's, not of our making, goes through an
// export on the ordinary binary, and nobody else does.
func TestAnExportWithTokensOfAnIssuerElsewhere(t *testing.T) {
	ctx := patience(t)
	row := sponsorOf(t, "S0000")
	const stranger = "0oa-nobody-here"
	idp := oidctest.Start(t, oidctest.Settings{Clients: []oidctest.Client{
		{ID: string(row.Client), Secret: "of-the-issuer", Scopes: []string{okta.Scope, "other"}},
		{ID: stranger, Secret: "of-the-issuer", Scopes: []string{okta.Scope}}}})
	s := start(t, t.TempDir(), "127.0.0.1:0", "--auth", "okta", "--okta-issuer", idp.URL)

	const kickOff = "/api/v2/fhir/Group/S0000/$export"
	for what, refusal := range map[string]struct {
		token  string
		status int
	}{
		"a token without the scope":       {idp.Token(string(row.Client), "of-the-issuer", "other"), http.StatusUnauthorized},
		"the token of a client of nobody": {idp.Token(stranger, "of-the-issuer", okta.Scope), http.StatusForbidden},
		"a token that nobody signed":      {"eyJhbGciOiJub25lIn0.e30.", http.StatusUnauthorized},
		"no token":                        {"", http.StatusUnauthorized},
	} {
		s.token = refusal.token
		if res, err := s.get(ctx, s.base+kickOff, nil); err != nil || res.StatusCode != refusal.status {
			t.Errorf("%s: %v, %v", what, res, err)
		} else {
			res.Body.Close()
		}
	}
	if err := s.signIn(ctx, row); err == nil {
		t.Error("there is a token endpoint beside the issuer's")
	}
	s.token = idp.Token(string(row.Client), "of-the-issuer", okta.Scope)
	exportsWhole(t, s, kickOff)
}

// exportsWhole goes from kick-off over status to every file of it.
func exportsWhole(t *testing.T, s *server, kickOff string) {
	t.Helper()
	ctx := patience(t)
	m, err := s.export(ctx, kickOff)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := s.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}
}

// Two API processes issue tokens to clients that sign assertions. A token, a
// spent assertion and what a client has used of its limits count in both.
func TestTwoProcessesIssueTokensAsOne(t *testing.T) {
	ctx := patience(t)
	database, dir, row := pgtest.URL(t), t.TempDir(), sponsorOf(t, "S0000")
	const public = "https://ab2d.test"
	settings := []string{"--auth", "smart", "--database-url", database, "--public-url", public, "--token-rate", "4/1h", "--export-rate", "3/1h", "--failed-rate", "3/1h"}
	serve := func(roles string) *server {
		address := freeAddress(t)
		s := start(t, dir, address, append(settings, "--roles", roles)...)
		s.base = "http://" + address
		s.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			r.URL.Scheme, r.URL.Host = "http", address // what the public address stands for
			return http.DefaultTransport.RoundTrip(r)
		})
		return s
	}
	one, two := serve("api,worker"), serve("api")

	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: key.Public(), Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "UPDATE api_clients SET jwks = $1 WHERE id = $2", set, row.Client); err != nil {
		t.Fatal(err)
	}
	assertion := func(signer *ecdsa.PrivateKey) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES384, jwt.MapClaims{"iss": row.Client, "sub": row.Client, "aud": public + "/oauth2/v1/token",
			"jti": rand.Text(), "exp": time.Now().Add(4 * time.Minute).Unix()})
		token.Header["kid"] = "k"
		text, err := token.SignedString(signer)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ask := func(s *server, assertion string) (status int, token string) {
		t.Helper()
		res, err := http.PostForm(s.base+"/oauth2/v1/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, answer.Token
	}
	first := assertion(key)
	status, token := ask(one, first)
	if status != http.StatusOK {
		t.Fatalf("no token: %d", status)
	}
	if status, _ := ask(two, first); status != http.StatusUnauthorized {
		t.Errorf("an assertion that was used at the other process: %d", status)
	}
	one.token, two.token = token, token

	// The export is started at one process and followed and fetched at the other.
	res, err := one.get(ctx, one.base+"/api/v2/fhir/Group/S0000/$export", nil)
	if err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	m, err := two.follow(ctx, res.Header.Get("Content-Location"))
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := two.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}

	var statuses []int
	for _, s := range []*server{two, one, two, one} { // two more and no other, wherever they are asked for
		res, err := s.get(ctx, s.base+"/api/v2/fhir/Group/S0000/$export", nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if statuses = append(statuses, res.StatusCode); err != nil || res.StatusCode == http.StatusTooManyRequests && (!strings.Contains(string(body), "too often") || res.Header.Get("Retry-After") == "") {
			t.Errorf("%d: %s, %v", res.StatusCode, body, err)
		}
	}
	if want := []int{202, 202, 429, 429}; !slices.Equal(statuses, want) {
		t.Errorf("kick-offs at both processes by turns: %v, want %v", statuses, want)
	}
	statuses = nil
	for _, s := range []*server{two, one, two, one, two} { // the fifth token of four
		status, _ := ask(s, assertion(key))
		statuses = append(statuses, status)
	}
	if want := []int{200, 200, 200, 429, 429}; !slices.Equal(statuses, want) {
		t.Errorf("tokens at both processes by turns: %v, want %v", statuses, want)
	}
	// Somebody else's key: with the replay these are three failures, and then it is not even looked at.
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	statuses = nil
	for _, s := range []*server{one, two, one} {
		status, _ := ask(s, assertion(other))
		statuses = append(statuses, status)
	}
	if want := []int{401, 401, 429}; !slices.Equal(statuses, want) {
		t.Errorf("failed attempts at both processes by turns: %v, want %v", statuses, want)
	}
}
