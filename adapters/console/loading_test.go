package console_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/console"
)

// watch has a page note what it says while the next is awaited, and only then has
// the server answer, by asking for the settings.
const watch = `(() => { const timer = setInterval(async () => {
	const busy = document.querySelector('main').getAttribute('aria-busy') === 'true', says = document.querySelector('#loading');
	if (!busy || says.textContent === '') return;
	clearInterval(timer);
	const box = says.getBoundingClientRect();
	sessionStorage.said = says.textContent + (box.top >= 0 && box.height > 10 && box.width > 10 ? ' in sight ' : ' ') + says.getAttribute('role');
	sessionStorage.wrong = await %s;
	fetch('/console/settings');
}, 20); %s; return true })()`

// While the next page is awaited the present one says so to eyes and ears, and a
// form is not sent twice; once it is there nothing of that is left.
func TestAPageSaysThatTheNextIsAwaited(t *testing.T) {
	var asked atomic.Int32
	var mu sync.Mutex
	seen := make(chan struct{}) // closed once the page says that it waits
	w := newWorld(t, func(c *console.Config) {
		c.Address = func(f *fiber.Ctx) netip.Addr {
			mu.Lock()
			wait := seen
			mu.Unlock()
			switch f.Path() {
			case "/console/settings":
				close(wait)
			case "/console/sponsors", "/console/search":
				asked.Add(1)
				<-wait
			}
			return netip.MustParseAddr("127.0.0.1")
		}
	})
	ctx, said := browse(t)
	enter(t, ctx, w.base, "sandbox-viewer")
	const busy = "document.querySelector('main').getAttribute('aria-busy') === 'true'"
	if eval[bool](t, ctx, "document.querySelector('.skip').click(), "+busy) {
		t.Error("a page is busy that is there, and of which another part was gone to")
	}
	for _, step := range []struct{ act, there string }{
		{"document.querySelector('nav.side a[href=\"/console/sponsors\"]').click()", "Sponsors"},
		{"const f = document.querySelector('form.find'); f.q.value = 'zzz'; f.requestSubmit(); f.requestSubmit()", "Search"},
	} {
		asked.Store(0)
		mu.Lock()
		seen = make(chan struct{})
		mu.Unlock()
		eval[bool](t, ctx, "("+"() => { if (!window.axe) {"+axe+"} return true })()")
		rules := fmt.Sprintf(audit, "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']")
		eval[bool](t, ctx, fmt.Sprintf(watch, rules, step.act))
		do(t, ctx, chromedp.WaitVisible(chromedp.CSS("form.find")))
		until(t, step.there, func() bool { return eval[string](t, ctx, "document.querySelector('h1').innerText") == step.there })
		if got := eval[string](t, ctx, "sessionStorage.said ?? ''"); got != "Loading… in sight status" {
			t.Errorf("while %s was awaited the page said %q", step.there, got)
		}
		if wrong := eval[string](t, ctx, "sessionStorage.wrong ?? ''"); wrong != "" {
			t.Error(wrong)
		}
		if eval[bool](t, ctx, "sessionStorage.clear(), "+busy) || eval[string](t, ctx, "document.querySelector('#loading').textContent.trim()") != "" {
			t.Error("the page that was awaited still waits")
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("%s was asked for %d times", step.there, n)
		}
	}
	if len(*said) > 0 {
		t.Errorf("the browser says %q", *said)
	}
}
