package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe/axe.min.js
var axe string

// The reference and the guide can be read by everybody: axe-core finds no barrier
// of WCAG 2.2 AA in them, light or dark, wide or narrow, and no window has to be
// scrolled sideways.
func TestTheReferenceCanBeReadByEverybody(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	ctx := browse(t, s.base)
	readable(ctx, t, s.base+"/docs/api", 1280, "light")
	readable(ctx, t, s.base+"/docs/api", 390, "dark")
	readable(ctx, t, s.base+"/docs/api", 1280, "dark")
	readable(ctx, t, s.base+"/docs/api", 390, "light")
	readable(ctx, t, s.base+"/docs", 390, "light")
	readable(ctx, t, s.base+"/docs/troubleshooting", 1280, "dark")
	readable(ctx, t, s.base+"/docs/tutorial-curl", 390, "dark")
	readable(ctx, t, s.base+"/docs/data-dictionary-r4", 390, "light")
	readable(ctx, t, s.base+"/docs/operations", 1280, "light")
	readable(ctx, t, s.base+"/docs/architecture", 390, "dark")
	readable(ctx, t, s.base+"/docs/decisions", 1280, "dark")
}

func readable(ctx context.Context, t *testing.T, url string, width int64, scheme string) {
	t.Helper()
	name := fmt.Sprintf("%s, %s at %d", url, scheme, width)
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main"))); err != nil {
		t.Fatal(err)
	}
	scroll, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
	if err != nil || scroll > width {
		t.Errorf("%s: the page is %d wide, %v", name, scroll, err)
	}
	// What the browser's tools run is not bound by the page's policy, which allows no script.
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](axe+`;axe.run(document, {runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r =>
		JSON.stringify({passes: r.passes.length, violations: r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map(n => n.html).join(" ").slice(0, 600))}))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Passes     int
		Violations []string
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil {
		t.Fatal(err)
	}
	if result.Passes < 10 {
		t.Errorf("%s: only %d rules could be looked at", name, result.Passes)
	}
	for _, v := range result.Violations {
		t.Errorf("%s: %s", name, v)
	}
}
