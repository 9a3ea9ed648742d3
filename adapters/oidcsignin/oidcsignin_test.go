package oidcsignin_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/oidcsignin"
	"cms.gov/ab2d/adapters/oidctest"
	"cms.gov/ab2d/domain"
)

const base = "http://127.0.0.1:1"

func setup(t *testing.T) (*oidctest.Provider, *oidcsignin.Provider) {
	t.Helper()
	idp := oidctest.Start(t, oidctest.Settings{RolesClaim: "groups",
		Users:   []oidctest.User{{Subject: "dana", Name: "Dana Ortiz", Roles: []string{"AB2D Ops", "Others"}}, {Subject: "kim", Name: "Kim Larsen"}},
		Clients: []oidctest.Client{{ID: "console", Secret: "a secret", RedirectURIs: []string{base + oidcsignin.CallbackPath}, PostLogoutURIs: []string{base + oidcsignin.LeftPath}}}})
	roles, err := domain.ParseGroupRoles("AB2D Ops=operator, AB2D Ops=auditor, AB2D Admins=admin")
	if err != nil {
		t.Fatal(err)
	}
	return idp, oidcsignin.New(oidcsignin.Settings{Issuer: idp.URL, ClientID: "console", ClientSecret: "a secret", Scopes: []string{"profile"}, RolesClaim: "groups", Roles: roles, PublicURL: base})
}

// goThrough does what a browser does at the provider, and returns what it brings back.
func goThrough(t *testing.T, address string) url.Values {
	t.Helper()
	var back *url.URL
	browser := http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if "http://"+r.URL.Host == base {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if back == nil {
		t.Fatalf("the provider answers %s and does not send back", res.Status)
	}
	return back.Query()
}

func begin(t *testing.T, p *oidcsignin.Provider, fresh bool) (url.Values, map[string]string) {
	t.Helper()
	address, notes, err := p.Begin(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	if q, _ := url.Parse(address); q.Query().Get("code_challenge_method") != "S256" || (q.Query().Get("max_age") == "0") != fresh {
		t.Errorf("asked with %s", address)
	}
	return goThrough(t, address), notes
}

func TestSomebodySignsIn(t *testing.T) {
	_, p := setup(t)
	for _, fresh := range []bool{false, true} {
		query, notes := begin(t, p, fresh)
		a, err := p.Finish(t.Context(), query, notes)
		if err != nil {
			t.Fatal(err)
		}
		if a.Who.ID != "dana" || a.Who.Name != "Dana Ortiz" || !slices.Equal(a.Who.Roles, []domain.Role{domain.Operator, domain.Auditor}) || a.Session == "" || a.Token == "" || time.Since(a.ProvedAt) > time.Minute {
			t.Errorf("arrived: %+v", a)
		}
		if _, err := p.Finish(t.Context(), query, notes); domain.CodeOf(err) != domain.Forbidden {
			t.Errorf("the same answer once more: %v", err)
		}
	}
}

func TestWhoHasNoGroupHasNoRole(t *testing.T) {
	idp, p := setup(t)
	idp.As("kim")
	query, notes := begin(t, p, false)
	if a, err := p.Finish(t.Context(), query, notes); err != nil || a.Who.ID != "kim" || len(a.Who.Roles) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnswersThatDoNotBelongAreRefused(t *testing.T) {
	idp, p := setup(t)
	for what, spoil := range map[string]func(url.Values, map[string]string){
		"another state":         func(q url.Values, _ map[string]string) { q.Set("state", "other") },
		"no state":              func(q url.Values, _ map[string]string) { q.Del("state") },
		"a sign-in never begun": func(q url.Values, n map[string]string) { clear(n); q.Set("state", "") },
		"another nonce":         func(_ url.Values, n map[string]string) { n["oidc nonce"] = "other" },
		"another verifier": func(_ url.Values, n map[string]string) {
			n["oidc verifier"] = "otherotherotherotherotherotherotherotherother"
		},
		"no code":                func(q url.Values, _ map[string]string) { q.Del("code") },
		"a code of nobody's":     func(q url.Values, _ map[string]string) { q.Set("code", "other") },
		"an error of somebody's": func(q url.Values, _ map[string]string) { q.Set("error", "<script>") },
	} {
		query, notes := begin(t, p, false)
		notes = maps.Clone(notes)
		spoil(query, notes)
		if _, err := p.Finish(t.Context(), query, notes); domain.CodeOf(err) != domain.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	idp.Refuse("access_denied")
	query, notes := begin(t, p, false)
	if _, err := p.Finish(t.Context(), query, notes); domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("refused by the provider: %v", err)
	}
}

func TestAProviderThatIsAway(t *testing.T) {
	idp, p := setup(t)
	idp.SetOutage(oidctest.Failing)
	if _, _, err := p.Begin(t.Context(), false); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("away at the beginning: %v", err)
	}
	idp.SetOutage(oidctest.None)
	query, notes := begin(t, p, false)
	idp.SetOutage(oidctest.Cut)
	if _, err := p.Finish(t.Context(), query, notes); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("away at the end: %v", err)
	}
	idp.SetOutage(oidctest.None)
	if _, err := p.Finish(t.Context(), query, notes); err != nil {
		t.Errorf("back again: %v", err)
	}
}

func TestLogoutTokens(t *testing.T) {
	idp, p := setup(t)
	if person, session, err := p.Left(t.Context(), idp.LogoutToken("console", "dana", "s1")); err != nil || person != "dana" || session != "s1" {
		t.Errorf("%q, %q, %v", person, session, err)
	}
	good := map[string]any{"iss": idp.URL, "aud": []string{"console"}, "sub": "dana", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": "1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	if _, _, err := p.Left(t.Context(), idp.Sign(good)); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]map[string]any{
		"for somebody else": {"aud": []string{"other"}}, "of another issuer": {"iss": "http://other"}, "too old": {"exp": time.Now().Add(-time.Hour).Unix()},
		"with a nonce": {"nonce": "n"}, "about nobody": {"sub": ""}, "an ID token": {"events": nil}, "another event": {"events": map[string]any{"other": map[string]any{}}},
	} {
		bad := maps.Clone(good)
		maps.Copy(bad, change)
		if _, _, err := p.Left(t.Context(), idp.Sign(bad)); domain.CodeOf(err) != domain.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	other, _ := setup(t)
	if _, _, err := p.Left(t.Context(), other.Sign(good)); domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("signed by somebody else: %v", err)
	}
	if _, _, err := p.Left(t.Context(), ""); domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("none: %v", err)
	}
}
