package console

import (
	"context"
	"crypto/subtle"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

// SignIn is an identity provider that people sign in at.
type SignIn interface {
	// Origin is where its pages are, as https://idp.example.com.
	Origin() string
	// Begin returns the address at which somebody signs in, and what Finish has
	// to be given again. With fresh the provider asks them anew, even if
	// they are signed in there.
	Begin(ctx context.Context, fresh bool) (address string, notes map[string]string, err error)
	// Finish returns the person whom the provider sent back with these
	// parameters. Somebody without a role comes without one.
	Finish(ctx context.Context, query url.Values, notes map[string]string) (domain.Arrival, error)
	// Leave is where somebody is sent to end the provider's session too, with the
	// token that they arrived with; empty for nowhere.
	Leave(ctx context.Context, token string) string
	// Left verifies a logout token and returns the person and the provider's
	// session that it is about; either may be empty.
	Left(ctx context.Context, token string) (person, session string, err error)
}

// Sample are the accounts of a sandbox, one for each role.
var Sample = []domain.Staff{
	{ID: "sandbox-viewer", Name: "Vera Nguyen", Roles: []domain.Role{domain.Viewer}},
	{ID: "sandbox-operator", Name: "Dana Ortiz", Roles: []domain.Role{domain.Operator}},
	{ID: "sandbox-attestation", Name: "Mia Chen", Roles: []domain.Role{domain.AttestationManager}},
	{ID: "sandbox-auditor", Name: "Sam Okafor", Roles: []domain.Role{domain.Auditor}},
	{ID: "sandbox-admin", Name: "Kim Larsen", Roles: []domain.Role{domain.Admin}},
}

var mays = map[domain.Role]string{
	domain.Viewer:             "Sees everything but the audit log.",
	domain.Operator:           "Runs jobs and keeps API clients.",
	domain.AttestationManager: "Keeps sponsors, contracts and attestations.",
	domain.Auditor:            "Reads the audit log.",
	domain.Admin:              "May do everything.",
}

// DefaultNotice is what is acknowledged before anybody signs in, after the
// system use notification that federal systems show (NIST SP 800-53, AC-8).
var DefaultNotice = []string{
	"You are accessing a U.S. Government information system, which includes this computer, its network, and all that is attached to them. It is provided for authorized use only.",
	"Unauthorized or improper use may result in disciplinary action, and in civil and criminal penalties.",
	"By using this system you understand and consent that you have no reasonable expectation of privacy in what you communicate or store on it. At any time, and for any lawful purpose, it may be monitored, recorded and searched.",
}

func (c *console) cookieName() string {
	if strings.HasPrefix(c.PublicURL, "https:") {
		return "__Host-ab2d_console"
	}
	return "ab2d_console" // __Host- wants Secure, which plain http on this machine is not
}

func (c *console) setCookie(f *fiber.Ctx, key string) {
	cookie := &fiber.Cookie{Name: c.cookieName(), Value: key, Path: "/", HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Secure: strings.HasPrefix(c.PublicURL, "https:"), SessionOnly: true}
	if key == "" {
		cookie.SessionOnly, cookie.Expires = false, time.Unix(1, 0)
	}
	f.Cookie(cookie)
}

func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func (c *console) signIn(g fiber.Router) {
	g.Get("/login", c.notice)
	g.Post("/login", c.agreed)
	g.Get("/login/as", c.pick)
	g.Post("/login/as", c.picked)
	g.Get("/callback", c.callback)
	g.Get("/left", func(f *fiber.Ctx) error { return f.Redirect(root+"/login?why=left", fiber.StatusSeeOther) })
	g.Post("/backchannel", c.backchannel)
	g.Post("/logout", c.signedIn(c.logout))
	g.Get("/session", c.signedIn(func(a *ask) error { return a.JSON(fiber.Map{"ends": web.UTC(a.session.EndsAt)}) }))
}

// backTo returns where somebody may be sent back to: a page of the console and
// nothing else.
func backTo(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path.Clean(u.Path)+"/", root+"/") || strings.Contains(address, "\\") ||
		strings.HasPrefix(u.Path, root+"/log") || strings.HasPrefix(u.Path, root+"/left") || strings.HasPrefix(u.Path, root+"/callback") {
		return root + "/"
	}
	return u.RequestURI()
}

// askToSignIn sends somebody to the sign-in, to come back to the page. What a
// form held is kept with the session that is over, for the one that follows it.
func (c *console) askToSignIn(f *fiber.Ctx, s domain.Session, why error) error {
	if strings.Contains(f.Get(fiber.HeaderAccept), "application/json") || strings.Contains(f.Get(fiber.HeaderAccept), "text/event-stream") || f.Get("HX-Request") != "" {
		return f.SendStatus(fiber.StatusUnauthorized)
	}
	to := url.Values{"back": {backTo(f.OriginalURL())}}
	if s.SignedIn() {
		to.Set("why", "over")
		if f.Method() == fiber.MethodPost && same(f.FormValue("token"), s.FormToken) {
			if _, err := c.Staff.Note(f.UserContext(), s, map[string]string{"held": typed(f).Encode(), "held at": f.Path()}); err != nil {
				return c.failed(f, nil, err)
			}
		}
	}
	return f.Redirect(root+"/login?"+to.Encode(), fiber.StatusSeeOther)
}

func (c *console) notice(f *fiber.Ctx) error {
	why := ""
	if f.Query("why") == "over" {
		why = "Your session is over. Sign in again to come back to where you were; what you typed is kept."
	} else if f.Query("why") == "left" {
		why = "You are signed out."
	}
	notice := c.Notice
	if len(notice) == 0 {
		notice = DefaultNotice
	}
	return send(f, web.Notice(c.Sandbox, why, notice, backTo(f.Query("back"))))
}

// agreed begins a session without a person, and takes over what a form of the
// one before held.
func (c *console) agreed(f *fiber.Ctx) error {
	notes := map[string]string{"back": backTo(f.FormValue("back"))}
	if old, err := c.Staff.Resume(f.UserContext(), f.Cookies(c.cookieName()), true); err == nil || domain.CodeOf(err) == domain.Unauthenticated {
		for _, n := range []string{"held", "held at"} {
			if v := old.Notes[n]; v != "" {
				notes[n], notes["held of"] = v, old.Staff.ID
			}
		}
	}
	to := root + "/login/as"
	if c.Provider != nil {
		address, more, err := c.Provider.Begin(f.UserContext(), false)
		if err != nil {
			return err
		}
		for k, v := range more {
			notes[k] = v
		}
		to = address
	} else if !c.sampleAllowed(f) {
		return noProvider()
	}
	key, _, err := c.Staff.Agree(f.UserContext(), notes)
	if err != nil {
		return err
	}
	c.setCookie(f, key)
	return f.Redirect(to, fiber.StatusSeeOther)
}

func noProvider() error {
	return domain.Errorf(domain.Forbidden, "Nobody can sign in here.").WithNext("Sample accounts are for a sandbox on the machine itself; elsewhere an identity provider has to be set up.")
}

// sampleAllowed reports whether sample accounts may be used: in a sandbox, by
// somebody on this machine who asked for this machine. The name that was asked
// for counts too, since a page elsewhere can have a name of its own point here.
func (c *console) sampleAllowed(f *fiber.Ctx) bool {
	host := f.Hostname()
	if i := strings.LastIndex(host, ":"); i > strings.LastIndex(host, "]") {
		host = host[:i]
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return c.Sandbox && c.Provider == nil && (host == "localhost" || err == nil && addr.IsLoopback()) && c.Address(f).IsLoopback()
}

// arriving returns the session of somebody who acknowledged the notice and has
// not signed in yet.
func (c *console) arriving(f *fiber.Ctx) (domain.Session, error) {
	s, err := c.Staff.Resume(f.UserContext(), f.Cookies(c.cookieName()), true)
	if err == nil && s.SignedIn() {
		err = domain.Errorf(domain.Unauthenticated, "You are signed in already.")
	}
	return s, err
}

func (c *console) pick(f *fiber.Ctx) error {
	if !c.sampleAllowed(f) {
		return noProvider()
	}
	s, err := c.arriving(f)
	if err != nil {
		return f.Redirect(root+"/login", fiber.StatusSeeOther)
	}
	people := make([]web.Person, len(Sample))
	for i, p := range Sample {
		people[i] = web.Person{ID: p.ID, Name: p.Name, Role: p.Roles[0].Title(), May: mays[p.Roles[0]]}
	}
	return send(f, web.Picker(s.FormToken, people))
}

func (c *console) picked(f *fiber.Ctx) error {
	if !c.sampleAllowed(f) {
		return noProvider()
	}
	s, err := c.arriving(f)
	if err != nil {
		return f.Redirect(root+"/login", fiber.StatusSeeOther)
	}
	i := slices.IndexFunc(Sample, func(p domain.Staff) bool { return p.ID == f.FormValue("person") })
	if i < 0 || !same(f.FormValue("token"), s.FormToken) {
		return domain.Errorf(domain.Forbidden, "The form is not of this session.").WithNext("Begin again.")
	}
	return c.enter(f, s, domain.Arrival{Who: Sample[i]})
}

// enter signs the person in and sends them to where they wanted to be.
func (c *console) enter(f *fiber.Ctx, s domain.Session, arrived domain.Arrival) error {
	who := &arrived.Who
	who.From, who.Request = c.Address(f).String(), string(f.Response().Header.Peek(fiber.HeaderXRequestID))
	back := backTo(s.Notes["back"])
	if s.Notes["held"] != "" && s.Notes["held of"] != who.ID {
		delete(s.Notes, "held") // somebody else's form
	}
	s.Notes = map[string]string{"held": s.Notes["held"], "held at": s.Notes["held at"]}
	key, _, err := c.Staff.SignIn(f.UserContext(), s, arrived)
	if err != nil {
		return err
	}
	c.setCookie(f, key)
	return f.Redirect(back, fiber.StatusSeeOther)
}

func (c *console) callback(f *fiber.Ctx) error {
	if c.Provider == nil {
		return noProvider()
	}
	s, err := c.Staff.Resume(f.UserContext(), f.Cookies(c.cookieName()), true)
	if err != nil {
		return f.Redirect(root+"/login", fiber.StatusSeeOther)
	}
	query, err := url.ParseQuery(string(f.Request().URI().QueryString()))
	if err != nil {
		return domain.Errorf(domain.Invalid, "The identity provider's answer cannot be read.")
	}
	arrived, err := c.Provider.Finish(f.UserContext(), query, s.Notes)
	if err != nil {
		return err
	}
	if s.SignedIn() {
		return c.proved(f, s, arrived)
	}
	if len(arrived.Who.Roles) == 0 {
		return domain.Errorf(domain.Forbidden, "%s has no role in the console yet.", arrived.Who.Name).
			WithNext("Ask whoever keeps access for one of the groups that go with a role: " + strings.Join(roleNames(), ", ") + ".")
	}
	return c.enter(f, s, arrived)
}

// proved goes on with what somebody who is signed in had to prove themselves for.
func (c *console) proved(f *fiber.Ctx, s domain.Session, arrived domain.Arrival) error {
	back := backTo(s.Notes["prove for"])
	notes := map[string]string{"prove for": ""}
	for name := range s.Notes {
		if strings.HasPrefix(name, "oidc ") {
			notes[name] = "" // an answer counts once
		}
	}
	who := s.Staff
	who.From, who.Request = c.Address(f).String(), string(f.Response().Header.Peek(fiber.HeaderXRequestID))
	s, err := c.Staff.Prove(f.UserContext(), s, who, arrived)
	if err != nil {
		return err
	}
	if _, err := c.Staff.Note(f.UserContext(), s, notes); err != nil {
		return err
	}
	return f.Redirect(back, fiber.StatusSeeOther)
}

// fresh lets a handler see only requests of people who proved a moment ago who
// they are; others are sent to do so, and what their form held is kept. Sample
// accounts have nothing to prove.
func (c *console) fresh(h func(*ask) error) func(*ask) error {
	return func(a *ask) error {
		if a.Provider == nil || a.Staff.Fresh(a.session) {
			return h(a)
		}
		address, notes, err := a.Provider.Begin(a.ctx(), true)
		if err != nil {
			return err
		}
		notes["prove for"] = a.OriginalURL()
		if a.Method() == fiber.MethodPost {
			notes["held"], notes["held at"] = a.typed().Encode(), a.Path()
		}
		if _, err := a.Staff.Note(a.ctx(), a.session, notes); err != nil {
			return err
		}
		return a.Redirect(address, fiber.StatusSeeOther)
	}
}

// typed is what the form held, without what proves that it is ours.
func (a *ask) typed() url.Values { return typed(a.Ctx) }

func typed(f *fiber.Ctx) url.Values {
	held := url.Values{}
	f.Request().PostArgs().VisitAll(func(key, value []byte) {
		if k := string(key); k != "token" && k != "hold" {
			held.Add(k, string(value))
		}
	})
	return held
}

func roleNames() []string {
	var names []string
	for _, r := range domain.Roles {
		names = append(names, string(r))
	}
	return names
}

// backchannel is where the identity provider tells that a session is over
// (OpenID Connect Back-Channel Logout 1.0).
func (c *console) backchannel(f *fiber.Ctx) error {
	if c.Provider == nil {
		return noProvider()
	}
	person, session, err := c.Provider.Left(f.UserContext(), f.FormValue("logout_token"))
	if domain.CodeOf(err) == domain.Unavailable {
		return err
	} else if err != nil {
		return f.SendStatus(fiber.StatusBadRequest)
	}
	return c.Staff.EndAll(f.UserContext(), session, person)
}

func (c *console) logout(a *ask) error {
	if err := a.Staff.SignOut(a.ctx(), a.session, a.who); err != nil {
		return err
	}
	a.setCookie(a.Ctx, "")
	to := root + "/login?why=left"
	if a.Provider != nil {
		if there := a.Provider.Leave(a.ctx(), a.session.Notes[staff.TokenNote]); there != "" {
			to = there
		}
	}
	return a.Redirect(to, fiber.StatusSeeOther)
}

// held returns what a form of this page held when the session before ended.
func (a *ask) held() url.Values {
	if a.session.Notes["held at"] != a.Path() || a.session.Notes["held"] == "" {
		return nil
	}
	values, err := url.ParseQuery(a.session.Notes["held"])
	if err != nil {
		return nil
	}
	return values
}
