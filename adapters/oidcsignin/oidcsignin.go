// Package oidcsignin signs people of CMS in to the console at an OpenID provider:
// Okta, or any other that keeps the standard. It asks by the authorization code
// flow with PKCE (OpenID Connect Core 1.0, RFC 7636) and hears of the end of
// sessions over the back channel (OpenID Connect Back-Channel Logout 1.0).
package oidcsignin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cms.gov/ab2d/domain"
)

// Settings say which provider is asked, and how.
type Settings struct {
	Issuer       string // as it stands in tokens
	ClientID     string
	ClientSecret string   // empty for a public client, which PKCE alone protects
	Scopes       []string // beside openid
	RolesClaim   string   // the claim of the ID token that has the person's groups
	Roles        domain.GroupRoles
	PublicURL    string // what the console's addresses begin with
	Client       *http.Client
}

// Provider implements the console's SignIn.
type Provider struct {
	Settings
	mu    sync.Mutex
	found *discovered
}

// discovered is what the provider says of itself.
type discovered struct {
	*oidc.Provider
	oauth2.Config
	end string // its end_session_endpoint, where it has one
}

// Paths below the public URL that the provider has to know.
const (
	CallbackPath = "/console/callback"
	LeftPath     = "/console/left"
)

// patience is how long the provider may take to answer.
const patience = 10 * time.Second

// New returns a provider. It is asked about itself the first time somebody signs
// in, so that the console starts while it is away.
func New(s Settings) *Provider {
	if s.Client == nil {
		s.Client = &http.Client{Timeout: patience}
	}
	return &Provider{Settings: s}
}

// Origin returns where the provider's pages are.
func (p *Provider) Origin() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// discover asks the provider about itself, until it has once answered.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// Not this request's context: the provider's keys are fetched by it later on.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.Client), p.Issuer)
	if err != nil {
		return nil, away(err)
	}
	var more struct {
		End string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	p.found = &discovered{provider, oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: provider.Endpoint(), RedirectURL: p.PublicURL + CallbackPath,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}, more.End}
	return p.found, nil
}

func away(err error) error {
	return domain.Errorf(domain.Unavailable, "The identity provider does not answer, so nobody can sign in at the moment.").
		WithNext("Try again in a few minutes. Exports go on meanwhile; whoever is signed in stays so.").Because(err)
}

// The notes that Finish needs again.
const (
	stateNote    = "oidc state"
	nonceNote    = "oidc nonce"
	verifierNote = "oidc verifier"
	freshNote    = "oidc fresh"
)

// Begin returns the address at which somebody signs in, and what Finish has to
// be given again. With fresh the provider has to ask the person anew, even
// if they are signed in there. It fails with unavailable.
func (p *Provider) Begin(ctx context.Context, fresh bool) (address string, notes map[string]string, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", nil, err
	}
	notes = map[string]string{stateNote: rand.Text(), nonceNote: rand.Text(), verifierNote: oauth2.GenerateVerifier()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(notes[nonceNote]), oauth2.S256ChallengeOption(notes[verifierNote])}
	if fresh {
		notes[freshNote] = "yes"
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"), oauth2.SetAuthURLParam("prompt", "login"))
	}
	return found.AuthCodeURL(notes[stateNote], options...), notes, nil
}

// claims are what an ID token says beside what is verified.
type claims struct {
	Name      string `json:"name"`
	Preferred string `json:"preferred_username"`
	Email     string `json:"email"`
	Session   string `json:"sid"`
	AuthTime  int64  `json:"auth_time"`
}

// skew is how far the provider's clock may be from ours, and how long somebody
// may take from proving who they are to coming back.
const skew = 5 * time.Minute

// Finish returns whom the provider sent back with these parameters. Somebody
// without a role comes without one. It fails with forbidden for an answer that
// does not belong to the question, and with unavailable.
func (p *Provider) Finish(ctx context.Context, query url.Values, notes map[string]string) (a domain.Arrival, err error) {
	if state := notes[stateNote]; state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(query.Get("state"))) != 1 {
		return a, refused("The answer does not belong to a sign-in that was begun here.")
	}
	if code := query.Get("error"); code != "" {
		return a, refused("The identity provider did not let you in: " + shown(code) + ".")
	}
	found, err := p.discover(ctx)
	if err != nil {
		return a, err
	}
	ctx = oidc.ClientContext(ctx, p.Client)
	token, err := found.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(notes[verifierNote]))
	if rejected := (*oauth2.RetrieveError)(nil); errors.As(err, &rejected) && rejected.Response.StatusCode < 500 {
		return a, refused("The identity provider does not know this sign-in.").Because(err)
	} else if err != nil {
		return a, away(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := found.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return a, refused("The identity provider's answer cannot be trusted.").Because(err)
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(notes[nonceNote])) != 1 {
		return a, refused("The answer is of another sign-in.")
	}
	var c claims
	var all map[string]json.RawMessage
	if err := errors.Join(verified.Claims(&c), verified.Claims(&all)); err != nil {
		return a, refused("The identity provider's answer cannot be read.").Because(err)
	}
	if a.ProvedAt = time.Unix(c.AuthTime, 0).UTC(); c.AuthTime == 0 {
		a.ProvedAt = time.Time{}
	}
	if notes[freshNote] != "" && a.ProvedAt.Before(verified.IssuedAt.Add(-skew)) {
		return a, refused("The identity provider did not ask you anew.")
	}
	name := c.Name
	for _, other := range []string{c.Preferred, c.Email, verified.Subject} {
		if name == "" {
			name = other
		}
	}
	a.Who = domain.Staff{ID: verified.Subject, Name: name, Roles: p.roles(all[p.RolesClaim])}
	a.Session, a.Token = c.Session, raw
	return a, nil
}

func refused(what string) *domain.Error {
	return domain.Errorf(domain.Forbidden, "%s", what).WithNext("Begin again. If it goes on, tell whoever keeps access.")
}

// shown is an error code of OAuth, or nothing that anybody made up for a page.
func shown(code string) string {
	if len(code) > 40 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "it gave no reason"
	}
	return code
}

// roles are those that the groups of a claim come with: a list of names, or one.
func (p *Provider) roles(claim json.RawMessage) (roles []domain.Role) {
	var groups []string
	if json.Unmarshal(claim, &groups) != nil {
		var one string
		if json.Unmarshal(claim, &one) != nil {
			return nil
		}
		groups = strings.Fields(one)
	}
	return p.Roles.Of(groups)
}

// Leave returns where somebody is sent to end the provider's session too, and
// nothing where it has no such place (OpenID Connect RP-Initiated Logout 1.0).
func (p *Provider) Leave(ctx context.Context, token string) string {
	found, err := p.discover(ctx)
	if err != nil || found.end == "" {
		return "" // the session here is over all the same
	}
	q := url.Values{"client_id": {p.ClientID}, "post_logout_redirect_uri": {p.PublicURL + LeftPath}}
	if token != "" {
		q.Set("id_token_hint", token)
	}
	return found.end + "?" + q.Encode()
}

// event is what a logout token has to be about.
const event = "http://schemas.openid.net/event/backchannel-logout"

// Left verifies a logout token and returns the person and the provider's session
// that it is about; either may be empty, and not both.
func (p *Provider) Left(ctx context.Context, token string) (person, session string, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	verified, err := found.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(oidc.ClientContext(ctx, p.Client), token)
	if err != nil {
		return "", "", refused("The logout token cannot be trusted.").Because(err)
	}
	var c struct {
		Session string                     `json:"sid"`
		Events  map[string]json.RawMessage `json:"events"`
		Nonce   *string                    `json:"nonce"`
	}
	if err := verified.Claims(&c); err != nil {
		return "", "", refused("The logout token cannot be read.").Because(err)
	}
	if _, about := c.Events[event]; !about || c.Nonce != nil || verified.Subject == "" && c.Session == "" {
		return "", "", refused("This is no logout token.")
	}
	return verified.Subject, c.Session, nil
}
