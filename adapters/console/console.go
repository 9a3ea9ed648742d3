package console

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/maintenance"
	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	web "cms.gov/ab2d/web/console"
)

// Config says how the console presents itself.
type Config struct {
	Sandbox   bool   // sample accounts without a password, on this machine only
	Version   string // of this software
	PublicURL string // what its addresses begin with
	Notice    []string

	Settings []Setting
	Checks   func(ctx context.Context) []Check // how the process does
	Watch    Watch

	Address  func(c *fiber.Ctx) netip.Addr // where a request came from
	Provider SignIn                        // nil in a sandbox without one
	Over     <-chan struct{}               // closed when the process stops: streams end
	Queue    http.Handler                  // the queue's own pages under QueuePath; nil for none
	Log      *slog.Logger
}

// Setting is a setting of the process as the console shows it.
type Setting struct{ Name, Value, From, Means string }

// Check is something that has to be well.
type Check struct {
	Name string
	Err  error
	Says string // more about it while it is well
	Do   string // what to do while it is not
}

// Watch is what is to be expected of what goes on in the background.
type Watch struct {
	Sweep   time.Duration // between two sweeps of the store of files
	Listing time.Duration // between two times that HPMS is asked; 0 where it is not followed
	Files   string        // where files are kept, in words
	Source  string        // where claims come from
}

// UseCases are what the console offers.
type UseCases struct {
	Staff       *staff.UseCase
	Oversight   *oversight.UseCase
	Attestation *attestation.UseCase
	Clients     *clients.UseCase
	Maintenance *maintenance.UseCase
	Clock       ports.Clock
}

type console struct {
	Config
	UseCases
	assets  map[string]asset
	mu      sync.Mutex
	streams map[string]int // open ones, by session
}

// QueuePath is where the queue's own pages are.
const QueuePath = root + "/river"

// root is what all addresses of the console begin with.
const root = "/console"

// policy is what pages may load: what is served here, and nothing inline.
const policy = "default-src 'self'; script-src 'self'; style-src 'self'%s; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'%s; frame-ancestors 'none'"

// NewApp returns an app for a process that serves the console alone.
func NewApp(around fiber.Handler) *fiber.App {
	app := fiber.New(fiber.Config{
		Immutable: true, UnescapePath: true, CaseSensitive: true, DisableStartupMessage: true, // strings of a request are reused memory unless they are copied
		BodyLimit: 1 << 20, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ReadBufferSize: 16 << 10, // no WriteTimeout: it would cut what is live
	})
	app.Server().CloseOnShutdown = true // an idle connection would hold up the shutdown
	app.Use(around)
	app.Get("/", func(c *fiber.Ctx) error { return c.Redirect(root + "/") })
	return app
}

// Mount serves the console on the app.
func Mount(app *fiber.App, cfg Config, use UseCases) error {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	c := &console{Config: cfg, UseCases: use, streams: map[string]int{}}
	var err error
	if c.assets, err = packed(web.Assets()); err != nil {
		return err
	}
	app.Get(web.Prefix+"*", c.asset)
	g := app.Group(root, c.around)
	c.signIn(g)
	c.pages(g)
	g.Use(c.signedIn(func(a *ask) error { return nothingHere() }))
	return nil
}

func (c *console) pages(g fiber.Router) {
	c.jobPages(g)
	c.dashboardPages(g)
	c.partyPages(g) // before: /sponsors/new is no sponsor
	c.contractPages(g)
	c.clientPages(g)
	c.auditPages(g)
	c.systemPages(g)
	c.approvalPages(g)
	c.heldPages(g)
	c.onboardingPages(g)
}

func nothingHere() error {
	return domain.Errorf(domain.NotFound, "There is nothing at this address.").WithNext("It may be mistyped, or what it was of is gone.")
}

// around is around every request of the console.
func (c *console) around(f *fiber.Ctx) (err error) {
	origin := ""
	if c.Provider != nil {
		origin = " " + c.Provider.Origin()
	}
	styles := ""
	if strings.HasPrefix(f.Path(), QueuePath+"/") {
		styles = " 'unsafe-inline'" // the queue's own pages set styles as they go; their scripts come from here like ours
	}
	f.Set(fiber.HeaderContentSecurityPolicy, fmt.Sprintf(policy, styles, origin))
	f.Set(fiber.HeaderCacheControl, "no-store")
	f.Set(fiber.HeaderReferrerPolicy, "same-origin")
	f.Set(fiber.HeaderXFrameOptions, "DENY")
	f.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if strings.HasPrefix(c.PublicURL, "https:") {
		f.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
	ctx, cancel := context.WithTimeout(f.UserContext(), 30*time.Second)
	defer cancel()
	f.SetUserContext(ctx)
	defer func() {
		if r := recover(); r != nil {
			err = c.failed(f, nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	if err := sameOrigin(f); err != nil {
		return c.failed(f, nil, err)
	}
	if err := f.Next(); err != nil {
		return c.failed(f, nil, err)
	}
	return nil
}

// sameOrigin refuses what a page of somebody else made the browser send.
func sameOrigin(f *fiber.Ctx) error {
	r := &http.Request{Method: f.Method(), Host: f.Hostname(), URL: &url.URL{Path: f.Path()}, Header: http.Header{}}
	for _, name := range []string{"Sec-Fetch-Site", "Origin"} {
		if v := f.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return domain.Errorf(domain.Forbidden, "The form did not come from this console.").WithNext("Open the page here and send it again.").Because(err)
	}
	return nil
}

// ask is one request of somebody who is signed in.
type ask struct {
	*fiber.Ctx
	*console
	who     domain.Staff
	session domain.Session
	mode    maintenance.Mode
}

func (a *ask) ctx() context.Context { return a.UserContext() }
func (a *ask) now() time.Time       { return a.Clock.Now() }

// permit refuses what only people with a permission may be shown.
func (a *ask) permit(p domain.Permission) error {
	return staff.Permit(a.ctx(), a.Oversight.Store, a.now(), a.who, p, "console.page", a.Path())
}

// by is who does something, and why.
func (a *ask) by() clients.By {
	return oversight.By(a.who, a.why())
}

// why is the reason that a form gives.
func (a *ask) why() domain.Reason {
	return domain.Reason{Text: strings.TrimSpace(a.FormValue("reason")), Ticket: strings.TrimSpace(a.FormValue("ticket"))}
}

// signedIn lets a handler see only requests of people who are signed in, and of
// forms only those that this session's pages made.
func (c *console) signedIn(h func(*ask) error) fiber.Handler { return c.guarded(domain.MaySee, h) }

// guarded lets a handler see only requests of people with a permission. The use
// cases ask again: this is what keeps a page from being shown.
func (c *console) guarded(p domain.Permission, h func(*ask) error) fiber.Handler {
	return func(f *fiber.Ctx) error {
		s, err := c.Staff.Resume(f.UserContext(), f.Cookies(c.cookieName()), byItself(f))
		if err == nil && !s.SignedIn() {
			err = domain.Errorf(domain.Unauthenticated, "You are not signed in yet.")
		}
		if domain.CodeOf(err) == domain.Unauthenticated {
			return c.askToSignIn(f, s, err)
		} else if err != nil {
			return c.failed(f, nil, err)
		}
		a := &ask{Ctx: f, console: c, session: s, who: s.Staff}
		a.who.From, a.who.Request = c.Address(f).String(), string(f.Response().Header.Peek(fiber.HeaderXRequestID))
		if f.Method() != fiber.MethodGet && f.Method() != fiber.MethodHead && !same(f.FormValue("token"), s.FormToken) {
			return c.failed(f, a, domain.Errorf(domain.Forbidden, "The form is not of this session, or is too old.").WithNext("Open the page again and send the form from there."))
		}
		if f.Method() == fiber.MethodPost && f.FormValue("hold") != "" { // sent as the session ran out: to be kept, not done
			if _, err := c.Staff.Note(a.ctx(), s, map[string]string{"held": a.typed().Encode(), "held at": f.Path()}); err != nil {
				return c.failed(f, a, err)
			}
			return f.Redirect(f.OriginalURL(), fiber.StatusSeeOther)
		}
		if err = a.permit(p); err == nil {
			a.mode, err = c.Maintenance.Now(a.ctx())
		}
		if err == nil {
			err = h(a)
		}
		if err != nil {
			return c.failed(f, a, err)
		}
		return nil
	}
}

// byItself reports whether a page asks again and again while nobody is there:
// that keeps no session alive.
func byItself(f *fiber.Ctx) bool {
	return strings.Contains(f.Get(fiber.HeaderAccept), "text/event-stream") || strings.HasPrefix(f.Path(), QueuePath+"/api/")
}

// statuses is the one table from codes to what HTTP says.
var statuses = map[domain.Code]int{
	domain.Invalid: 422, domain.Unauthenticated: 401, domain.Forbidden: 403, domain.BusinessRule: 409, domain.NotFound: 404, domain.Deleted: 410,
	domain.Expired: 410, domain.Conflict: 409, domain.Throttled: 429, domain.Unavailable: 503, domain.Internal: 500,
}

var titles = map[domain.Code]string{
	domain.Invalid: "That cannot be", domain.Forbidden: "You may not do this", domain.BusinessRule: "That cannot be now", domain.NotFound: "Not found", domain.Deleted: "It is gone",
	domain.Expired: "It is gone", domain.Conflict: "Somebody was faster", domain.Throttled: "Too many at once", domain.Unavailable: "Not available now", domain.Internal: "Something went wrong",
}

// explained returns what may be said of an error, and an id to quote where
// nothing may.
func (c *console) explained(f *fiber.Ctx, err error) (e *domain.Error, quote string) {
	if errors.As(err, &e) && e.Code != domain.Internal {
		return e, ""
	}
	if fe := (*fiber.Error)(nil); errors.As(err, &fe) && fe.Code < 500 {
		return domain.Errorf(domain.NotFound, "There is nothing at this address."), ""
	}
	quote = domain.NewQuote()
	c.Log.ErrorContext(f.UserContext(), "console", "path", f.Path(), "error", err, "quote", quote)
	return domain.Errorf(domain.Internal, "An internal error occurred.").WithNext("Try again. If it goes on, tell the help desk."), quote
}

func (c *console) failed(f *fiber.Ctx, a *ask, err error) error {
	e, quote := c.explained(f, err)
	f.Status(statuses[e.Code])
	if a == nil {
		return send(f, web.Turned(titles[e.Code], c.Sandbox, e.Message, e.Next))
	}
	return send(f, web.Refusal(a.shell(titles[e.Code], ""), e.Message, e.Next, quote))
}

// send renders to a buffer first, so that an error is a clean answer.
func send(f *fiber.Ctx, page templ.Component) error {
	var html bytes.Buffer
	if err := page.Render(f.UserContext(), &html); err != nil {
		return err
	}
	f.Type("html", "utf-8")
	f.Vary(fiber.HeaderAcceptEncoding)
	if !strings.Contains(f.Get(fiber.HeaderAcceptEncoding), "gzip") || html.Len() < 1<<10 {
		return f.Send(html.Bytes())
	}
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := z.Write(html.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	f.Set(fiber.HeaderContentEncoding, "gzip")
	return f.Send(small.Bytes())
}

func (a *ask) page(page templ.Component) error { return send(a.Ctx, page) }

// done are the things that a page may say were just done.
var done = map[string]string{
	"cancelled": "The job is cancelled and its files are gone.", "extended": "The files are kept longer.", "expired": "The files are gone.",
	"started": "The export is started.", "recorded": "The event is recorded.", "changed": "The change is made.", "stayed": "You stay signed in.",
	"decided": "The decision is recorded.", "asked": "Nothing is done yet: somebody else has to approve it.",
	"maintenance": "The maintenance mode is changed.",
	"sweep":       "A worker sweeps the store of files in a moment.", "hpms": "HPMS is asked in a moment.",
	"pause": "The queue is paused. What workers are at goes on to its end.", "resume": "The queue goes on.",
}

// shell is what surrounds a page: section is the address of the entry of the
// navigation that it belongs to.
func (a *ask) shell(title, section string, crumbs ...web.Link) web.Shell {
	s := web.Shell{Title: title, Sandbox: a.Sandbox, Person: a.who.Name, Token: a.session.FormToken, Version: a.Version, Crumbs: crumbs,
		Told: a.mode.Why(), Done: done[a.Query("done")], Search: "",
		Idle: int(a.Staff.Limits.Idle.Seconds()), Warn: int((a.Staff.Limits.Idle - min(2*time.Minute, a.Staff.Limits.Idle/2)).Seconds()),
		End: int(a.session.EndsAt.Sub(a.now()).Seconds())}
	var roles []string
	for _, r := range a.who.Roles {
		roles = append(roles, r.Title())
	}
	s.Roles = strings.Join(roles, ", ")
	for _, n := range []struct {
		text, url string
		p         domain.Permission
	}{
		{"Dashboard", root + "/", domain.MaySee}, {"Jobs", root + "/jobs", domain.MaySee}, {"Sponsors", root + "/sponsors", domain.MaySee},
		{"Contracts", root + "/contracts", domain.MaySee}, {"API clients", root + "/clients", domain.MaySee}, {"Approvals", approvalsPath, domain.MaySee}, {"Held changes", heldPath, domain.MaySee}, {"Audit log", root + "/audit", domain.MayReadAudit},
		{"System health", root + "/system", domain.MaySee}, {"Settings", root + "/settings", domain.MaySee},
	} {
		if a.who.May(n.p) {
			s.Nav = append(s.Nav, web.Link{Text: n.text, URL: n.url, Current: n.url == section})
		}
	}
	return s
}

type asset struct {
	plain, small []byte
	kind         string
}

// packed compresses what is served again and again, once.
func packed(files fs.FS) (map[string]asset, error) {
	all := map[string]asset{}
	return all, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		a := asset{plain: content, kind: cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")}
		if path.Ext(name) == ".woff2" {
			a.kind = "font/woff2"
		} else {
			var small bytes.Buffer
			z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
			if err != nil {
				return err
			}
			if _, err := z.Write(content); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
			a.small = small.Bytes()
		}
		all[name] = a
		return nil
	})
}

func (c *console) asset(f *fiber.Ctx) error {
	a, ok := c.assets[strings.TrimPrefix(f.Path(), web.Prefix)]
	if !ok {
		return fiber.ErrNotFound
	}
	f.Set(fiber.HeaderContentType, a.kind)
	f.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	f.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	f.Vary(fiber.HeaderAcceptEncoding)
	if a.small != nil && strings.Contains(f.Get(fiber.HeaderAcceptEncoding), "gzip") {
		f.Set(fiber.HeaderContentEncoding, "gzip")
		return f.Send(a.small)
	}
	return f.Send(a.plain)
}
