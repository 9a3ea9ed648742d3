package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe/axe.min.js
var axe string

// The reference can be read by everybody: axe-core finds no barrier of WCAG 2.2
// AA in it, light or dark, wide or narrow, and no window has to be scrolled
// sideways.
func TestTheReferenceCanBeReadByEverybody(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	ctx := browse(t, s.base)
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("%s at %d", scheme, width)
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.base+"/docs/api"), chromedp.WaitReady(chromedp.CSS("main"))); err != nil {
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
	}
}
