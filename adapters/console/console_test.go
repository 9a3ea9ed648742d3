package console_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// actions are all forms that change something, with the permission they need.
func (w *world) actions() map[string]domain.Permission {
	job := "/console/jobs/" + string(w.jobs[domain.Successful])
	return map[string]domain.Permission{
		job + "/cancel": domain.MayRunJobs, job + "/retry": domain.MayRunJobs, job + "/extend": domain.MayRunJobs, job + "/expire": domain.MayRunJobs,
		"/console/jobs/start": domain.MayRunJobs, "/console/contracts/S0001/attestation?kind=lapse": domain.MayManageContracts,
		"/console/clients/new": domain.MayManageClients, "/console/clients/client/rotate": domain.MayManageClients, "/console/clients/client/disable": domain.MayManageClients,
		"/console/clients/client/enable": domain.MayManageClients, "/console/clients/client/networks": domain.MayManageClients, "/console/clients/client/keys": domain.MayManageClients,
		"/console/clients/client/revoke": domain.MayManageClients, "/console/clients/client/deliver": domain.MayManageClients, "/console/system/maintenance": domain.MayManageSettings,
		"/console/contracts/S0001/specialist": domain.MayManageContracts, "/console/contracts/S0001/sandbox": domain.MayManageContracts, "/console/contracts/S0001/override": domain.MayManageContracts,
		"/console/sponsors/new": domain.MayManageContracts, "/console/sponsors/sponsor/edit": domain.MayManageContracts, "/console/sponsors/sponsor/merge": domain.MayManageContracts,
		"/console/sponsors/sponsor/deactivate": domain.MayManageContracts, "/console/sponsors/sponsor/activate": domain.MayManageContracts, "/console/contracts/new": domain.MayManageContracts, "/console/contracts/S0001/edit": domain.MayManageContracts,
		"/console/held/people/release": domain.MayManageContracts, "/console/held/listed/reject": domain.MayManageContracts,
		"/console/system/sweep": domain.MayRunJobs, "/console/system/pause": domain.MayRunJobs, "/console/system/resume": domain.MayRunJobs, "/console/system/hpms": domain.MayManageContracts,
	}
}

func (w *world) denied(t *testing.T) int {
	t.Helper()
	found, err := w.Store.Search(t.Context(), ports.AuditQuery{Outcome: "forbidden", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func TestNobodySeesAnythingWithoutSigningIn(t *testing.T) {
	w := newWorld(t)
	v := w.visitor(t)
	for name, path := range w.pages() {
		if a := v.get(path); a.status != 303 || !strings.HasPrefix(a.to, "/console/login?") || strings.Contains(a.body, "S0001") {
			t.Errorf("%s answers %d %s to a stranger", name, a.status, a.to)
		}
	}
	for path := range w.actions() {
		if a := v.post(path, url.Values{"reason": {"for no reason at all"}}); a.status != 303 || !strings.HasPrefix(a.to, "/console/login?") {
			t.Errorf("a stranger's form to %s is answered %d", path, a.status)
		}
	}
	if s := w.Job(w.jobs[domain.Successful]); s.State != domain.Successful {
		t.Errorf("a stranger made the job %s", s.State)
	}
}

// Each role reaches what its permissions say, in pages and in forms, and what it
// is refused is in the audit trail.
func TestRolesReachWhatTheyMayAndNoMore(t *testing.T) {
	w := newWorld(t)
	for _, person := range console.Sample {
		v := w.signIn(t, person.ID)
		token := v.token("/console/")
		for path, p := range w.actions() {
			before := w.denied(t)
			page, form := v.get(path), v.post(path, url.Values{"token": {token}, "reason": {"short"}})
			if person.May(p) {
				if page.status != 200 || form.status == 403 || form.status == 303 {
					t.Errorf("%s may %s, but %s answers %d and %d", person.Roles[0], p, path, page.status, form.status)
				}
				continue
			}
			if page.status != 403 || form.status != 403 {
				t.Errorf("%s may not %s, but %s answers %d and %d", person.Roles[0], p, path, page.status, form.status)
			}
			if got := w.denied(t) - before; got < 2 {
				t.Errorf("%d of 2 tries of %s at %s are in the audit trail", got, person.Roles[0], path)
			}
		}
		want := 403
		if person.May(domain.MayReadAudit) {
			want = 200
		}
		for _, path := range []string{"/console/audit", "/console/audit.csv", "/console/audit.ndjson"} {
			if a := v.get(path); a.status != want {
				t.Errorf("%s is answered %d at %s", person.Roles[0], a.status, path)
			}
		}
		if a := v.get("/console/jobs"); a.status != 200 || strings.Contains(a.body, "Start an export") != person.May(domain.MayRunJobs) {
			t.Errorf("%s: the list answers %d, or offers what may not be done", person.Roles[0], a.status)
		}
	}
}

func TestForgedFormsChangeNothing(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-admin")
	id := w.jobs[domain.Successful]
	path := "/console/jobs/" + string(id) + "/cancel"
	form := url.Values{"reason": {"asked for by the sponsor"}, "token": {v.token(path)}}
	for name, header := range map[string]http.Header{
		"another site": {"Sec-Fetch-Site": {"cross-site"}}, "a sister site": {"Sec-Fetch-Site": {"same-site"}}, "another origin": {"Origin": {"http://evil.example"}},
	} {
		r, err := http.NewRequest("POST", w.base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := v.send(r); a.status != 403 {
			t.Errorf("a form of %s is answered %d", name, a.status)
		}
	}
	for _, token := range []string{"", "wrong", w.signIn(t, "sandbox-admin").token(path)} {
		if a := v.post(path, url.Values{"reason": {"asked for by the sponsor"}, "token": {token}}); a.status != 403 {
			t.Errorf("a form with the token %.10q is answered %d", token, a.status)
		}
	}
	if s := w.Job(id); s.State != domain.Successful {
		t.Fatalf("a forged form made the job %s", s.State)
	}
	if a := v.post(path, form); a.status != 303 || w.Job(id).State != domain.Cancelled {
		t.Errorf("the true form is answered %d and the job is %s", a.status, w.Job(id).State)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-admin")
	none := string(domain.NewJobID())
	for _, path := range []string{"/console/jobs/" + none, "/console/jobs/odd", "/console/jobs/" + none + "/cancel", "/console/contracts/S9999", "/console/contracts/odd", "/console/contracts/S9999/attestation?kind=lapse",
		"/console/contracts/S0001/attestation?kind=odd", "/console/clients/none", "/console/clients/none/rotate", "/console/sponsors/none", "/console/sponsors/none/edit", "/console/sponsors/none/merge", "/console/contracts/S9999/edit", "/console/contracts/odd/edit", "/console/nowhere", "/console/system?tab=odd", "/console/system/odd", "/console/jobs/" + string(w.jobs[domain.Failed]) + "?tab=odd"} {
		if a := v.get(path); a.status != 404 {
			t.Errorf("%s is answered %d", path, a.status)
		}
	}
	token := v.token("/console/")
	for _, path := range []string{"/console/jobs/" + none + "/cancel", "/console/jobs/" + none + "/retry", "/console/clients/none/disable", "/console/contracts/S9999/attestation", "/console/sponsors/none/edit", "/console/sponsors/none/merge", "/console/sponsors/none/deactivate", "/console/contracts/S9999/edit"} {
		if a := v.post(path, url.Values{"token": {token}, "reason": {"asked for by the sponsor"}, "kind": {"lapse"}}); a.status != 404 {
			t.Errorf("a form to %s is answered %d", path, a.status)
		}
	}
}

// What staff do to a job happens, with the reason and who did it in the trail.
func TestStaffRunJobs(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-operator")
	id := w.jobs[domain.Successful]
	here := "/console/jobs/" + string(id)
	form := func(more ...string) url.Values {
		f := url.Values{"token": {v.token(here + "/cancel")}, "reason": {"the sponsor called about it"}, "ticket": {"INC-7"}}
		for i := 0; i+1 < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	if a := v.post(here+"/extend", form("reason", "short", "days", "7")); a.status != 422 || !strings.Contains(a.body, "too short") || !strings.Contains(a.body, ">short<") {
		t.Errorf("a reason that tells nothing is answered %d, or what was typed is lost", a.status)
	}
	before := w.Job(id).ExpiresAt
	if a := v.post(here+"/extend", form("days", "7")); a.status != 303 || !w.Job(id).ExpiresAt.After(before) {
		t.Errorf("extending is answered %d: %s", a.status, w.Job(id).ExpiresAt)
	}
	if a := v.post("/console/jobs/"+string(w.jobs[domain.Submitted])+"/cancel", form()); a.status != 303 || w.Job(w.jobs[domain.Submitted]).State != domain.Cancelled {
		t.Errorf("cancelling is answered %d", a.status)
	}
	a := v.post("/console/jobs/"+string(w.jobs[domain.Failed])+"/retry", form())
	next, err := domain.ParseJobID(strings.TrimSuffix(strings.TrimPrefix(a.to, "/console/jobs/"), "?done=started"))
	if err != nil || w.Job(next).State != domain.Submitted || w.Job(next).Client != w.Client.ID {
		t.Errorf("starting again is answered %d %s", a.status, a.to)
	}
	if was, is := w.Job(w.jobs[domain.Failed]), w.Job(next); was.Terms.IsZero() || !reflect.DeepEqual(is.Terms, was.Terms) || !is.Partials.Allowed {
		t.Errorf("starting again asks for %+v, %+v, and not for %+v", is.Terms, is.Partials, was.Terms)
	}
	if a := v.post(here+"/expire", form()); a.status != 303 || w.Job(id).State != domain.Lapsed {
		t.Errorf("expiring is answered %d", a.status)
	}
	if a := v.post(here+"/extend", form("days", "7")); a.status != 409 {
		t.Errorf("extending what is gone is answered %d", a.status)
	}
	records, err := w.Store.Search(t.Context(), ports.AuditQuery{Actor: "sandbox-operator", Action: "job."})
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, r := range slices.Backward(records) {
		did = append(did, r.Action+" "+r.Outcome)
		if r.Detail["reason"] == "" || r.Detail["ticket"] != "INC-7" || r.Detail["role"] != "operator" || r.Detail["name"] != "Dana Ortiz" || r.Actor.From != "127.0.0.1" {
			t.Errorf("%s does not tell who and why: %+v", r.Action, r)
		}
	}
	if want := []string{"job.extend done", "job.cancel done", "job.retry done", "job.expire done", "job.extend conflict"}; !slices.Equal(did, want) {
		t.Errorf("the trail tells %q, want %q", did, want)
	}
	if page := v.get(here + "?tab=history").body; !strings.Contains(page, "the sponsor called about it") {
		t.Error("the job's page does not tell its history")
	}
}

// The page of a job answers the sponsor's phone call.
func TestAJobSaysWhoFetchedItsFiles(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-viewer")
	page := v.get("/console/jobs/" + string(w.jobs[domain.Successful]) + "?tab=files").body
	for _, want := range []string{"S0001_0001.ndjson", "192.0.2.7", "Complete", "Partial", "Fetched"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if page := v.get("/console/jobs/" + string(w.jobs[domain.Successful]) + "?tab=errors").body; !strings.Contains(page, "could not be read") && !strings.Contains(page, "could not be had") {
		t.Error("the errors are not grouped by what they say")
	}
}

// A change of an attestation is shown before it is made, made once it was seen,
// and refused when the history moved on meanwhile.
func TestAnAttestationIsSeenBeforeItIsChanged(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-attestation")
	path := "/console/contracts/S0001/attestation"
	form := url.Values{"token": {v.token(path + "?kind=lapse")}, "kind": {"lapse"}, "who": {"Ada|CFO"}, "effective": {"2026-03-02"}, "reason": {"Ada left the company"}, "preview": {"1"}}
	shown := v.post(path, form)
	if shown.status != 200 || !strings.Contains(shown.body, "2 running exports stop") || !strings.Contains(shown.body, "keeps 2020-01-01") || !strings.Contains(shown.body, "answer 403") {
		t.Fatalf("the preview answers %d:\n%s", shown.status, shown.body)
	}
	events := func() (n int) {
		w.Do(func(ctx context.Context, tx ports.Tx) error {
			all, err := tx.Attestations.Of(ctx, site.First)
			n = len(all)
			return err
		})
		return n
	}
	if events() != 1 {
		t.Fatal("a preview recorded something")
	}
	form.Del("preview")
	form.Set("seen", "something else")
	if a := v.post(path, form); a.status != 409 || events() != 1 {
		t.Errorf("a change decided on an older history is answered %d", a.status)
	}
	_, seen, _ := strings.Cut(shown.body, `name="seen" value="`)
	seen, _, _ = strings.Cut(seen, `"`)
	form.Set("seen", seen)
	if a := v.post(path, form); a.status != 303 || events() != 2 {
		t.Errorf("recording is answered %d", a.status)
	}
	if page := v.get("/console/contracts/S0001?tab=attestation").body; !strings.Contains(page, "No claims are available, because no attestor is active.") || !strings.Contains(page, "Ada left the company") {
		t.Error("the contract's page does not tell it")
	}
}

func TestASecretIsShownOnce(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-operator")
	made := v.post("/console/clients/new", url.Values{"token": {v.token("/console/clients/new")}, "name": {"Nightly"}, "contracts": {"S0001"}, "networks": {"192.0.2.0/24"}, "reason": {"a new integration of theirs"}})
	_, secret, _ := strings.Cut(made.body, `<code id="secret">`)
	secret, _, _ = strings.Cut(secret, "<")
	_, id, _ := strings.Cut(made.body, `href="/console/clients/`)
	id, _, _ = strings.Cut(id, `"`)
	if made.status != 200 || len(secret) < 32 || id == "" {
		t.Fatalf("creating a client is answered %d", made.status)
	}
	for _, path := range []string{"/console/clients/" + id, "/console/clients", "/console/clients.csv"} {
		if a := v.get(path); a.status != 200 || strings.Contains(a.body, secret) || !strings.Contains(a.body, "Nightly") {
			t.Errorf("%s answers %d, or shows the secret again", path, a.status)
		}
	}
}

func TestSpreadsheetsGetNoFormulas(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-viewer")
	a := v.get("/console/contracts.csv")
	if !strings.Contains(a.body, "'=a formula") || strings.Contains(a.body, ",=a formula") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		t.Errorf("the file holds a formula:\n%s", a.body)
	}
}

// Sessions end for want of activity and at all; a form that came too late is
// there again afterwards, for the same person only.
func TestAFormSurvivesTheEndOfItsSession(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-operator")
	path := "/console/jobs/" + string(w.jobs[domain.Successful]) + "/cancel"
	form := url.Values{"token": {v.token(path)}, "reason": {"a long story that nobody wants to type again"}}
	w.Clock.Advance(15*time.Minute - time.Second)
	if a := v.get("/console/jobs"); a.status != 200 {
		t.Fatalf("just before the end: %d", a.status)
	}
	w.Clock.Advance(15 * time.Minute)
	late := v.post(path, form)
	if late.status != 303 || !strings.Contains(late.to, "why=over") || w.Job(w.jobs[domain.Successful]).State != domain.Successful {
		t.Fatalf("a form after the end is answered %d %s", late.status, late.to)
	}
	again := func(person string) string {
		back, err := url.Parse(late.to)
		if err != nil {
			t.Fatal(err)
		}
		v.post("/console/login", url.Values{"back": {back.Query().Get("back")}})
		in := v.post("/console/login/as", url.Values{"token": {v.token("/console/login/as")}, "person": {person}})
		return v.get(in.to).body
	}
	if page := again("sandbox-operator"); !strings.Contains(page, "a long story that nobody wants to type again") {
		t.Error("what was typed is lost")
	}
	w.Clock.Advance(8 * time.Hour)
	if a := v.get("/console/jobs"); a.status != 303 {
		t.Errorf("after the longest life: %d", a.status)
	}
}

func TestSampleAccountsAreForThisMachineOnly(t *testing.T) {
	elsewhere := newWorld(t, func(c *console.Config) {
		c.Address = func(*fiber.Ctx) netip.Addr { return netip.MustParseAddr("192.0.2.1") }
	})
	if a := elsewhere.visitor(t).post("/console/login", nil); a.status != 403 {
		t.Errorf("from elsewhere: %d", a.status)
	}
	production := newWorld(t, func(c *console.Config) { c.Sandbox = false })
	if a := production.visitor(t).post("/console/login", nil); a.status != 403 {
		t.Errorf("in production: %d", a.status)
	}
	w := newWorld(t)
	v := w.visitor(t)
	r, err := http.NewRequest("POST", w.base+"/console/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	if a := v.send(r); a.status != 403 {
		t.Errorf("under another name: %d", a.status)
	}
	if a := v.post("/console/login/as", url.Values{"person": {"sandbox-admin"}}); a.status != 303 || a.to != "/console/login" {
		t.Errorf("without the notice: %d %s", a.status, a.to)
	}
}

func TestNobodyIsSentElsewhere(t *testing.T) {
	w := newWorld(t)
	for _, back := range []string{"https://evil.example/console/", "//evil.example/console/", "/\\evil.example", "/console/../../evil", "javascript:alert(1)", "/console/logout", "/api/v2/fhir"} {
		v := w.visitor(t)
		v.post("/console/login", url.Values{"back": {back}})
		a := v.post("/console/login/as", url.Values{"token": {v.token("/console/login/as")}, "person": {"sandbox-viewer"}})
		if !strings.HasPrefix(a.to, "/console/") || strings.Contains(a.to, "evil") {
			t.Errorf("%q leads to %q", back, a.to)
		}
	}
}

func TestSessionsAreKeptSafe(t *testing.T) {
	w := newWorld(t, func(c *console.Config) { c.PublicURL = "https://console.example" })
	a := w.visitor(t).post("/console/login", nil)
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-ab2d_console=", "path=/", "HttpOnly", "secure", "SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	for name, want := range map[string]string{"Content-Security-Policy": "script-src 'self';", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age"} {
		if got := a.header.Get(name); !strings.Contains(got, want) || strings.Contains(got, "unsafe") {
			t.Errorf("%s is %q", name, got)
		}
	}
	plain := newWorld(t)
	v := plain.signIn(t, "sandbox-viewer")
	if a := v.post("/console/logout", url.Values{"token": {v.token("/console/")}}); a.status != 303 {
		t.Errorf("signing out is answered %d", a.status)
	}
	if a := v.get("/console/jobs"); a.status != 303 {
		t.Errorf("after signing out: %d", a.status)
	}
}

// What was exported stays so on the dashboard when the sponsor has deleted it,
// as those do who have fetched it.
func TestADeletedExportCountsAsOne(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-viewer")
	figures := func() string {
		numbers := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(v.get("/console/").body, " ")
		return strings.Join(regexp.MustCompile(`\S+(?: \S+)?\s+(Completed|Exported) in 24 h|In all \S+ \S+ of NDJSON|The busiest hour was [^.]*`).FindAllString(numbers, -1), "; ")
	}
	before := figures()
	if !regexp.MustCompile(`1\s+Completed in 24 h`).MatchString(before) || !strings.Contains(before, "In all") {
		t.Fatalf("the dashboard says %q", before)
	}
	if err := w.Cancel.Cancel(t.Context(), w.Client, netip.MustParseAddr("192.0.2.7"), w.jobs[domain.Successful]); err != nil {
		t.Fatal(err)
	}
	if after := figures(); after != before {
		t.Errorf("before it was deleted: %s\nafterwards: %s", before, after)
	}
}
