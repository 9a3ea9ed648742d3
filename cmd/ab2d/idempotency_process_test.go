package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest"
)

// A kick-off that is sent again and again, to two processes at once, starts one
// export, and all are told where it is.
func TestOneKeyStartsOneExportWhicheverProcessAnswers(t *testing.T) {
	ctx := patience(t)
	settings := []string{"--database-url", pgtest.URL(t), "--roles", "api"}
	servers := []*server{start(t, t.TempDir(), "127.0.0.1:0", settings...), start(t, t.TempDir(), "127.0.0.1:0", settings...)}
	for _, s := range servers {
		if err := s.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
			t.Fatal(err)
		}
	}
	send := func(s *server, path, key string) (status int, location string) {
		res, err := s.get(ctx, s.base+path, http.Header{"Idempotency-Key": {key}})
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode, strings.TrimPrefix(res.Header.Get("Content-Location"), s.base)
	}
	const n = 16
	locations := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var status int
			if status, locations[i] = send(servers[i%2], "/api/v2/fhir/Group/S0001/$export", `"one"`); status != http.StatusAccepted {
				t.Errorf("request %d: %d", i, status)
			}
		})
	}
	all.Wait()
	for i, l := range locations {
		if l == "" || l != locations[0] {
			t.Errorf("request %d is told %q, the first %q", i, l, locations[0])
		}
	}
	if status, _ := send(servers[1], "/api/v2/fhir/Group/S0001/$export?_since=2026-01-01T00:00:00Z", "one"); status != http.StatusUnprocessableEntity {
		t.Errorf("another request with the key: %d", status)
	}
	res, err := servers[1].get(ctx, servers[1].base+"/api/v2/fhir/Job", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct{ Entry []json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || len(list.Entry) != 1 {
		t.Errorf("%d jobs, %v", len(list.Entry), err)
	}
}
