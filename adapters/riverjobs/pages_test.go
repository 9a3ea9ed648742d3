package riverjobs_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/ports"
)

// River's pages show the queue of either kind of database and change nothing.
func TestPagesShowTheQueueAndNoMore(t *testing.T) {
	each(t, func(t *testing.T, b bundle) {
		b.schedule(t, ports.Task{Job: "j"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		pages, err := riverjobs.Pages(ctx, b.url, b.store.DB(), "/queue", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, body string) (int, string) {
			t.Helper()
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			all, err := io.ReadAll(w.Result().Body)
			if err != nil {
				t.Fatal(err)
			}
			return w.Code, string(all)
		}
		if status, page := ask("GET", "/queue/", ""); status != 200 || !strings.Contains(page, "<title>River</title>") || strings.Contains(page, "<script>") {
			t.Errorf("the page answers %d, or brings a script that no policy lets run:\n%s", status, page)
		}
		const waiting = "/queue/api/jobs?limit=10&state=available"
		if status, jobs := ask("GET", waiting, ""); status != 200 || strings.Count(jobs, `"kind":"plan_export"`) != 1 {
			t.Errorf("the tasks are answered %d: %s", status, jobs)
		}
		for _, change := range [][2]string{{http.MethodPost, "/queue/api/jobs/cancel"}, {http.MethodPost, "/queue/api/jobs/delete"}, {http.MethodPut, "/queue/api/queues/plan/pause"}, {http.MethodPost, "/queue/api/jobs/retry"}} {
			if status, _ := ask(change[0], change[1], `{"ids":["1"]}`); status != 403 {
				t.Errorf("%s %s is answered %d", change[0], change[1], status)
			}
		}
		if status, jobs := ask("GET", waiting, ""); status != 200 || strings.Count(jobs, `"kind":"plan_export"`) != 1 {
			t.Errorf("afterwards the tasks are answered %d: %s", status, jobs)
		}
	})
}
