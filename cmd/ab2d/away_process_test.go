package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	pgserver "cms.gov/ab2d/adapters/entstore/pgtest/server"
)

// While Postgres is away every request is refused with what to do and when,
// processes stay, and once it is back everything goes on by itself.
func TestADatabaseThatIsAwayForAWhile(t *testing.T) {
	ctx := patience(t)
	pg, err := pgserver.Own()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Close)
	dir := t.TempDir()
	settings := []string{"--database-url", pg.URL(), "--partition-members", "20", "--lease", "2s", "--patience", "2s", "--reconcile", "200ms", "--workers", "1"}
	api := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "api")...)
	worker := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	if err := api.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	status, _ := api.kickOff(ctx, t, "/api/v2/fhir/Patient/$export")
	pg.Stop(pgserver.Immediate)
	for _, address := range []string{status, api.base + "/api/v1/fhir/Group/S0001/$export", strings.Replace(status, "$status", "file/S0001_0001.ndjson", 1)} {
		res, err := api.get(ctx, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		var told struct {
			ResourceType string
			Issue        []struct{ Code, Diagnostics string }
		}
		err = json.NewDecoder(res.Body).Decode(&told)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || told.ResourceType != "OperationOutcome" ||
			told.Issue[0].Code != "transient" || told.Issue[0].Diagnostics == "" {
			t.Errorf("%s: %s, Retry-After %q, %+v, %v", address, res.Status, res.Header.Get("Retry-After"), told, err)
		}
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the API to answer again", func() bool {
		res, err := api.get(ctx, api.base+"/ready", nil)
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	})
	m, err := api.follow(ctx, status)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := api.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}
	for _, s := range []*server{api, worker} {
		if s.cmd.ProcessState != nil {
			t.Errorf("a process has ended: %v", s.cmd.ProcessState)
		}
	}
}
