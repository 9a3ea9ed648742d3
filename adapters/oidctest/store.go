package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// store is what the provider remembers. It implements op.Storage.
type store struct {
	settings Settings
	handler  http.Handler

	mu       sync.Mutex
	users    map[string]User
	clients  map[string]Client
	keys     []key // the first signs
	next     string
	refuse   string
	outage   Outage
	hung     chan struct{}
	requests map[string]int
	asked    map[string]*signIn
	codes    map[string]string
	sessions []session
	tokens   map[string]session // by id: of users, for userinfo and refreshing
}

var (
	_ op.Storage                        = (*store)(nil)
	_ op.ClientCredentialsStorage       = (*store)(nil)
	_ op.CanSetUserinfoFromRequest      = (*store)(nil)
	_ op.CanGetPrivateClaimsFromRequest = (*store)(nil)
)

// session is a user who is signed in to a client.
type session struct {
	id, subject, client string
	scopes              []string
	at                  time.Time
	amr                 []string
}

func newStore(s Settings) *store {
	st := &store{settings: s, users: map[string]User{}, clients: map[string]Client{}, keys: []key{newKey()}, requests: map[string]int{},
		asked: map[string]*signIn{}, codes: map[string]string{}, tokens: map[string]session{}}
	for _, u := range s.Users {
		st.users[u.Subject] = u
	}
	if len(s.Users) > 0 {
		st.next = s.Users[0].Subject
	}
	for _, c := range s.Clients {
		st.clients[c.ID] = c
	}
	return st
}

func (s *store) set(do func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s)
}

func (s *store) user(subject string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.users[subject]
	return u, known
}

// key is a signing key with its name; it is its own public part too.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func newKey() key {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // of a random source that has none
	}
	return key{rand.Text()[:10], private}
}

func (k key) ID() string                                  { return k.id }
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k key) Key() any                                    { return k.private }

type publicKey struct{ key }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

func (s *store) current() key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[0]
}

func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.current(), nil }

func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *store) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []op.Key
	for _, k := range s.keys {
		all = append(all, publicKey{k})
	}
	return all, nil
}

// signIn is a request to sign in, from its beginning to its token. It implements
// op.AuthRequest.
type signIn struct {
	id      string
	request oidc.AuthRequest
	session *session
}

func (r *signIn) GetID() string       { return r.id }
func (r *signIn) GetACR() string      { return "" }
func (r *signIn) GetClientID() string { return r.request.ClientID }
func (r *signIn) GetNonce() string    { return r.request.Nonce }
func (r *signIn) GetState() string    { return r.request.State }
func (r *signIn) GetScopes() []string { return r.request.Scopes }
func (r *signIn) Done() bool          { return r.session != nil }

func (r *signIn) GetAudience() []string              { return []string{r.request.ClientID} }
func (r *signIn) GetRedirectURI() string             { return r.request.RedirectURI }
func (r *signIn) GetResponseType() oidc.ResponseType { return r.request.ResponseType }
func (r *signIn) GetResponseMode() oidc.ResponseMode { return r.request.ResponseMode }

func (r *signIn) GetAMR() []string {
	if r.session == nil {
		return nil
	}
	return r.session.amr
}

func (r *signIn) GetAuthTime() time.Time {
	if r.session == nil {
		return time.Time{}
	}
	return r.session.at
}

func (r *signIn) GetSubject() string {
	if r.session == nil {
		return ""
	}
	return r.session.subject
}

func (r *signIn) GetCodeChallenge() *oidc.CodeChallenge {
	if r.request.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.request.CodeChallenge, Method: r.request.CodeChallengeMethod}
}

func (s *store) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	asked := &signIn{id: rand.Text(), request: *r}
	s.set(func(s *store) { s.asked[asked.id] = asked })
	return asked, nil
}

func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, there := s.asked[id]; there {
		return r, nil
	}
	return nil, oidc.ErrInvalidRequest().WithDescription("no such request")
}

func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id, there := s.codes[code]
	s.mu.Unlock()
	if !there {
		return nil, oidc.ErrInvalidGrant().WithDescription("no such code")
	}
	return s.AuthRequestByID(ctx, id)
}

func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.set(func(s *store) { s.codes[code] = id })
	return nil
}

func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.set(func(s *store) {
		delete(s.asked, id)
		for code, of := range s.codes {
			if of == id {
				delete(s.codes, code)
			}
		}
	})
	return nil
}

// signIn lets a user in.
func (s *store) signIn(id, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.asked[id]
	u, known := s.users[subject]
	if !there || !known {
		return fmt.Errorf("no such request or user")
	}
	amr, _ := u.Claims["amr"].([]string)
	signed := session{id: rand.Text(), subject: subject, client: r.request.ClientID, scopes: r.request.Scopes, at: time.Now(), amr: amr}
	done := *r
	done.session = &signed
	s.asked[id] = &done
	s.sessions = append(s.sessions, signed)
	return nil
}

// refused is where who is refused goes.
func (s *store) refused(id, code string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.asked[id]
	if !there {
		return "", false
	}
	back, err := url.Parse(r.request.RedirectURI)
	if err != nil {
		return "", false
	}
	q := back.Query()
	q.Set("error", code)
	q.Set("state", r.request.State)
	back.RawQuery = q.Encode()
	return back.String(), true
}

// sessionOf is the session that tokens are asked for in.
func sessionOf(r op.TokenRequest) session {
	switch r := r.(type) {
	case *signIn:
		return *r.session
	case *renewal:
		return r.session
	}
	return session{subject: r.GetSubject(), scopes: r.GetScopes()}
}

func (s *store) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	id := rand.Text()
	s.set(func(s *store) { s.tokens[id] = sessionOf(r) })
	return id, time.Now().Add(s.settings.Lifetime), nil
}

func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (string, string, time.Time, error) {
	id, until, err := s.CreateAccessToken(ctx, r)
	refresh := rand.Text()
	s.set(func(s *store) {
		delete(s.tokens, current)
		s.tokens[refresh] = sessionOf(r)
	})
	return id, refresh, until, err
}

// renewal implements op.RefreshTokenRequest.
type renewal struct{ session session }

func (r *renewal) GetAMR() []string                 { return r.session.amr }
func (r *renewal) GetAudience() []string            { return []string{r.session.client} }
func (r *renewal) GetAuthTime() time.Time           { return r.session.at }
func (r *renewal) GetClientID() string              { return r.session.client }
func (r *renewal) GetScopes() []string              { return r.session.scopes }
func (r *renewal) GetSubject() string               { return r.session.subject }
func (r *renewal) SetCurrentScopes(scopes []string) { r.session.scopes = scopes }

func (s *store) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, there := s.tokens[token]
	if !there || of.id == "" {
		return nil, op.ErrInvalidRefreshToken
	}
	return &renewal{of}, nil
}

func (s *store) GetRefreshTokenInfo(_ context.Context, _, token string) (string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, there := s.tokens[token]
	if !there {
		return "", "", op.ErrInvalidRefreshToken
	}
	return of.subject, token, nil
}

func (s *store) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.set(func(s *store) { delete(s.tokens, token) })
	return nil
}

// TerminateSession ends what a user has with a client, and tells it.
func (s *store) TerminateSession(ctx context.Context, subject, client string) error {
	for _, ended := range s.end(subject, client) {
		s.tell(op.IssuerFromContext(ctx), ended)
	}
	return nil
}

// end ends the sessions of a user, with one client or all, and returns them.
func (s *store) end(subject, client string) (ended []session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := func(of session) bool { return of.subject == subject && (client == "" || of.client == client) }
	for _, of := range s.sessions {
		if over(of) {
			ended = append(ended, of)
		}
	}
	s.sessions = slices.DeleteFunc(s.sessions, over)
	for id, of := range s.tokens {
		if over(of) {
			delete(s.tokens, id)
		}
	}
	return ended
}

// tell tells the client of a session that it is over, and reports whether the
// client took it.
func (s *store) tell(issuer string, of session) bool {
	s.mu.Lock()
	to := s.clients[of.client].BackchannelLogoutURI
	s.mu.Unlock()
	if to == "" {
		return false
	}
	token, err := s.logoutToken(issuer, of.client, of.subject, of.id)
	if err != nil {
		return false
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.PostForm(to, url.Values{"logout_token": {token}})
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent
}

func (s *store) logoutToken(issuer, client, subject, session string) (string, error) {
	k := s.current()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}},
		(&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		return "", err
	}
	claims := oidc.NewLogoutTokenClaims(issuer, subject, oidc.Audience{client}, time.Now().Add(2*time.Minute), rand.Text(), session, 0)
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, there := s.clients[id]; there {
		return client{c}, nil
	}
	return nil, oidc.ErrInvalidClient().WithDescription("no such client")
}

func (s *store) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, there := s.clients[id]
	if !there || c.Secret == "" || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return fmt.Errorf("no such client or another secret")
	}
	return nil
}

func (s *store) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, oidc.ErrInvalidClient().WithParent(err)
	}
	return s.GetClientByClientID(ctx, id)
}

// clientToken implements op.TokenRequest for a client by itself.
type clientToken struct {
	client, audience string
	scopes           []string
}

func (r clientToken) GetSubject() string    { return r.client }
func (r clientToken) GetAudience() []string { return []string{r.audience} }
func (r clientToken) GetScopes() []string   { return r.scopes }

func (s *store) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scopes = slices.DeleteFunc(scopes, func(scope string) bool { return scope == "" })
	for _, scope := range scopes {
		if !slices.Contains(s.clients[id].Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("the client may not have %s", scope)
		}
	}
	return clientToken{id, s.settings.Audience, scopes}, nil
}

func (s *store) GetKeyByIDAndClientID(_ context.Context, keyID, id string) (*jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.clients[id].Keys {
		if k.KeyID == keyID {
			return &k, nil
		}
	}
	return nil, fmt.Errorf("the client has no such key")
}

func (s *store) ValidateJWTProfileScopes(_ context.Context, _ string, scopes []string) ([]string, error) {
	return scopes, nil
}

func (s *store) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil // see SetUserinfoFromRequest
}

func (s *store) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	s.describe(info, r.GetSubject(), scopes)
	if r, ok := r.(op.TokenRequest); ok {
		info.AppendClaims("sid", sessionOf(r).id)
	}
	return nil
}

func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, token, subject, _ string) error {
	s.mu.Lock()
	of, there := s.tokens[token]
	s.mu.Unlock()
	if !there {
		return fmt.Errorf("no such token")
	}
	s.describe(info, subject, of.scopes)
	return nil
}

func (s *store) describe(info *oidc.UserInfo, subject string, scopes []string) {
	u, known := s.user(subject)
	if !known {
		return
	}
	info.Subject = subject
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = u.Name, subject
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = u.Email, true
	}
	info.AppendClaims(s.settings.RolesClaim, append([]string{}, u.Roles...))
	for name, value := range u.Claims {
		info.AppendClaims(name, value)
	}
}

func (s *store) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return nil
}

func (s *store) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// GetPrivateClaimsFromRequest gives tokens of clients the claims that Okta gives
// them.
func (s *store) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, scopes []string) (map[string]any, error) {
	if r, ok := r.(clientToken); ok {
		return map[string]any{"cid": r.client, "scp": scopes, "ver": 1}, nil
	}
	return nil, nil
}

func (s *store) Health(context.Context) error { return nil }

// client implements op.Client.
type client struct{ Client }

func (c client) GetID() string                    { return c.ID }
func (c client) RedirectURIs() []string           { return c.Client.RedirectURIs }
func (c client) PostLogoutRedirectURIs() []string { return c.PostLogoutURIs }

func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }

func (c client) AuthMethod() oidc.AuthMethod {
	switch {
	case c.Secret != "":
		return oidc.AuthMethodBasic
	case len(c.Keys) > 0:
		return oidc.AuthMethodPrivateKeyJWT
	}
	return oidc.AuthMethodNone
}

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials}
}

func (c client) LoginURL(id string) string            { return "/login?id=" + url.QueryEscape(id) }
func (c client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (c client) IDTokenLifetime() time.Duration       { return time.Hour }
func (c client) DevMode() bool                        { return true }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (c client) IsScopeAllowed(scope string) bool { return slices.Contains(c.Scopes, scope) }
