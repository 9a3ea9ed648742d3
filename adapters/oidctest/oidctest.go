// Package oidctest starts an OpenID provider that is not of our making, the
// certified one of zitadel/oidc, on this machine: for tests of whoever trusts
// one, be it for the tokens of sponsors' clients or for staff who sign in. Its
// users sign in by themselves, its keys change and it goes away when told to.
package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// User is somebody who can sign in.
type User struct {
	Subject string
	Name    string
	Email   string
	Roles   []string       // in the claim that Settings.RolesClaim names
	Claims  map[string]any // further ones, as acr or amr
}

// Client is somebody who asks for tokens.
type Client struct {
	ID     string
	Secret string            // empty for one that signs assertions, or is public and uses PKCE
	Keys   []jose.JSONWebKey // public, of one that signs assertions
	Scopes []string          // that it may have beside openid, profile, email and offline_access

	RedirectURIs         []string
	PostLogoutURIs       []string
	BackchannelLogoutURI string // is told when a user signs out; empty for none
}

// Settings say who is known to a provider.
type Settings struct {
	Users      []User
	Clients    []Client
	RolesClaim string        // roles if empty
	Audience   string        // of the tokens of clients; AB2D if empty
	Lifetime   time.Duration // of access tokens; an hour if zero
	Page       bool          // who signs in chooses a user on a page (for browsers); else As says who it is
}

// Provider is a running provider.
type Provider struct {
	URL string // the issuer

	t        testing.TB
	settings Settings
	server   *httptest.Server
	store    *store
	callback func(context.Context, string) string
}

// Start starts a provider, which stops when the test ends. The first user is the
// one that signs in.
func Start(t testing.TB, s Settings) *Provider {
	t.Helper()
	if s.RolesClaim == "" {
		s.RolesClaim = "roles"
	}
	if s.Audience == "" {
		s.Audience = "AB2D"
	}
	if s.Lifetime == 0 {
		s.Lifetime = time.Hour
	}
	p := &Provider{t: t, settings: s, store: newStore(s)}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.URL = "http://" + p.server.Listener.Addr().String()
	var crypto [32]byte
	_, _ = rand.Read(crypto[:]) // never fails
	config := &op.Config{CryptoKey: crypto, CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		DefaultLogoutRedirectURI: "/signed-out", BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true,
		SupportedScopes: []string{"openid", "profile", "email", "offline_access"}}
	provider, err := op.NewProvider(config, p.store, op.StaticIssuer(p.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	p.callback = op.AuthCallbackURL(provider)
	p.store.handler = op.RegisterLegacyServer(server{op.NewLegacyServer(provider, *op.DefaultEndpoints), provider}, op.AuthorizeCallbackHandler(provider),
		op.WithFallbackLogger(slog.New(slog.DiscardHandler)))
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.server.Start()
	t.Cleanup(p.server.Close)
	return p
}

// server lets clients sign assertions for client_credentials too, which the
// library itself allows for other grants only.
type server struct {
	*op.LegacyServer
	provider *op.Provider
}

func (s server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	if r.Form.Get("grant_type") == "client_credentials" && r.Data.ClientAssertionType == oidc.ClientAssertionTypeJWTAssertion {
		return op.AuthorizePrivateJWTKey(ctx, r.Data.ClientAssertion, s.provider)
	}
	return s.LegacyServer.VerifyClient(ctx, r)
}

// As says who signs in from now on.
func (p *Provider) As(subject string) {
	p.t.Helper()
	if _, known := p.store.user(subject); !known {
		p.t.Fatalf("there is no user %s", subject)
	}
	p.store.set(func(s *store) { s.next = subject })
}

// Refuse has the next who want to sign in come back with an OAuth error, as
// access_denied; the empty one lets them in again.
func (p *Provider) Refuse(code string) { p.store.set(func(s *store) { s.refuse = code }) }

// SetRoles changes the roles that a user comes with from now on.
func (p *Provider) SetRoles(subject string, roles ...string) {
	p.store.set(func(s *store) {
		u := s.users[subject]
		u.Roles = roles
		s.users[subject] = u
	})
}

// Rotate signs with a new key from now on and lists it first. Keys before it
// stay listed.
func (p *Provider) Rotate() {
	p.store.set(func(s *store) { s.keys = append([]key{newKey()}, s.keys...) })
}

// Announce lists a new key that Rotate will not use: as a provider does before
// it signs with one.
func (p *Provider) Announce() { p.store.set(func(s *store) { s.keys = append(s.keys, newKey()) }) }

// DropOldKeys lists the key that is signed with now alone.
func (p *Provider) DropOldKeys() { p.store.set(func(s *store) { s.keys = s.keys[:1] }) }

// Outage says how the provider is away.
type Outage int

// The outages.
const (
	None    Outage = iota
	Failing        // it answers everything with 503
	Cut            // it closes connections without an answer
	Hanging        // it takes requests and does not answer
	Garbage        // it answers with something else than what was asked for
)

// SetOutage makes the provider be away, or here again.
func (p *Provider) SetOutage(o Outage) {
	p.store.set(func(s *store) {
		if s.outage == Hanging {
			close(s.hung)
		}
		if s.outage = o; o == Hanging {
			s.hung = make(chan struct{})
		}
	})
}

// Requests is how many requests came for a path, as /keys.
func (p *Provider) Requests(path string) int {
	n := 0
	p.store.set(func(s *store) { n = s.requests[path] })
	return n
}

// Key is the private key that is signed with now, and its name.
func (p *Provider) Key() (*rsa.PrivateKey, string) {
	k := p.store.current()
	return k.private, k.id
}

// Sign signs any claims with the present key, as the provider would.
func (p *Provider) Sign(claims any) string {
	p.t.Helper()
	k := p.store.current()
	signer, err := op.SignerFromKey(k)
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// Token asks for a token with a secret, as clients do, and returns it.
func (p *Provider) Token(client, secret string, scopes ...string) string {
	p.t.Helper()
	return p.ask(url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")}}, client, secret)
}

// TokenByAssertion asks for a token with a signed assertion.
func (p *Provider) TokenByAssertion(assertion string, scopes ...string) string {
	p.t.Helper()
	return p.ask(url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")}, "client_assertion": {assertion},
		"client_assertion_type": {oidc.ClientAssertionTypeJWTAssertion}}, "", "")
}

func (p *Provider) ask(form url.Values, client, secret string) string {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.URL+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client != "" {
		req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &granted); err != nil || granted.AccessToken == "" {
		p.t.Fatalf("no token: %s %s", resp.Status, body)
	}
	return granted.AccessToken
}

// SignOut ends all sessions of a user and tells the clients that want to be told,
// over the back channel. It returns how many of them took it.
func (p *Provider) SignOut(subject string) int {
	p.t.Helper()
	taken := 0
	for _, s := range p.store.end(subject, "") {
		if p.store.tell(p.URL, s) {
			taken++
		}
	}
	return taken
}

// LogoutToken is the token with which a client is told that a user signed out.
// Without a session id it is about all sessions.
func (p *Provider) LogoutToken(client, subject, session string) string {
	p.t.Helper()
	token, err := p.store.logoutToken(p.URL, client, subject, session)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	var outage Outage
	var hung chan struct{}
	p.store.set(func(s *store) {
		s.requests[r.URL.Path]++
		outage, hung = s.outage, s.hung
	})
	switch outage {
	case Failing:
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	case Cut:
		panic(http.ErrAbortHandler)
	case Hanging:
		select {
		case <-hung:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Garbage:
		_, _ = io.WriteString(w, "<html>It works!</html>") // whoever asked may be gone
		return
	}
	switch r.URL.Path {
	case "/login":
		p.login(w, r)
	case "/signed-out":
		_, _ = io.WriteString(w, "Signed out.") // the same
	default:
		p.store.handler.ServeHTTP(w, r)
	}
}

var page = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
<form method="post">{{range .}}<p><button name="user" value="{{.Subject}}">{{.Name}}</button></p>{{end}}</form></html>`))

// login signs a user in without a word, or asks who it is.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	var subject, refuse string
	p.store.set(func(s *store) { subject, refuse = s.next, s.refuse })
	if refuse != "" {
		back, ok := p.store.refused(id, refuse)
		if !ok {
			http.Error(w, "no such request", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, back, http.StatusFound)
		return
	}
	if p.settings.Page {
		if r.Method != http.MethodPost {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = page.Execute(w, p.settings.Users) // whoever asked may be gone
			return
		}
		subject = r.FormValue("user")
	}
	if err := p.store.signIn(id, subject); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, p.callback(op.ContextWithIssuer(r.Context(), p.URL), id), http.StatusFound)
}
