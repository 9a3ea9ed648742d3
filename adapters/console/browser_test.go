package console_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/web/console/stories"
)

//go:embed testdata/axe.min.js
var axe string

// chromium is the one browser of all tests here.
var chromium = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath("chromium"),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1366, 900))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, leave := chromedp.NewContext(ctx)
	closeBrowser = func() { leave(); stop() }
	return ctx, chromedp.Do(ctx, chromedp.Navigate("about:blank"))
})

// closeBrowser ends the browser, where one was opened.
var closeBrowser = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

// browse opens a window with cookies of its own. What the browser complains of
// there is told.
func browse(t *testing.T) (context.Context, *[]string) {
	t.Helper()
	open, err := chromium()
	if err != nil {
		t.Fatalf("starting a browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(open, 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	said := &[]string{}
	err = chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
				*said = append(*said, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			*said = append(*said, fmt.Sprint(e.ExceptionDetails))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err2 := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return ctx, said
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", expression, err)
	}
	return v
}

// enter signs in with the browser as somebody would.
func enter(t *testing.T, ctx context.Context, base, person string) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(base+"/console/"), chromedp.Click(chromedp.CSS("main button")), chromedp.WaitVisible(chromedp.CSS(".people")),
		chromedp.Click(chromedp.CSS(`button[value="`+person+`"]`)), chromedp.WaitVisible(chromedp.CSS("nav.side")))
}

func see(t *testing.T, ctx context.Context, dark bool, width int64) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(width, 900))
}

// pages are all pages and states that the world has, by a name for pictures.
func (w *world) pages() map[string]string {
	all := map[string]string{
		"dashboard": "/console/", "dashboard-30d": "/console/?range=30d", "jobs": "/console/jobs", "jobs-none": "/console/jobs?contract=S0009", "jobs-wrong": "/console/jobs?state=odd", "jobs-start": "/console/jobs/start",
		"sponsors": "/console/sponsors", "sponsor": "/console/sponsors/sponsor", "contracts": "/console/contracts", "contracts-grace": "/console/contracts?attestation=grace",
		"clients": "/console/clients", "client": "/console/clients/client", "client-new": "/console/clients/new", "client-rotate": "/console/clients/client/rotate", "client-networks": "/console/clients/client/networks",
		"client-disable": "/console/clients/client/disable", "client-keys": "/console/clients/client/keys",
		"audit": "/console/audit", "audit-refused": "/console/audit?outcome=refused", "system": "/console/system", "settings": "/console/settings", "maintenance": "/console/system/maintenance",
		"approvals": "/console/approvals", "held": "/console/held", "held-hpms": "/console/held/listed", "held-enrollment": "/console/held/people", "held-release": "/console/held/listed/release",
		"specialist": "/console/contracts/S0001/specialist", "sandbox-export": "/console/contracts/S0001/sandbox", "override": "/console/contracts/S0001/override", "contract-edit": "/console/contracts/S0001/edit", "contract-new": "/console/contracts/new?sponsor=sponsor", "sponsor-new": "/console/sponsors/new",
		"sponsor-edit": "/console/sponsors/sponsor/edit", "sponsor-merge": "/console/sponsors/sponsor/merge", "sponsor-deactivate": "/console/sponsors/sponsor/deactivate", "sponsor-activate": "/console/sponsors/sponsor/activate", "client-deliver": "/console/clients/client/deliver",
		"search": "/console/search?q=S000", "search-none": "/console/search?q=zzz", "missing": "/console/nowhere", "missing-job": "/console/jobs/none",
	}
	for _, tab := range []string{"workers", "queue", "storage", "source", "hpms"} {
		all["system-"+tab] = "/console/system?tab=" + tab
	}
	for _, act := range []string{"sweep", "hpms", "pause", "resume"} {
		all["system-act-"+act] = "/console/system/" + act
	}
	for state, id := range w.jobs {
		all["job-"+string(state)] = "/console/jobs/" + string(id)
	}
	done := "/console/jobs/" + string(w.jobs[domain.Successful])
	for _, tab := range []string{"partitions", "files", "errors", "request", "history"} {
		all["job-tab-"+tab] = done + "?tab=" + tab
	}
	for _, action := range []string{"cancel", "retry", "extend", "expire"} {
		all["job-"+action] = done + "/" + action
	}
	for _, n := range []string{"S0001", "S0002", "S0003"} {
		all["contract-"+n] = "/console/contracts/" + n
		all["contract-"+n+"-attestation"] = "/console/contracts/" + n + "?tab=attestation"
	}
	for _, tab := range []string{"coverage", "jobs", "clients", "history"} {
		all["contract-tab-"+tab] = "/console/contracts/S0001?tab=" + tab
	}
	for contract, kind := range map[string]string{"S0001": "lapse", "S0002": "reattest", "S0003": "attest"} {
		all["attestation-"+kind] = "/console/contracts/" + contract + "/attestation?kind=" + kind
	}
	return all
}

const audit = `axe.run(document, {runOnly: %s, resultTypes: ['violations']})
	.then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message || '')).join(' | ')).join('\n'))`

// inspect checks what holds for every page, in light and dark and at both widths.
func inspect(t *testing.T, ctx context.Context, name string, said *[]string) {
	t.Helper()
	eval[bool](t, ctx, "("+"() => { if (!window.axe) {"+axe+"} return true })()")
	for _, view := range []struct {
		name  string
		dark  bool
		width int64
	}{{"wide", false, 1366}, {"wide-dark", true, 1366}, {"narrow-dark", true, 390}, {"narrow", false, 390}} {
		see(t, ctx, view.dark, view.width)
		rules := "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']"
		if view.name == "wide-dark" || view.name == "narrow" { // what else can differ has been seen in the view before
			rules = "['color-contrast']"
		}
		if v := eval[string](t, ctx, fmt.Sprintf(audit, rules)); v != "" {
			t.Errorf("%s (%s): %s", name, view.name, v)
		}
		if over := eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
			t.Errorf("%s (%s) is %d pixels too wide", name, view.name, over)
		}
		picture(t, ctx, name+"-"+view.name)
	}
	see(t, ctx, false, 320) // as at 400% zoom on a usual screen
	if over := eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		t.Errorf("%s is %d pixels too wide at 400%% zoom", name, over)
	}
	if mute := eval[string](t, ctx, `[...document.querySelectorAll('.stack td')].filter((c) => !c.innerText.trim() && !c.querySelector('progress, svg, input') && c.getClientRects().length > 0).map((c) => c.outerHTML).join('\n')`); mute != "" {
		t.Errorf("%s has rows of cards that say nothing:\n%s", name, mute)
	}
	if n := eval[int](t, ctx, "document.querySelectorAll('h1').length"); n != 1 {
		t.Errorf("%s has %d main headings", name, n)
	}
	if len(*said) > 0 {
		t.Errorf("%s: the browser says %q", name, *said)
		*said = nil
	}
}

// picture keeps what a page looks like where AB2D_TEST_PICTURES names a folder.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	folder := os.Getenv("AB2D_TEST_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Every page can be used by everybody: no axe violation, nothing too wide, no
// complaint of the browser; light and dark, wide and narrow. The pages are those of
// the console over a world, and all of the storybook with its states.
func TestEveryPageIsAccessible(t *testing.T) {
	w := newWorld(t)
	book := httptest.NewServer(stories.Handler())
	t.Cleanup(book.Close)
	ctx, said := browse(t)
	only := regexp.MustCompile(os.Getenv("AB2D_TEST_PAGES"))
	visit := func(name, url string) {
		if only.MatchString(name) {
			do(t, ctx, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("main")))
			inspect(t, ctx, name, said)
		}
	}
	visit("storybook", book.URL)
	for _, s := range stories.All() {
		visit("story-"+s.Name, book.URL+"/"+s.Name)
	}
	enter(t, ctx, w.base, "sandbox-admin")
	for name, path := range w.pages() {
		visit(name, w.base+path)
	}
}

// A list changes in place while its jobs run, and says when one has ended.
func TestAListOfJobsLives(t *testing.T) {
	w := newWorld(t)
	ctx, said := browse(t)
	enter(t, ctx, w.base, "sandbox-operator")
	id := string(w.jobs[domain.InProgress])
	cell := "#state-" + id
	do(t, ctx, chromedp.Navigate(w.base+"/console/jobs"), chromedp.WaitVisible(chromedp.CSS(cell)))
	before := eval[string](t, ctx, "document.querySelector('.stack tbody').innerText.match(/[0-9a-f]{8}/g).join()")
	if got := eval[string](t, ctx, "document.querySelector('"+cell+"').innerText"); !strings.Contains(got, "In progress") {
		t.Fatalf("the job is %s", got)
	}
	if err := w.Drain(); err != nil {
		t.Fatal(err)
	}
	until(t, "the row to change", func() bool {
		return strings.Contains(eval[string](t, ctx, "document.querySelector('"+cell+"').innerText"), "Successful")
	})
	if after := eval[string](t, ctx, "document.querySelector('.stack tbody').innerText.match(/[0-9a-f]{8}/g).join()"); after != before {
		t.Errorf("rows moved under the reader: %s, then %s", before, after)
	}
	if len(*said) > 0 {
		t.Errorf("the browser says %q", *said)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
