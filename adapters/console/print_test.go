package console_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/web/console/stories"
)

// unprintable tells what of a page is not as it is to be on paper: what is pressed
// is gone, tables are whole with their head on each sheet, badges are legible
// without colour, nothing is cut off at the side, and what is folded is open.
const unprintable = `(() => {
  const wrong = [], shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
  for (const e of document.querySelectorAll('nav, button, .btn, .filters, .pager, .skip, footer, input[type=search]')) if (shown(e) && !e.matches('nav.crumbs, nav[aria-label=Breadcrumb]') && !e.querySelector('[aria-current]')) wrong.push('shown: ' + e.outerHTML.slice(0, 90));
  for (const e of document.querySelectorAll('table')) { if (shown(e) && getComputedStyle(e).display !== 'table') wrong.push('no table: ' + e.className); }
  for (const e of document.querySelectorAll('table thead')) if (getComputedStyle(e).display !== 'table-header-group' || getComputedStyle(e).position !== 'static') wrong.push('a head that is not repeated');
  for (const e of document.querySelectorAll('table tbody tr')) if (getComputedStyle(e).display !== 'table-row') wrong.push('a row that is a card');
  for (const e of document.querySelectorAll('.badge')) { const s = getComputedStyle(e); if (s.color !== 'rgb(0, 0, 0)' || s.backgroundColor !== 'rgba(0, 0, 0, 0)' || s.borderTopStyle === 'none') wrong.push('a badge in colours: ' + e.innerText); }
  for (const e of document.querySelectorAll('main p, main td, main dd, main li, h1, h2')) { const m = getComputedStyle(e).color.match(/\d+/g).slice(0, 3).map(Number); if (shown(e) && Math.max(...m) > 90) wrong.push('pale: ' + e.innerText.slice(0, 40)); }
  const wide = document.documentElement.clientWidth;
  for (const e of document.querySelectorAll('main td, main th, main p, main dd, main pre, h1')) { const b = e.getBoundingClientRect(); if (b.right > wide + 1 && shown(e) && !e.closest('.sr')) wrong.push('cut off at ' + Math.round(b.right) + ' of ' + wide + ': ' + e.innerText.slice(0, 40)); }
  for (const e of document.querySelectorAll('details')) for (const c of e.children) if (c.tagName !== 'SUMMARY' && c.getBoundingClientRect().height === 0) wrong.push('folded: ' + e.innerText.slice(0, 40));
  const u = document.querySelector('.facts a[href]');
  if (u && !getComputedStyle(u, '::after').content.includes(u.getAttribute('href'))) wrong.push('a link of which the target is not told');
  return [...new Set(wrong)].slice(0, 8).join('\n');
})()`

// Pages are printed: each is looked at as paper shows it, and a long one comes out
// as several sheets.
func TestPagesArePrinted(t *testing.T) {
	w := newWorld(t)
	ctx, _ := browse(t)
	enter(t, ctx, w.base, "sandbox-admin")
	book := httptest.NewServer(stories.Handler())
	defer book.Close()
	done := w.base + "/console/jobs/" + string(w.jobs[domain.Successful])
	pages := map[string]string{"audit": w.base + "/console/audit", "jobs": w.base + "/console/jobs", "job": done, "job-files": done + "?tab=files", "job-request": done + "?tab=request", "dashboard": w.base + "/console/",
		"contract": w.base + "/console/contracts/S0002", "attestation": w.base + "/console/contracts/S0002?tab=attestation", "coverage": w.base + "/console/contracts/S0001?tab=coverage", "sponsor": w.base + "/console/sponsors/sponsor",
		"clients": w.base + "/console/clients", "system": w.base + "/console/system", "settings": w.base + "/console/settings", "form": w.base + "/console/contracts/S0001/edit"}
	for _, s := range stories.All() {
		pages["story-"+s.Name] = book.URL + "/" + s.Name
	}
	const sheet = 720 // a letter's width without its margins
	// For whoever reads in the dark: what is printed well from there is so from the light.
	media := emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(sheet, 960))
	for name, url := range pages {
		do(t, ctx, chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
		if wrong := eval[string](t, ctx, unprintable); wrong != "" {
			t.Errorf("%s on paper:\n%s", name, wrong)
		}
		picture(t, ctx, "print-"+name)
	}
	do(t, ctx, chromedp.Navigate(pages["audit"]), chromedp.WaitReady(chromedp.CSS("main")))
	eval[bool](t, ctx, `(() => { const b = document.querySelector('main table tbody'); if (!b) return false; for (let i = 0; i < 3; i++) b.append(...[...b.children].map((r) => r.cloneNode(true))); return true })()`)
	out, err := chromedp.Call(ctx, page.PrintToPDF, page.PrintToPDFParams{})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Data, []byte("/Type /Page\n")); n < 3 {
		t.Errorf("a long audit log is printed on %d sheets, %.8q", n, out.Data)
	}
	if folder := os.Getenv("AB2D_TEST_PICTURES"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, "print.pdf"), out.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
