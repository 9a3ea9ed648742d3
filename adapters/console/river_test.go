package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// River's own pages load under the console's policy without a complaint, and
// change nothing. What axe finds there is River's own, and is told in the page
// about accessibility: whatever that does not name fails here.
func TestRiversPagesLoadAndOnlyShow(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "ab2d.db")
	queue, err := riverjobs.Queue(url)
	if err != nil {
		t.Fatal(err)
	}
	store, err := entstore.Open(t.Context(), url, queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		return tx.Queue.Schedule(ctx, ports.Task{Job: domain.NewJobID()}, ports.Task{Job: domain.NewJobID(), Partition: 1})
	}); err != nil {
		t.Fatal(err)
	}
	pages, err := riverjobs.Pages(t.Context(), url, store.DB(), console.QueuePath, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile("../../docs/accessibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rivers, _ := strings.Cut(string(told), "River's own pages")
	w := newWorld(t, func(c *console.Config) { c.Queue = pages })
	ctx, said := browse(t)
	enter(t, ctx, w.base, "sandbox-admin")
	for path, text := range map[string]string{"/jobs?state=available": "plan_export", "/queues": "Queues"} {
		do(t, ctx, chromedp.Navigate(w.base+console.QueuePath+path))
		until(t, "River's page to show "+text, func() bool {
			return strings.Contains(eval[string](t, ctx, "document.body.innerText"), text)
		})
		eval[bool](t, ctx, "("+"() => { if (!window.axe) {"+axe+"} return true })()")
		for _, dark := range []bool{false, true} {
			see(t, ctx, dark, 1366)
			found := eval[string](t, ctx, fmt.Sprintf(audit, "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']"))
			for line := range strings.SplitSeq(found, "\n") {
				if rule, _, _ := strings.Cut(line, ":"); rule != "" && !strings.Contains(rivers, "`"+rule+"`") {
					t.Errorf("%s (dark %t) has a violation that nobody is told of: %s", path, dark, line)
				}
			}
			picture(t, ctx, fmt.Sprintf("river%s-%t", strings.ReplaceAll(strings.SplitN(path, "?", 2)[0], "/", "-"), dark))
		}
	}
	for _, change := range []string{"jobs/cancel", "jobs/delete", "jobs/retry", "queues/plan/pause"} {
		if status := eval[int](t, ctx, fmt.Sprintf("fetch('%s/api/%s', {method: 'POST', body: '{\"ids\":[\"1\"]}'}).then(r => r.status)", console.QueuePath, change)); status != 403 {
			t.Errorf("%s is answered %d", change, status)
		}
	}
	if n := eval[int](t, ctx, "fetch('"+console.QueuePath+"/api/jobs?limit=10&state=available').then(r => r.json()).then(j => j.data.length)"); n != 2 {
		t.Errorf("afterwards %d tasks wait, want 2", n)
	}
	if len(*said) > 0 {
		t.Errorf("the browser says %q", *said)
	}
}
