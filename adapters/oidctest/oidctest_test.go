package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// get reads JSON from an address.
func get(t *testing.T, at string, into any) int {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

// claims verifies a token with the keys that the provider lists now.
func claims(t *testing.T, p *Provider, token string) map[string]any {
	t.Helper()
	var keys jose.JSONWebKeySet
	get(t, p.URL+"/keys", &keys)
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := parsed.Claims(keys, &c); err != nil {
		t.Fatalf("the token is not of the keys that are listed: %v", err)
	}
	return c
}

const back = "http://127.0.0.1:1/callback" // nobody is there: the test reads where it is sent

// walk goes through the authorization code flow, to the callback's query.
func walk(t *testing.T, p *Provider, verifier string) url.Values {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var at *url.URL
	c := http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if at = r.URL; strings.HasPrefix(at.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := c.Get(p.URL + "/authorize?" + url.Values{"client_id": {"console"}, "redirect_uri": {back}, "response_type": {"code"}, "state": {"s"}, "nonce": {"n"},
		"scope": {"openid profile email offline_access"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if at == nil || !strings.HasPrefix(at.String(), back) {
		t.Fatalf("the user is not sent back but to %v: %s", at, resp.Status)
	}
	return at.Query()
}

func redeem(t *testing.T, p *Provider, form url.Values) (status int, body map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.URL+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("console", "secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestAUserSignsInAndOut(t *testing.T) {
	told := make(chan string, 10)
	relying := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.FormValue("logout_token") }))
	t.Cleanup(relying.Close)
	p := Start(t, Settings{Users: []User{{Subject: "dana", Name: "Dana", Email: "dana@example.com", Roles: []string{"operator"}}, {Subject: "lee", Name: "Lee"}},
		Clients: []Client{{ID: "console", Secret: "secret", RedirectURIs: []string{back}, PostLogoutURIs: []string{back}, BackchannelLogoutURI: relying.URL}}})

	code := walk(t, p, "a verifier that is long enough to be one, which takes 43")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code.Get("code")}, "redirect_uri": {back}}
	form.Set("code_verifier", "another verifier that is long enough to be one, as long as 43")
	if status, body := redeem(t, p, form); status != http.StatusBadRequest {
		t.Errorf("another verifier gets %d %v", status, body)
	}
	code = walk(t, p, "a verifier that is long enough to be one, which takes 43")
	form.Set("code", code.Get("code"))
	form.Set("code_verifier", "a verifier that is long enough to be one, which takes 43")
	status, body := redeem(t, p, form)
	if status != http.StatusOK || code.Get("state") != "s" {
		t.Fatalf("%d %v, state %s", status, body, code.Get("state"))
	}
	id := claims(t, p, body["id_token"].(string))
	roles, _ := id["roles"].([]any)
	if id["sub"] != "dana" || id["nonce"] != "n" || id["name"] != "Dana" || id["email"] != "dana@example.com" || id["sid"] == "" || len(roles) != 1 || roles[0] != "operator" {
		t.Errorf("the ID token says %v", id)
	}
	if status, body := redeem(t, p, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {body["refresh_token"].(string)}}); status != http.StatusOK {
		t.Errorf("refreshing: %d %v", status, body)
	}

	if taken := p.SignOut("dana"); taken != 2 || len(told) != 2 {
		t.Fatalf("%d took it that a session ended and %d were told, want two", taken, len(told))
	}
	<-told
	if got := claims(t, p, <-told); got["sub"] != "dana" || got["aud"] == nil || got["events"] == nil || got["nonce"] != nil {
		t.Errorf("the logout token says %v", got)
	}

	p.As("lee")
	p.SetRoles("lee", "a", "b")
	code = walk(t, p, "a verifier that is long enough to be one, which takes 43")
	form.Set("code", code.Get("code"))
	_, body = redeem(t, p, form)
	id = claims(t, p, body["id_token"].(string))
	if roles, _ = id["roles"].([]any); id["sub"] != "lee" || len(roles) != 2 {
		t.Errorf("the ID token says %v", id)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(p.URL + "/end_session?" + url.Values{"id_token_hint": {body["id_token"].(string)}, "post_logout_redirect_uri": {back}, "state": {"x"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("Location") != back+"?state=x" {
		t.Errorf("after signing out one is sent to %s, %s", resp.Header.Get("Location"), resp.Status)
	}
	if got := claims(t, p, <-told); got["sub"] != "lee" || got["sid"] != id["sid"] {
		t.Errorf("the logout token says %v", got)
	}

	p.Refuse("access_denied")
	if got := walk(t, p, "a verifier that is long enough to be one, which takes 43"); got.Get("error") != "access_denied" || got.Get("state") != "s" {
		t.Errorf("who is refused comes back with %v", got)
	}
}

func TestAUserChoosesOnAPage(t *testing.T) {
	p := Start(t, Settings{Page: true, Users: []User{{Subject: "dana", Name: "Dana"}}, Clients: []Client{{ID: "console", RedirectURIs: []string{back}}}})
	resp, err := http.Get(p.URL + "/authorize?client_id=console&response_type=code&scope=openid&redirect_uri=" + url.QueryEscape(back))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c := http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	chosen, err := c.PostForm(resp.Request.URL.String(), url.Values{"user": {"dana"}})
	if err != nil {
		t.Fatal(err)
	}
	defer chosen.Body.Close()
	if !strings.HasPrefix(chosen.Header.Get("Location"), back+"?code=") {
		t.Errorf("the user is sent to %q, %s", chosen.Header.Get("Location"), chosen.Status)
	}
}

func TestClientsGetTokens(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := Start(t, Settings{Clients: []Client{{ID: "one", Secret: "s+e c", Scopes: []string{"clientCreds"}},
		{ID: "two", Scopes: []string{"clientCreds"}, Keys: []jose.JSONWebKey{{KeyID: "k", Algorithm: "RS256", Use: "sig", Key: &private.PublicKey}}}}})
	first := p.Token("one", "s+e c", "clientCreds")
	for want, token := range map[string]string{"one": first, "two": p.TokenByAssertion(assertion(t, p, private), "clientCreds")} {
		c := claims(t, p, token)
		scopes, _ := c["scp"].([]any)
		audience, _ := c["aud"].([]any)
		if c["sub"] != want || c["cid"] != want || c["iss"] != p.URL || len(scopes) != 1 || scopes[0] != "clientCreds" || len(audience) != 1 || audience[0] != "AB2D" {
			t.Errorf("the token of %s says %v", want, c)
		}
	}
	status, _ := redeem(t, p, url.Values{"grant_type": {"client_credentials"}})
	if status != http.StatusUnauthorized && status != http.StatusBadRequest {
		t.Errorf("a client that is not known gets %d", status)
	}

	p.Rotate()
	claims(t, p, first)
	claims(t, p, p.Token("one", "s+e c"))
	p.DropOldKeys()
	var keys jose.JSONWebKeySet
	if get(t, p.URL+"/keys", &keys); len(keys.Keys) != 1 {
		t.Errorf("%d keys are listed", len(keys.Keys))
	}
	if p.Requests("/keys") == 0 {
		t.Error("requests are not counted")
	}
	var discovery map[string]any
	if get(t, p.URL+"/.well-known/openid-configuration", &discovery); discovery["issuer"] != p.URL || discovery["jwks_uri"] != p.URL+"/keys" ||
		discovery["backchannel_logout_supported"] != true {
		t.Errorf("discovery says %v", discovery)
	}
}

func assertion(t *testing.T, p *Provider, private *rsa.PrivateKey) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{"iss": "two", "sub": "two", "aud": p.URL, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": "1"}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestOutages(t *testing.T) {
	p := Start(t, Settings{})
	c := http.Client{Timeout: 200 * time.Millisecond}
	for outage, answers := range map[Outage]int{None: 200, Failing: 503, Cut: 0, Hanging: 0, Garbage: 200} {
		p.SetOutage(outage)
		resp, err := c.Get(p.URL + "/keys")
		got := 0
		if err == nil {
			got = resp.StatusCode
			resp.Body.Close()
		}
		if got != answers {
			t.Errorf("outage %d answers %d, want %d", outage, got, answers)
		}
	}
	p.SetOutage(None)
	if status := get(t, p.URL+"/keys", &jose.JSONWebKeySet{}); status != http.StatusOK {
		t.Errorf("after the outage: %d", status)
	}
}
