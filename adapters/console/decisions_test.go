package console_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// fill sends a form of a page with its token.
func (v *visitor) fill(path string, pairs ...string) answer {
	v.t.Helper()
	form := url.Values{"token": {v.token(path)}, "reason": {"the sponsor asked for it"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.post(path, form)
}

func (w *world) standing(n domain.ContractNumber) (s domain.Standing) {
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		events, err := tx.Attestations.Of(ctx, n)
		s = domain.StandingOn(events, domain.Today(w.Clock.Now()))
		return err
	})
	return s
}

func (w *world) trail(t *testing.T, action string) []ports.AuditEntry {
	t.Helper()
	found, err := w.Store.Search(t.Context(), ports.AuditQuery{Action: action})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(found)
	return found
}

func path(a answer) string {
	p, _, _ := strings.Cut(a.to, "?")
	return p
}

var lapse = []string{"kind", "lapse", "who", "Ada|CFO", "effective", "2026-03-02"}

// What ends an attestation needs somebody else, who sees what was asked for, by
// whom and why; the asker's word alone does nothing, whatever their roles.
func TestTwoPeopleEndAnAttestation(t *testing.T) {
	w := newWorld(t)
	w.oversee.TwoPerson = domain.PairedActions
	mia, kim := w.signIn(t, "sandbox-attestation"), w.signIn(t, "sandbox-admin")
	asked := mia.fill("/console/contracts/S0001/attestation?kind=lapse", lapse...)
	here := path(asked)
	if asked.status != 303 || !strings.HasPrefix(here, "/console/approvals/") || !w.standing(site.First).Active {
		t.Fatalf("asking is answered %d %s, and the contract is %+v", asked.status, asked.to, w.standing(site.First))
	}
	if page := mia.get(here).body; !strings.Contains(page, "Nothing") && !strings.Contains(page, "Waiting") || strings.Contains(page, here+"/approve") {
		t.Error("who asked is not told that it waits, or is offered to approve it")
	}
	if a := mia.post(here+"/approve", url.Values{"token": {mia.token("/console/")}, "reason": {"I approve of myself"}}); a.status != 409 || w.standing(site.First).Active == false {
		t.Errorf("approving one's own request is answered %d", a.status)
	}
	for _, person := range []string{"sandbox-viewer", "sandbox-operator", "sandbox-auditor"} {
		v := w.signIn(t, person)
		for _, action := range []string{"/approve", "/deny"} {
			if a := v.get(here + action); a.status != 403 {
				t.Errorf("%s is shown the form %s: %d", person, action, a.status)
			}
			if a := v.post(here+action, url.Values{"token": {v.token("/console/")}, "reason": {"I want to decide this"}}); a.status != 403 {
				t.Errorf("%s decides: %d", person, a.status)
			}
		}
	}
	if page := kim.get("/console/").body; !strings.Contains(page, "Mia Chen asks for approval") {
		t.Error("the dashboard does not say that something waits for approval")
	}
	if a := kim.fill(here+"/approve", "reason", "short"); a.status != 422 || !w.standing(site.First).Active {
		t.Errorf("approving without a reason is answered %d", a.status)
	}
	if a := kim.fill(here + "/approve"); a.status != 303 || w.standing(site.First).Active {
		t.Fatalf("approving is answered %d and the contract is %+v", a.status, w.standing(site.First))
	}
	if a := kim.post(here+"/deny", url.Values{"token": {kim.token("/console/")}, "reason": {"I changed my mind"}}); a.status != 409 {
		t.Errorf("deciding again is answered %d", a.status)
	}
	did := w.trail(t, "attestation.lapse")
	if last := did[len(did)-1]; last.Actor.ID != "sandbox-attestation" || last.Detail["approved by"] != "Kim Larsen (sandbox-admin)" || last.Detail["role"] != "attestation_manager" || last.Detail["name"] != "Mia Chen" {
		t.Errorf("the trail tells %+v", last)
	}
	if gave := w.trail(t, "approval.give"); len(gave) < 2 || gave[len(gave)-1].Outcome != "done" || gave[len(gave)-1].Detail["asked by"] != "Mia Chen (sandbox-attestation)" {
		t.Errorf("the trail tells of the approval %+v", gave)
	}
}

// A request that is denied, has expired or whose contract has moved on changes
// nothing.
func TestARequestThatIsNotApprovedDoesNothing(t *testing.T) {
	w := newWorld(t)
	w.oversee.TwoPerson = domain.PairedActions
	mia, kim := w.signIn(t, "sandbox-attestation"), w.signIn(t, "sandbox-admin")
	ask := func() string {
		return path(mia.fill("/console/contracts/S0001/attestation?kind=lapse", lapse...))
	}
	denied := ask()
	if a := kim.fill(denied + "/deny"); a.status != 303 || !strings.Contains(kim.get(denied).body, "Denied") {
		t.Errorf("denying is answered %d", a.status)
	}
	thought := ask()
	if a := mia.fill(thought + "/deny"); a.status != 303 { // who asked may take it back
		t.Errorf("taking it back is answered %d", a.status)
	}
	late := ask()
	w.Clock.Advance(72 * time.Hour)
	kim = w.signIn(t, "sandbox-admin")
	if a := kim.post(late+"/approve", url.Values{"token": {kim.token("/console/")}, "reason": {"better late than never"}}); a.status != 409 || !strings.Contains(a.body, "expired") {
		t.Errorf("approving after three days is answered %d", a.status)
	}
	if !w.standing(site.First).Active {
		t.Error("the attestation ended all the same")
	}
	for _, id := range []string{"none", strings.Repeat("x", 300)} {
		if a := kim.get("/console/approvals/" + id); a.status != 404 {
			t.Errorf("the request %.10q is answered %d", id, a.status)
		}
	}
}

// A re-attestation that begins earlier needs two people; one of today does not.
func TestBackdatingNeedsTwoPeople(t *testing.T) {
	w := newWorld(t)
	w.oversee.TwoPerson = []domain.PairedAction{domain.PairBackdate}
	mia := w.signIn(t, "sandbox-attestation")
	form := "/console/contracts/S0003/attestation?kind=attest"
	if a := mia.fill(form, "kind", "attest", "attestor", "Bo", "office", "CEO", "effective", "2026-03-01"); !strings.HasPrefix(a.to, "/console/approvals/") {
		t.Errorf("attesting from yesterday is answered %d %s", a.status, a.to)
	}
	if a := mia.fill(form, "kind", "attest", "attestor", "Bo", "office", "CEO", "effective", "2026-03-02"); !strings.HasPrefix(a.to, "/console/contracts/") || !w.standing("S0003").Active {
		t.Errorf("attesting from today on is answered %d %s", a.status, a.to)
	}
}

func TestTwoPeopleCreateAClient(t *testing.T) {
	w := newWorld(t)
	w.oversee.TwoPerson = domain.PairedActions
	dana, kim := w.signIn(t, "sandbox-operator"), w.signIn(t, "sandbox-admin")
	asked := dana.fill("/console/clients/new", "name", "Nightly", "contracts", "S0001", "networks", "192.0.2.0/24")
	here := path(asked)
	if !strings.HasPrefix(here, "/console/approvals/") || strings.Contains(dana.get("/console/clients").body, "Nightly") {
		t.Fatalf("asking is answered %d %s, or the client is there", asked.status, asked.to)
	}
	a := kim.fill(here + "/approve")
	_, key, _ := strings.Cut(a.body, "/console/once#")
	key, _, _ = strings.Cut(key, "<")
	if a.status != 200 || key == "" {
		t.Fatalf("approving is answered %d, without a link", a.status)
	}
	if !strings.Contains(dana.get("/console/clients").body, "Nightly") || !strings.Contains(kim.get(here).body, "got a link") || strings.Contains(kim.get(here).body, key) {
		t.Error("the client is not there, or the request does not say what came of it, or tells the key")
	}
	if opened := w.visitor(t).post("/console/once", url.Values{"key": {key}}); opened.status != 200 || !strings.Contains(opened.body, `id="secret"`) {
		t.Errorf("the link is answered %d", opened.status)
	}
}

// Credentials wait until the steps before them are done, or somebody overrides
// them with a reason; the page says what is missing.
func TestCredentialsWaitForTheStepsBefore(t *testing.T) {
	w := newWorld(t)
	w.oversee.Onboard = true
	kim := w.signIn(t, "sandbox-admin")
	create := func(contract string) answer {
		return kim.fill("/console/clients/new", "name", "Nightly", "contracts", contract, "networks", "192.0.2.0/24")
	}
	refuses := func(what string, missing ...string) {
		t.Helper()
		a := create("S0001")
		for _, m := range missing {
			if a.status != 409 || !strings.Contains(a.body, m) {
				t.Errorf("%s: creating credentials is answered %d, without %q", what, a.status, m)
			}
		}
	}
	refuses("at first", "no data operations specialist is named", "no sandbox export is verified")
	here := "/console/contracts/S0001"
	for _, form := range [][]string{{"/specialist", "name", "Ann"}, {"/specialist", "name", "Ann", "email", "not an address"}, {"/specialist", "email", "ann@example.com"}, {"/sandbox", "job", "odd"}, {"/specialist", "name", "Ann", "email", "ann@example.com", "reason", "short"}} {
		if a := kim.fill(here+form[0], form[1:]...); a.status != 422 {
			t.Errorf("%q is answered %d", form, a.status)
		}
	}
	if a := kim.fill(here+"/specialist", "name", "Ann Lee", "email", "ann@example.com"); a.status != 303 || !strings.Contains(kim.get(here).body, "ann@example.com") {
		t.Errorf("naming the specialist is answered %d", a.status)
	}
	refuses("with a specialist", "no sandbox export is verified")
	for _, job := range []domain.JobID{w.jobs[domain.Failed], w.jobs[domain.InProgress], domain.NewJobID()} {
		if a := kim.fill(here+"/sandbox", "job", string(job)); a.status != 409 {
			t.Errorf("the job %s counts as a sandbox export: %d", job, a.status)
		}
	}
	if a := kim.fill("/console/contracts/S0002/sandbox", "job", string(w.jobs[domain.Successful])); a.status != 409 {
		t.Errorf("an export of another contract counts: %d", a.status)
	}
	if a := kim.fill(here+"/sandbox", "job", string(w.jobs[domain.Successful])); a.status != 303 {
		t.Errorf("verifying the export is answered %d", a.status)
	}
	if a := kim.fill("/console/clients/new", "name", "Nightly", "contracts", "S0001"); a.status != 409 || !strings.Contains(a.body, "no addresses are approved") {
		t.Errorf("without addresses: %d", a.status)
	}
	if a := create("S0001"); a.status != 200 {
		t.Errorf("with all steps done: %d", a.status)
	}
	if a := create("S0003"); a.status != 409 || !strings.Contains(a.body, "no attestor is active") {
		t.Errorf("for a contract that never attested: %d", a.status)
	}
	if a := kim.fill("/console/contracts/S0003/override", "reason", "the administrator decided so"); a.status != 303 || !strings.Contains(kim.get("/console/contracts/S0003").body, "the administrator decided so") {
		t.Errorf("overriding is answered %d", a.status)
	}
	if a := create("S0003"); a.status != 200 {
		t.Errorf("after overriding: %d", a.status)
	}
	for action, n := range map[string]int{"onboarding.specialist": 1, "onboarding.sandbox": 1, "onboarding.override": 1} {
		done := 0
		for _, r := range w.trail(t, action) {
			if r.Outcome == "done" && r.Detail["reason"] != "" && r.Detail["name"] == "Kim Larsen" {
				done++
			}
		}
		if done != n {
			t.Errorf("%s is %d times in the trail", action, done)
		}
	}
}

// A link shows the secret once, to whoever opens it first, and to nobody who
// only looks at it.
// What counts for a new client counts for one that is there already: enabling it,
// or giving it a secret when it has none. One that leaked is replaced all the same.
func TestCredentialsOfAClientThatIsThereWaitToo(t *testing.T) {
	w := newWorld(t)
	kim := w.signIn(t, "sandbox-admin")
	client := func(change func(*domain.Client)) {
		w.Do(func(ctx context.Context, tx ports.Tx) error {
			return tx.Clients.Update(ctx, "client", func(c *domain.Client) error { change(c); return nil })
		})
	}
	client(func(c *domain.Client) {
		c.Enabled, c.Secrets = false, []domain.ClientSecret{{ID: "one", Hash: []byte("x"), CreatedAt: w.Clock.Now()}}
	})
	w.oversee.Onboard = true
	if a := kim.fill("/console/clients/client/rotate", "overlap", "0"); a.status != 200 {
		t.Errorf("replacing a secret is answered %d", a.status)
	}
	client(func(c *domain.Client) { c.Secrets = nil })
	for _, action := range []string{"enable", "rotate", "deliver"} {
		if a := kim.fill("/console/clients/client/"+action, "overlap", "0"); a.status != 409 || !strings.Contains(a.body, "not ready for credentials") {
			t.Errorf("%s is answered %d", action, a.status)
		}
	}
	w.oversee.Onboard = false
	if a := kim.fill("/console/clients/client/enable"); a.status != 303 {
		t.Errorf("enabling without the steps being asked for is answered %d", a.status)
	}
}

// Where the sandbox is another installation, staff vouch for an export, for one
// contract, and by name.
func TestAnExportElsewhereIsVouchedFor(t *testing.T) {
	w := newWorld(t)
	w.oversee.SandboxElsewhere = true
	kim := w.signIn(t, "sandbox-admin")
	id := string(domain.NewJobID())
	for _, odd := range []string{"", "odd", id[:8], id + "0"} {
		if a := kim.fill("/console/contracts/S0001/sandbox", "job", odd); a.status != 422 {
			t.Errorf("%q is answered %d", odd, a.status)
		}
	}
	if page := kim.get("/console/contracts/S0001/sandbox").body; !strings.Contains(page, "you vouch for by name") {
		t.Error("the form does not say what is checked")
	}
	if a := kim.fill("/console/contracts/S0001/sandbox", "job", id); a.status != 303 || !strings.Contains(kim.get("/console/contracts/S0001").body, "verified by Kim Larsen") {
		t.Errorf("verifying is answered %d", a.status)
	}
	if a := kim.fill("/console/contracts/S0002/sandbox", "job", id); a.status != 409 || !strings.Contains(a.body, "given for contract S0001 already") {
		t.Errorf("the same for another contract is answered %d", a.status)
	}
}

func TestALinkDeliversASecretOnce(t *testing.T) {
	w := newWorld(t)
	dana := w.signIn(t, "sandbox-operator")
	made := dana.fill("/console/clients/client/deliver", "overlap", "0")
	_, link, _ := strings.Cut(made.body, `<code id="link">`)
	link, _, _ = strings.Cut(link, "<")
	const at = "/console/once"
	key, ok := strings.CutPrefix(link, w.base+at+"#") // behind the #, which is sent to no server
	if made.status != 200 || !ok {
		t.Fatalf("making a link is answered %d: %q", made.status, link)
	}
	with := func(key string) url.Values { return url.Values{"key": {key}} }
	between := func(body string) string {
		_, secret, _ := strings.Cut(body, `<code id="secret">`)
		secret, _, _ = strings.Cut(secret, "<")
		return secret
	}
	stranger := w.visitor(t)
	for range 2 { // as programs do that look at links in messages
		if a := stranger.get(at); a.status != 200 || between(a.body) != "" {
			t.Fatalf("looking at the link is answered %d", a.status)
		}
	}
	if a := stranger.get(at); a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the page says %q of its address", a.header.Get("Referrer-Policy"))
	}
	for _, a := range []answer{stranger.get(at + "/" + key), stranger.post(at+"/"+key, nil), stranger.get(at + "?key=" + key), stranger.post(at+"?key="+key, nil)} {
		if between(a.body) != "" {
			t.Fatalf("a key in the address opens the link: %d", a.status)
		}
	}
	opened := stranger.post(at, with(key))
	var k domain.Client
	w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
		k, err = tx.Clients.Get(ctx, "client")
		return err
	})
	if secret := between(opened.body); opened.status != 200 || !k.HasSecret(domain.SecretKey("key").Hash(secret), w.Clock.Now()) || strings.Contains(made.body, secret) {
		t.Fatalf("opening is answered %d, or it is not the client's secret, or staff saw it", opened.status)
	}
	if a := stranger.post(at, with(key)); a.status != 404 || !strings.Contains(a.body, "opened already") || strings.Contains(a.body, "Sign in") {
		t.Errorf("opening again is answered %d", a.status)
	}
	_, link, _ = strings.Cut(dana.fill("/console/clients/client/deliver", "overlap", "24").body, `<code id="link">`)
	link, _, _ = strings.Cut(link, "<")
	w.Clock.Advance(72 * time.Hour)
	if a := stranger.post(at, with(link)); a.status != 404 {
		t.Errorf("opening after three days is answered %d", a.status)
	}
	if sent, got := w.trail(t, "client.link"), w.trail(t, "client.link.open"); len(sent) < 2 || len(got) != 1 || got[0].Actor.From != "127.0.0.1" || strings.Contains(fmt.Sprint(w.trail(t, "")), key) {
		t.Errorf("the trail tells %+v and %+v, or the key", sent, got)
	}
}

// What upstream wants to take away is compared and decided on here, once.
func TestHeldChangesAreDecided(t *testing.T) {
	w := newWorld(t)
	mia := w.signIn(t, "sandbox-attestation")
	if page := mia.get("/console/held").body; !strings.Contains(page, "HPMS") || !strings.Contains(page, "/console/held/people") {
		t.Error("the list does not show what is held")
	}
	if page := mia.get("/console/held/listed").body; !strings.Contains(page, "S0002") || !strings.Contains(page, "S0001") {
		t.Error("the page does not say whose attestation would end")
	}
	if page := mia.get("/console/held/people").body; !strings.Contains(page, "2026-01") || !strings.Contains(page, "−95 (95%)") {
		t.Errorf("the page does not compare the months")
	}
	if a := mia.fill("/console/held/people/reject", "reason", "short"); a.status != 422 {
		t.Errorf("deciding without a reason is answered %d", a.status)
	}
	state := func(id string) (h domain.Hold) {
		w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			h, err = tx.Holds.Get(ctx, id)
			return err
		})
		return h
	}
	if a := mia.fill("/console/held/people/reject"); a.status != 303 || state("people").State != domain.HoldRejected {
		t.Errorf("rejecting is answered %d", a.status)
	}
	if a := mia.fill("/console/held/listed/release"); a.status != 303 || state("listed").State != domain.HoldReleased {
		t.Errorf("releasing is answered %d", a.status)
	}
	if a := mia.post("/console/held/listed/reject", url.Values{"token": {mia.token("/console/")}, "reason": {"I changed my mind"}}); a.status != 409 {
		t.Errorf("deciding again is answered %d", a.status)
	}
	for _, action := range []string{"enrollment.rejected", "hpms.released"} {
		if did := w.trail(t, action); len(did) != 1 || did[0].Detail["name"] != "Mia Chen" || did[0].Detail["role"] != "attestation_manager" || did[0].Detail["reason"] == "" {
			t.Errorf("%s in the trail: %+v", action, did)
		}
	}
	if a := mia.get("/console/held/none"); a.status != 404 {
		t.Errorf("nothing held is answered %d", a.status)
	}
}

// What HPMS left open is listed, and gone from there once staff said it.
func TestStaffCompleteWhatHPMSLeftOpen(t *testing.T) {
	w := newWorld(t)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		e := site.Event("S0003", domain.Attest, 2024_01_01)
		e.Attestor = domain.Attestor{}
		end := site.Event("S0003", domain.EndUnknown, 2026_02_27)
		end.Attestor = domain.Attestor{}
		if err := tx.Attestations.Append(ctx, e); err != nil {
			return err
		}
		return tx.Attestations.Append(ctx, end)
	})
	mia := w.signIn(t, "sandbox-attestation")
	page := mia.get("/console/held").body
	if !strings.Contains(page, "Name the attestor") || !strings.Contains(page, "Classify it") {
		t.Fatal("the list does not show what is open")
	}
	if days := w.standing("S0003").DaysLeft(domain.Today(w.Clock.Now())); days != 8 {
		t.Errorf("before it is classified %d days are left", days)
	}
	id := string("S0003") + string(domain.EndUnknown)
	_, link, _ := strings.Cut(page, `href="/console/contracts/S0003/attestation?kind=correct&amp;event=`+id)
	link, _, _ = strings.Cut(link, `"`)
	form := "/console/contracts/S0003/attestation?kind=correct&event=" + id + strings.ReplaceAll(link, "&amp;", "&")
	if a := mia.fill(form, "kind", "correct", "event", id+link, "corrected", "lapse", "attestor", "Ada", "office", "CFO", "effective", "2026-02-27"); a.status != 303 {
		t.Fatalf("classifying is answered %d: %s", a.status, a.body)
	}
	if page := mia.get("/console/held").body; strings.Contains(page, "Classify it") || !strings.Contains(page, "Name the attestor") {
		t.Error("what was classified is still open")
	}
	if grace := w.standing("S0003").Grace; grace != 2028_02_27 {
		t.Errorf("after a lapse the attestation may come back until %s", grace)
	}
}

// A form that the page itself sends as the session ends is kept, and not done.
func TestAFormThatIsOnlyHeldIsNotDone(t *testing.T) {
	w := newWorld(t)
	v := w.signIn(t, "sandbox-operator")
	id := w.jobs[domain.Successful]
	a := v.fill("/console/jobs/"+string(id)+"/cancel", "hold", "1", "reason", "half of a sentence that")
	if a.status != 303 || w.Job(id).State != domain.Successful {
		t.Fatalf("holding a form is answered %d and the job is %s", a.status, w.Job(id).State)
	}
	if page := v.get(a.to).body; !strings.Contains(page, "half of a sentence that") {
		t.Error("what was typed is lost")
	}
}

// Maintenance keeps exports from starting, with the words of who turned it on,
// and everybody in the console sees it.
func TestMaintenanceIsTurnedOnAndOff(t *testing.T) {
	w := newWorld(t)
	kim := w.signIn(t, "sandbox-admin")
	form := "/console/system/maintenance"
	if a := kim.fill(form, "message", strings.Repeat("long ", 100)); a.status != 422 {
		t.Errorf("a message that is too long is answered %d", a.status)
	}
	if a := kim.fill(form, "message", "New disks until 18:00.", "reason", "short"); a.status != 422 || !strings.Contains(a.body, "New disks until 18:00.") {
		t.Errorf("without a reason: %d, or what was typed is lost", a.status)
	}
	if a := kim.fill(form, "message", "New disks until 18:00."); a.status != 303 {
		t.Fatalf("turning it on is answered %d", a.status)
	}
	if _, err := w.Export.Start(t.Context(), w.Ask(site.First, domain.Window{})); domain.CodeOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "New disks") {
		t.Errorf("an export starts all the same: %v", err)
	}
	vera := w.signIn(t, "sandbox-viewer")
	if page := vera.get("/console/jobs").body; !strings.Contains(page, "New disks until 18:00.") {
		t.Error("others are not told")
	}
	if page := vera.get("/console/settings").body; !strings.Contains(page, "set here by Kim Larsen") || strings.Contains(page, "system/maintenance") {
		t.Error("the settings do not say who turned it on, or offer it to who may not")
	}
	if a := kim.fill(form, "message", ""); a.status != 303 {
		t.Errorf("turning it off is answered %d", a.status)
	}
	w.KickOff(site.First, domain.Window{})
	var told []string
	for _, r := range w.trail(t, "maintenance.set") {
		told = append(told, r.Outcome+": "+r.Detail["before"]+" > "+r.Detail["after"])
	}
	if want := []string{"done: off > New disks until 18:00.", "done: New disks until 18:00. > off"}; !slices.Equal(told, want) {
		t.Errorf("the trail tells %q, want %q", told, want)
	}
}

// The queue's own pages are for administrators, and do not keep a session alive
// by asking again and again.
func TestTheQueuesPagesAreForAdministrators(t *testing.T) {
	w := newWorld(t, func(c *console.Config) {
		c.Queue = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the queue") })
	})
	for _, person := range console.Sample {
		v, want := w.signIn(t, person.ID), 403
		if person.May(domain.MayManageSettings) {
			want = 200
		}
		for _, path := range []string{"/console/river/", "/console/river/api/jobs"} {
			if a := v.get(path); a.status != want || (a.body == "the queue") != (want == 200) {
				t.Errorf("%s is answered %d at %s", person.ID, a.status, path)
			}
		}
		if offered := strings.Contains(v.get("/console/system").body, `href="/console/river/"`); offered != (want == 200) {
			t.Errorf("%s is offered the queue: %t", person.ID, offered)
		}
	}
	if a := w.visitor(t).get("/console/river/api/jobs"); a.status != 303 {
		t.Errorf("a stranger is answered %d", a.status)
	}
	v := w.signIn(t, "sandbox-admin")
	for range 3 {
		w.Clock.Advance(6 * time.Minute)
		v.get("/console/river/api/jobs")
	}
	if a := v.get("/console/jobs"); a.status != 303 {
		t.Errorf("a page that asks by itself kept the session alive: %d", a.status)
	}
}

// What is downloaded of the audit trail is all that matches, however much it is,
// and the download itself is in the trail.
func TestAnExportOfTheTrailIsComplete(t *testing.T) {
	w := newWorld(t)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		for i := range 2500 {
			if err := tx.Audit.Record(ctx, domain.AuditRecord{At: w.Clock.Now(), Actor: domain.System("test"), Action: "test.many", Target: fmt.Sprintf("=HYPERLINK(%d)", i), Outcome: "done",
				Detail: map[string]string{"reason": "+1", "before": "@a", "after": "-b"}}); err != nil {
				return err
			}
		}
		return nil
	})
	sam := w.signIn(t, "sandbox-auditor")
	rows, err := csv.NewReader(strings.NewReader(sam.get("/console/audit.csv?action=test.many").body)).ReadAll()
	if err != nil || len(rows) != 2501 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	seen := map[string]bool{}
	for _, row := range rows {
		seen[row[0]] = true
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@") {
				t.Fatalf("a formula: %q", cell)
			}
		}
	}
	if len(seen) != 2501 || rows[1][8] != "'=HYPERLINK(2499)" || rows[2500][11] != "'@a" {
		t.Errorf("%d different records; the first is %q, the last %q", len(seen), rows[1], rows[2500])
	}
	if lines := strings.Count(sam.get("/console/audit.ndjson?action=test.many").body, "\n"); lines != 2500 {
		t.Errorf("%d lines", lines)
	}
	if took := w.trail(t, "audit.export"); len(took) != 2 || took[0].Detail["filter"] != "action=test.many" || took[0].Detail["role"] != "auditor" {
		t.Errorf("the trail tells of the downloads %+v", took)
	}
	if page := sam.get("/console/audit?action=test.many").body; !strings.Contains(page, "<del>") || !strings.Contains(page, "@a") {
		t.Error("the page does not show what changed")
	}
}

// Every list can be had as a file.
func TestEveryListIsAFileToo(t *testing.T) {
	w := newWorld(t)
	kim := w.signIn(t, "sandbox-admin")
	for _, list := range []string{"jobs", "sponsors", "contracts", "clients", "approvals", "held", "settings", "audit"} {
		a := kim.get("/console/" + list + ".csv")
		rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if a.status != 200 || err != nil || len(rows) == 0 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s.csv answers %d: %d rows, %v", list, a.status, len(rows), err)
		}
		if page := kim.get("/console/" + list).body; !strings.Contains(page, `href="/console/`+list+`.csv`) {
			t.Errorf("the list of %s does not offer its file", list)
		}
	}
	if rows := strings.Count(kim.get("/console/jobs.csv").body, "\n"); rows != len(w.jobs)+1 {
		t.Errorf("%d rows of %d jobs", rows, len(w.jobs))
	}
}

// Months that jump, and HPMS's count where it is far off, are said beside the plot.
func TestEnrollmentTellsWhatDiffers(t *testing.T) {
	w := newWorld(t)
	short := site.Person("4")
	short.Months = site.Months(202001, 202512)
	w.Enroll(site.First, w.Clock.Now(), site.Person("1"), site.Person("2"), site.Person("3"), short)
	v := w.signIn(t, "sandbox-viewer")
	says := func(hpms int) string {
		w.Do(func(ctx context.Context, tx ports.Tx) error {
			c, err := tx.Contracts.Get(ctx, site.First)
			if err != nil {
				return err
			}
			c.Enrolled = hpms
			return tx.Contracts.Put(ctx, c)
		})
		return v.get("/console/contracts/S0001?tab=coverage").body
	}
	if page := says(50); !strings.Contains(page, "Changes of more than 2%: 2026-01 −1 (25%).") || !strings.Contains(page, "HPMS counts 50, which is more than 2% apart") {
		t.Error("the page does not say what differs")
	}
	if page := says(3); !strings.Contains(page, "HPMS counts 3, within 2%.") || strings.Contains(page, "apart: look why") {
		t.Error("the page does not say that HPMS agrees")
	}
}
