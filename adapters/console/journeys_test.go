package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
)

// reader is somebody at the browser.
type reader struct {
	*testing.T
	context.Context
	*world
	said *[]string
}

// patience is how long a journey may take on a machine that is busy.
const patience = 2 * time.Minute

func (w *world) reader(t *testing.T, person string) reader {
	t.Helper()
	ctx, said := browse(t)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	enter(t, ctx, w.base, person)
	return reader{t, ctx, w, said}
}

func (r reader) goTo(path string) {
	r.Helper()
	do(r.T, r.Context, chromedp.Navigate(r.base+path), chromedp.WaitVisible(chromedp.CSS("main h1")))
}

func (r reader) run(script string) {
	r.Helper()
	eval[bool](r.T, r.Context, "(() => { "+script+"; return true })()")
}

// click follows what is called so, and waits for the page behind it.
func (r reader) click(text string) {
	r.Helper()
	r.run(fmt.Sprintf(`document.body.dataset.left = '1'; [...document.querySelectorAll('main a, main button')].find(e => e.innerText.trim().split('\n')[0] === %q).click()`, text))
	until(r.T, "the page behind "+text, func() bool {
		ready, err := chromedp.Run(r.Context, chromedp.Evaluate[bool](`!document.body.dataset.left && document.readyState === 'complete' && !!document.querySelector('main h1')`))
		return err == nil && ready
	})
}

// fill types into the fields of the form, or chooses.
func (r reader) fill(pairs ...string) {
	r.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		field := "document.querySelector('form.form #" + pairs[i] + "')"
		if eval[bool](r.T, r.Context, "((e) => e.tagName === 'SELECT' || e.type === 'date')("+field+")") {
			r.run(fmt.Sprintf("%s.value = %q", field, pairs[i+1]))
			continue
		}
		r.run(field + ".value = ''")
		do(r.T, r.Context, chromedp.SendKeys(chromedp.CSS("form.form #"+pairs[i]), pairs[i+1]))
	}
}

func (r reader) main() string {
	return eval[string](r.T, r.Context, "document.querySelector('main').innerText")
}

// shows fails unless the page says all of this.
func (r reader) shows(texts ...string) {
	r.Helper()
	page := r.main()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			r.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
	if len(*r.said) > 0 {
		r.Errorf("the browser says %q", *r.said)
		*r.said = nil
	}
}

// A contract that never attested gets to its first export, step by step, from its
// page; credentials are refused until it is their turn.
func TestASponsorIsOnboarded(t *testing.T) {
	w := newWorld(t)
	w.oversee.Onboard, w.oversee.SandboxElsewhere = true, true
	w.Enroll("S0003", site.Start.AddDate(-1, 0, 0), site.Person("1"), site.Person("2"))
	r := w.reader(t, "sandbox-admin")
	create := func() {
		r.goTo("/console/clients/new")
		r.run(`document.querySelector('input[name=contracts][value=S0003]').click()`)
		r.fill("name", "Nightly", "networks", "127.0.0.0/8", "reason", "the first client of theirs")
		r.click("Create it and show the secret")
	}
	const here = "/console/contracts/S0003"
	r.goTo(here)
	r.shows("No claims are available, because the contract was never attested.", "Refused until the steps before are done.")
	create()
	r.shows("no attestor is active, no data operations specialist is named, no sandbox export is verified")
	r.goTo(here)
	r.run(`[...document.querySelectorAll('.top a')].find(e => e.innerText === 'Attest').click()`)
	do(t, r.Context, chromedp.WaitVisible(chromedp.CSS("#attestor")))
	r.fill("attestor", "Bo Lind", "office", "CEO", "effective", "2026-03-02", "reason", "their letter of February 27")
	r.click("Show what it does")
	r.shows("What it does")
	r.click("Record it")
	r.shows("The event is recorded.", "Claims available from 2026-03-02")
	r.goTo(here)
	r.click("Name them")
	r.fill("name", "Ann Lee", "email", "ann@example.com", "reason", "named in their letter")
	r.click("Record it")
	r.click("Verify it")
	r.fill("job", string(w.jobs[domain.Cancelled])[:35], "reason", "seen in the sandbox today")
	r.click("Record it")
	r.shows("is no id of a job")
	sandbox := domain.NewJobID()
	r.fill("job", string(sandbox))
	r.click("Record it")
	r.shows("Job "+string(sandbox)[:8]+", verified by Kim Larsen", "ann@example.com")
	create()
	r.shows("The client is created")
	r.goTo("/console/jobs/start?contract=S0003")
	r.run(`[...document.querySelector('#client').options].forEach(o => { if (o.text.includes('Nightly')) o.selected = true })`)
	r.fill("reason", "their first export, with them on the phone")
	r.click("Start the export")
	r.shows("The export is started.")
	if err := w.Drain(); err != nil {
		t.Fatal(err)
	}
	r.goTo(here)
	if done := eval[int](t, r.Context, "document.querySelectorAll('.steps .done').length"); done != 6 {
		t.Errorf("%d of 6 steps are done:\n%s", done, r.main())
	}
}

// Whether a re-attestation keeps the data start is said before it is made, on the
// days around ten days after a removal and two years after a lapse.
func TestReattestingInTimeKeepsTheDataStart(t *testing.T) {
	const keeps, resets = "It keeps 2020-01-01 as the data start", "It resets the data start to "
	for _, part := range []struct {
		action string
		fields []string
		days   map[string]string // when, and what is said
	}{
		{"Remove", nil, map[string]string{"2026-03-11": keeps, "2026-03-12": keeps, "2026-03-13": resets + "2026-03-13"}},
		{"Record a lapse", []string{"who", "Ada|CFO"}, map[string]string{"2028-03-01": keeps, "2028-03-02": keeps, "2028-03-03": resets + "2028-03-03"}},
	} {
		t.Run(part.action, func(t *testing.T) {
			for on, says := range part.days {
				w := newWorld(t)
				r := w.reader(t, "sandbox-attestation")
				r.goTo("/console/contracts/S0001")
				r.click(part.action)
				r.fill(append(part.fields, "effective", "2026-03-02", "reason", "as their letter says")...)
				r.click("Show what it does")
				r.click("Record it")
				r.shows("No claims are available, because no attestor is active.")
				day, err := time.Parse(time.DateOnly, on)
				if err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(day.Add(16 * time.Hour).Sub(w.Clock.Now()))
				enter(t, r.Context, w.base, "sandbox-attestation")
				r.goTo("/console/contracts/S0001")
				r.click("Re-attest")
				r.fill("attestor", "Bo Lind", "office", "CFO", "effective", on, "reason", "a new officer attests")
				r.click("Show what it does")
				r.shows(says)
				r.click("Record it")
				start := "2020-01-01"
				if says != keeps {
					start = on
				}
				r.shows("Claims available from " + start)
			}
		})
	}
}

func TestASecretIsRotated(t *testing.T) {
	w := newWorld(t)
	r := w.reader(t, "sandbox-operator")
	r.goTo("/console/clients/client")
	r.click("Rotate the secret")
	r.fill("reason", "it was seen in a log of theirs")
	r.click("Rotate it and show the new one")
	r.shows("The secret is rotated", "client")
	secret := eval[string](t, r.Context, "document.querySelector('#secret').innerText")
	r.click("I have kept it")
	if len(secret) < 32 || strings.Contains(eval[string](t, r.Context, "document.documentElement.outerHTML"), secret) {
		t.Error("the secret is none, or is shown again")
	}
}

// A one-time link is opened in a browser: what opens it stands behind the #, goes
// into the form, and is out of the address before anything is sent.
func TestALinkIsOpenedInABrowser(t *testing.T) {
	w := newWorld(t)
	r := w.reader(t, "sandbox-operator")
	r.goTo("/console/clients/client/deliver")
	r.fill("reason", "the sponsor begins next week")
	r.click("Rotate it and make the link")
	link := eval[string](t, r.Context, "document.querySelector('#link').innerText")
	_, key, _ := strings.Cut(link, "#")
	r.goTo(strings.TrimPrefix(link, w.base))
	if got := eval[string](t, r.Context, "document.querySelector('#key').value"); got != key || len(key) < 32 {
		t.Errorf("the form has %q of %s", got, link)
	}
	r.click("Show them now")
	if at := eval[string](t, r.Context, "location.href"); at != w.base+"/console/once" {
		t.Errorf("the secret is at %s", at)
	}
	if secret := eval[string](t, r.Context, "document.querySelector('#secret').innerText"); len(secret) < 32 {
		t.Errorf("the secret is %q", secret)
	}
	if from := eval[string](t, r.Context, "document.referrer"); strings.Contains(from, key) {
		t.Errorf("the address that it comes from is told: %s", from)
	}
	r.shows("this once")
}

// Whoever watches a job sees it end when somebody else cancels it.
func TestAJobIsWatchedAndCancelled(t *testing.T) {
	w := newWorld(t)
	path := "/console/jobs/" + string(w.jobs[domain.InProgress])
	vera, dana := w.reader(t, "sandbox-viewer"), w.reader(t, "sandbox-operator")
	vera.goTo(path)
	vera.shows("In progress")
	dana.goTo(path)
	dana.click("Cancel")
	dana.fill("reason", "the sponsor asked for it")
	do(t, dana.Context, chromedp.Click(chromedp.CSS("form.form button.btn")), chromedp.WaitVisible(chromedp.CSS("main .say")))
	until(t, "the other window to see it", func() bool {
		return strings.Contains(eval[string](t, vera.Context, "document.querySelector('#job-state').innerText"), "Cancelled")
	})
	if w.Job(w.jobs[domain.InProgress]).State != domain.Cancelled {
		t.Error("the job goes on")
	}
}

// One asks, another looks at it and approves.
func TestTwoPeopleDecideTogether(t *testing.T) {
	w := newWorld(t)
	w.oversee.TwoPerson = domain.PairedActions
	mia, kim := w.reader(t, "sandbox-attestation"), w.reader(t, "sandbox-admin")
	mia.goTo("/console/contracts/S0001")
	mia.click("Record a lapse")
	mia.fill("who", "Ada|CFO", "effective", "2026-03-02", "reason", "Ada left the company")
	mia.click("Show what it does")
	mia.click("Record it")
	mia.shows("somebody else has to approve it", "Waiting")
	kim.goTo("/console/")
	kim.run(`[...document.querySelectorAll('main a')].find(e => e.innerText.startsWith('Mia Chen asks')).click()`)
	do(t, kim.Context, chromedp.WaitVisible(chromedp.CSS(".facts")))
	kim.shows("Ada left the company")
	kim.click("Approve")
	kim.fill("reason", "I have read their letter")
	kim.click("Approve it and have it done")
	kim.shows("The decision is recorded.", "Approved")
	mia.goTo("/console/contracts/S0001")
	mia.shows("No claims are available, because no attestor is active.")
}

// A form that is half filled when the session ends is there again, as it was,
// after the next sign-in; the warning comes first.
func TestAHalfFilledFormOutlivesItsSession(t *testing.T) {
	w := newWorld(t)
	w.staff.Limits.Idle = 8 * time.Second // of the page; the server's clock stands still
	r := w.reader(t, "sandbox-operator")
	id := w.jobs[domain.Successful]
	r.goTo("/console/jobs/" + string(id) + "/cancel")
	r.fill("reason", "half of a sentence that")
	do(t, r.Context, chromedp.WaitVisible(chromedp.CSS("#idle[open]")))
	w.Clock.Advance(time.Minute)
	do(t, r.Context, chromedp.WaitVisible(chromedp.CSS(`form[action="/console/login"] button`)))
	w.staff.Limits.Idle = time.Hour
	do(t, r.Context, chromedp.Click(chromedp.CSS("main button")), chromedp.WaitVisible(chromedp.CSS(".people")), chromedp.Click(chromedp.CSS(`button[value="sandbox-operator"]`)), chromedp.WaitVisible(chromedp.CSS("#reason")))
	if typed := eval[string](t, r.Context, "document.querySelector('#reason').value"); typed != "half of a sentence that" {
		t.Errorf("what was typed is %q", typed)
	}
	if w.Job(id).State != domain.Successful {
		t.Errorf("the form was carried out: the job is %s", w.Job(id).State)
	}
}

// Everything but live updates works without scripts.
func TestNothingNeedsScripts(t *testing.T) {
	w := newWorld(t)
	ctx, _ := browse(t)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	enter(t, ctx, w.base, "sandbox-operator")
	id := w.jobs[domain.Successful]
	do(t, ctx, chromedp.Click(chromedp.CSS(`nav.side a[href="/console/jobs"]`)), chromedp.WaitVisible(chromedp.CSS(".filters")),
		chromedp.Click(chromedp.CSS(`a[href="/console/jobs/`+string(id)+`"]`)), chromedp.WaitVisible(chromedp.CSS("#job-state")),
		chromedp.Click(chromedp.CSS(`a[href="/console/jobs/`+string(id)+`/cancel"]`)), chromedp.WaitVisible(chromedp.CSS("#reason")),
		chromedp.SendKeys(chromedp.CSS("#reason"), "the sponsor asked for it"), chromedp.Click(chromedp.CSS("form.form button")), chromedp.WaitVisible(chromedp.CSS(".say.ok")))
	if w.Job(id).State != domain.Cancelled {
		t.Errorf("the job is %s", w.Job(id).State)
	}
}

// With the keyboard alone one signs in, jumps to a contract by searching, and gets
// from the skip link to the content; where the focus is can be seen.
func TestTheKeyboardIsEnough(t *testing.T) {
	w := newWorld(t)
	ctx, said := browse(t)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	r := reader{t, ctx, w, said}
	r.goTo("/console/")
	key := func(keys string) { t.Helper(); do(t, ctx, chromedp.KeyEvent(keys)) }
	focus := func() string {
		return eval[string](t, ctx, "document.activeElement.innerText || document.activeElement.id")
	}
	tabTo := func(text string) {
		t.Helper()
		for range 40 {
			if key(kb.Tab); strings.HasPrefix(focus(), text) {
				return
			}
		}
		t.Fatalf("the tab key does not come to %q", text)
	}
	tabTo("I agree")
	key(kb.Enter)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".people")))
	tabTo("Dana Ortiz")
	key(kb.Enter)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS("nav.side")))
	if key(kb.Tab); focus() != "Skip to the content" {
		t.Errorf("the first stop is %q", focus())
	}
	if wide := eval[string](t, ctx, "getComputedStyle(document.activeElement).outlineWidth"); wide != "3px" {
		t.Errorf("the focus is shown by %s", wide)
	}
	key(kb.Enter)
	if at := eval[string](t, ctx, "document.activeElement.id"); at != "main" {
		t.Errorf("the skip link leads to %q", at)
	}
	key("/")
	if at := eval[string](t, ctx, "document.activeElement.id"); at != "search" {
		t.Fatalf("the slash leads to %q", at)
	}
	key(kb.Backspace) // the tool types the slash too, although the page has taken the key
	key("S0001")
	key(kb.Enter)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".steps")))
	r.shows("Contract S0001")
	tabTo("Attestation")
	key(kb.Enter)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".times")))
	r.shows("Events are only ever added.")
}
