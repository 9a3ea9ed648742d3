package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/oidcsignin"
	"cms.gov/ab2d/adapters/oidctest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// trusting is a world whose people sign in at a provider that is not of our
// making. Its clock shows the time of day, since the provider's does.
func trusting(t *testing.T, page bool) (*world, *oidctest.Provider) {
	t.Helper()
	var idp *oidctest.Provider
	w := newWorld(t, func(c *console.Config) {
		base := c.PublicURL
		idp = oidctest.Start(t, oidctest.Settings{RolesClaim: "groups", Page: page,
			Users: []oidctest.User{{Subject: "dana", Name: "Dana Ortiz", Roles: []string{"ops"}}, {Subject: "kim", Name: "Kim Larsen", Roles: []string{"ops"}}, {Subject: "nobody", Name: "No Body", Roles: []string{"others"}}},
			Clients: []oidctest.Client{{ID: "console", RedirectURIs: []string{base + oidcsignin.CallbackPath}, PostLogoutURIs: []string{base + oidcsignin.LeftPath},
				BackchannelLogoutURI: base + "/console/backchannel"}}})
		c.Provider = oidcsignin.New(oidcsignin.Settings{Issuer: idp.URL, ClientID: "console", Scopes: []string{"profile"}, RolesClaim: "groups", Roles: domain.GroupRoles{"ops": {domain.Operator}}, PublicURL: base})
	})
	w.Clock.Advance(time.Since(w.Clock.Now()))
	return w, idp
}

// through follows where a form leads, the provider included, to the end.
func (v *visitor) through(a answer) answer {
	v.t.Helper()
	at, err := url.Parse(v.base)
	if err != nil {
		v.t.Fatal(err)
	}
	for range 10 {
		if a.to == "" {
			return a
		}
		if at, err = at.Parse(a.to); err != nil {
			v.t.Fatal(err)
		}
		here := *v
		here.base = ""
		a = here.get(at.String())
	}
	v.t.Fatal("redirects do not end")
	return a
}

func TestPeopleComeFromAProvider(t *testing.T) {
	w, idp := trusting(t, false)
	v := w.visitor(t)
	in := v.through(v.post("/console/login", url.Values{"back": {"/console/clients"}}))
	if in.status != 200 || !strings.Contains(in.body, "Dana Ortiz") || !strings.Contains(in.body, "<h1") || !strings.Contains(in.body, "API clients") {
		t.Fatalf("signing in ends with %d", in.status)
	}
	if a := v.post("/console/login/as", url.Values{"person": {"sandbox-admin"}}); a.status != 403 {
		t.Errorf("a sample account beside the provider: %d", a.status)
	}

	// A secret is shown to who proved who they are a moment ago, and to others after that.
	rotate := url.Values{"token": {v.token("/console/clients/client/rotate")}, "overlap": {"0"}, "reason": {"asked for by telephone"}}
	w.Clock.Advance(6 * time.Minute)
	sent := v.post("/console/clients/client/rotate", rotate)
	if !strings.HasPrefix(sent.to, idp.URL) || !strings.Contains(sent.to, "max_age=0") || strings.Contains(sent.body, "id=\"secret\"") {
		t.Fatalf("after six minutes: %d %s", sent.status, sent.to)
	}
	idp.As("kim")
	if a := v.through(sent); a.status != 403 {
		t.Errorf("somebody else proved themselves: %d", a.status)
	}
	idp.As("dana")
	w.Clock.Advance(-6 * time.Minute) // the provider's clock has not moved
	form := v.through(v.post("/console/clients/client/rotate", rotate))
	if form.status != 200 {
		t.Fatalf("with the right person: %d", form.status)
	}

	// The provider says that she has left.
	if n := idp.SignOut("dana"); n == 0 {
		t.Error("the console did not take the logout token")
	}
	if a := v.get("/console/clients"); a.status != 303 {
		t.Errorf("after the provider ended the session: %d", a.status)
	}
	if a := v.post("/console/backchannel", url.Values{"logout_token": {"forged"}}); a.status != 400 {
		t.Errorf("a forged logout token is answered %d", a.status)
	}
	found, err := w.Store.Search(t.Context(), ports.AuditQuery{Action: "console."})
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, e := range found {
		told += e.Action + " " + e.Outcome + " " + e.Actor.ID + "\n"
	}
	for _, want := range []string{"console.sign_in done dana", "console.prove forbidden dana", "console.sign_out done identity provider"} {
		if !strings.Contains(told, want) {
			t.Errorf("the audit trail lacks %q:\n%s", want, told)
		}
	}
}

func TestWhoIsKnownToTheProviderButHasNoRole(t *testing.T) {
	w, idp := trusting(t, false)
	idp.As("nobody")
	v := w.visitor(t)
	if a := v.through(v.post("/console/login", nil)); a.status != 403 || !strings.Contains(a.body, "No Body has no role") || !strings.Contains(a.body, "attestation_manager") {
		t.Errorf("without a role: %d", a.status)
	}
	idp.Refuse("access_denied")
	if a := v.through(v.post("/console/login", nil)); a.status != 403 || !strings.Contains(a.body, "access_denied") {
		t.Errorf("refused there: %d", a.status)
	}
	idp.Refuse("")
	if a := v.get("/console/callback?code=x&state=y"); a.status != 403 {
		t.Errorf("an answer that nobody asked for: %d", a.status)
	}
	if a := w.visitor(t).get("/console/callback?code=x&state=y"); a.to != "/console/login" {
		t.Errorf("an answer without a session: %d", a.status)
	}
	idp.SetOutage(oidctest.Cut)
	if a := v.get("/console/login"); a.status != 200 {
		t.Errorf("while the provider is away the notice is answered %d", a.status)
	}
}

func TestSigningInAndOutInABrowser(t *testing.T) {
	w, _ := trusting(t, true)
	ctx, said := browse(t)
	as := func(who string) {
		t.Helper()
		do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`button[name="user"]`)), chromedp.Click(chromedp.CSS(`button[value="`+who+`"]`)))
	}
	do(t, ctx, chromedp.Navigate(w.base+"/console/clients"), chromedp.Click(chromedp.CSS("main button")))
	as("dana")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS("nav.side")))
	w.Clock.Advance(6 * time.Minute)
	do(t, ctx, chromedp.Navigate(w.base+"/console/clients/client/rotate"))
	w.Clock.Advance(-6 * time.Minute)
	as("dana")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS("#reason")), chromedp.SendKeys(chromedp.CSS("#reason"), "asked for by telephone"), chromedp.Click(chromedp.CSS("main form button.main")))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS("#secret")))
	do(t, ctx, chromedp.Click(chromedp.CSS(`form[action="/console/logout"] button`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/console/login"]`)))
	if text := eval[string](t, ctx, "document.body.innerText"); !strings.Contains(text, "You are signed out.") {
		t.Errorf("after signing out the page says %.200s", text)
	}
	if len(*said) > 0 {
		t.Errorf("the browser says %q", *said)
	}
}
