package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/admin"
)

var silent = slog.New(slog.DiscardHandler)

func passes(context.Context) error { return nil }
func fails(context.Context) error  { return errors.New("no room") }

func metrics(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }

// page asks the admin address for a page.
func page(t *testing.T, path string, checks ...admin.Check) *httptest.ResponseRecorder {
	t.Helper()
	server := admin.NewServer(admin.NewReadiness(silent, checks...), admin.BuildOf("v7"), http.HandlerFunc(metrics), silent)
	res := httptest.NewRecorder()
	server.Handler.ServeHTTP(res, httptest.NewRequest("GET", path, nil))
	return res
}

func TestThePagesOfTheAdminAddress(t *testing.T) {
	for path, want := range map[string]string{
		"/health": `{"status":"ok"}`, "/version": `"version":"v7"`, "/metrics": "up 1", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		if res := page(t, path, admin.Check{Name: "disk", Check: fails}); res.Code != 200 || !strings.Contains(res.Body.String(), want) {
			t.Errorf("%s answers %d %s", path, res.Code, res.Body)
		}
	}
	if res := page(t, "/debug/pprof/cmdline"); res.Code != 404 {
		t.Errorf("the command line is told: %s", res.Body)
	}
}

func TestReadinessTellsItsReasons(t *testing.T) {
	disk, database := admin.Check{Name: "disk", Check: fails}, admin.Check{Name: "database", Check: passes}
	if res := page(t, "/ready", database); res.Code != 200 || strings.TrimSpace(res.Body.String()) != `{"ready":true,"reasons":[]}` {
		t.Errorf("%d %s", res.Code, res.Body)
	}
	res := page(t, "/ready", database, disk)
	var state admin.State
	if err := json.Unmarshal(res.Body.Bytes(), &state); err != nil {
		t.Fatal(err)
	}
	if res.Code != 503 || res.Header().Get("Retry-After") == "" || state.Ready || len(state.Reasons) != 1 || state.Reasons[0] != "disk: no room" {
		t.Errorf("%d %v", res.Code, state)
	}
}

// However many ask at once, what is checked is asked once.
func TestAnAnswerCountsForEverybodyForAWhile(t *testing.T) {
	var asked atomic.Int32
	r := admin.NewReadiness(silent, admin.Check{Name: "database", Check: func(context.Context) error {
		asked.Add(1)
		return nil
	}})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if !r.State().Ready {
				t.Error("not ready")
			}
		})
	}
	all.Wait()
	// A machine that is very busy may take longer than an answer counts.
	if n := asked.Load(); n > 5 {
		t.Errorf("asked %d times", n)
	}
}

func TestACheckThatHangsHoldsUpNobodyAndIsNotPiledUp(t *testing.T) {
	var asked atomic.Int32
	let := make(chan struct{})
	defer close(let)
	var log bytes.Buffer
	r := admin.NewReadiness(slog.New(slog.NewTextHandler(&log, nil)), admin.Check{Name: "store", Check: func(context.Context) error {
		asked.Add(1)
		<-let
		return nil
	}})
	for range 2 {
		s := r.State()
		for strings.HasPrefix(strings.Join(s.Reasons, ""), "store: no answer within") {
			time.Sleep(10 * time.Millisecond)
			s = r.State() // until that answer is no longer fresh
		}
		if s.Ready || len(s.Reasons) != 1 || s.Reasons[0] != "store: still no answer" {
			t.Errorf("%v", s)
		}
	}
	if asked.Load() != 1 || strings.Count(log.String(), "ready=false") != 1 {
		t.Errorf("asked %d times, logged %s", asked.Load(), log.String())
	}
}

func TestThePublicPages(t *testing.T) {
	for _, tc := range []struct {
		path        string
		check       func(context.Context) error
		maintenance bool
		away        error
		status      int
		body        string
	}{
		{"/health", fails, false, nil, 200, `{"status":"ok"}`},
		{"/status", passes, false, nil, 200, `{"maintenanceMode":"false"}`},
		{"/status", passes, true, nil, 200, `{"maintenanceMode":"true"}`},
		{"/status", passes, false, errors.New("the database does not answer"), 503, `{"maintenanceMode":"unknown"}`},
		{"/ready", passes, false, nil, 200, `{"ready":true}`},
		{"/ready", fails, false, nil, 503, `{"ready":false}`},
	} {
		app := fiber.New()
		admin.MountPublic(app, admin.NewReadiness(silent, admin.Check{Name: "disk", Check: tc.check}), func(context.Context) (bool, error) { return tc.maintenance, tc.away })
		for method, want := range map[string]string{"GET": tc.body, "HEAD": ""} {
			res, err := app.Test(httptest.NewRequest(method, tc.path, nil), -1)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tc.status || string(body) != want || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s answers %d %q %v", method, tc.path, res.StatusCode, body, res.Header)
			}
			if (res.StatusCode == 503) != (res.Header.Get("Retry-After") != "") {
				t.Errorf("%s: Retry-After %q", tc.path, res.Header.Get("Retry-After"))
			}
			if tc.path == "/status" && res.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Error("no page elsewhere can show the status")
			}
		}
	}
}
