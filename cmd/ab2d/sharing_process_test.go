package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest"
)

// A small export that comes while a large one has all the workers is done long
// before it: the very next partition is the small one's.
func TestASmallExportNeedNotWaitForALargeOne(t *testing.T) {
	ctx := patience(t)
	dir := t.TempDir()
	large := start(t, dir, "127.0.0.1:0", "--partition-members", "100")
	if err := large.signIn(ctx, sponsorOf(t, "S0010")); err != nil {
		t.Fatal(err)
	}
	status, job := large.kickOff(ctx, t, "/api/v2/fhir/Group/S0010/$export")
	until(t, "the large export to be under way", func() bool { return len(bound(t, dir, job)) > 1 })

	small := &server{walker: &walker{base: large.base, tokenURL: large.tokenURL, say: t.Logf}}
	if err := small.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	before := len(bound(t, dir, job))
	_, other := small.kickOff(ctx, t, "/api/v2/fhir/Group/S0000/$export")
	until(t, "the small export to be complete", func() bool {
		return count(t, dir, "SELECT count(*) FROM export_jobs WHERE state = 'successful' AND id = ?", other) == 1
	})
	after := len(bound(t, dir, job))
	t.Logf("of 100 partitions of the large export %d were bound before the small one came, %d when it was complete", before, after)
	if after >= 100 {
		t.Error("the large export was complete before the small one")
	}
	// And the large one goes on.
	until(t, "the large export to go on", func() bool { return len(bound(t, dir, job)) > after })
	if res, err := large.ask(ctx, http.MethodDelete, status, nil); err != nil || res.StatusCode != http.StatusAccepted {
		t.Errorf("%v, %v", res, err)
	}
}

// A worker stands still (SIGSTOP) in the middle of a partition for longer than
// its lease. Another does the partition. When the first goes on, what it
// publishes binds nothing, and what it wrote is swept.
func TestAHangingWorkerLosesItsPartition(t *testing.T) {
	ctx := patience(t)
	url := pgtest.URL(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	scan := func(query string, into ...any) {
		t.Helper()
		if err := db.QueryRowContext(ctx, query).Scan(into...); err != nil {
			t.Fatal(err)
		}
	}
	number := func(query string) (n int) { t.Helper(); scan(query, &n); return n }
	dir := t.TempDir()
	settings := []string{"--partition-members", "500", "--lease", "2s", "--reconcile", "200ms", "--sweep", "500ms", "--workers", "1", "--database-url", url}
	api := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "api")...)
	if err := api.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	hangs := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	status, job := api.kickOff(ctx, t, "/api/v1/fhir/Group/S0001/$export")
	var seq int
	for stopped := false; !stopped; {
		until(t, "the first worker to hold a partition", func() bool { return number("SELECT count(*) FROM partitions WHERE lease_token IS NOT NULL") == 1 })
		if err := hangs.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		// It may just have published it.
		if stopped = number("SELECT count(*) FROM partitions WHERE lease_token IS NOT NULL") == 1; stopped {
			scan("SELECT seq FROM partitions WHERE lease_token IS NOT NULL", &seq)
		} else if err := hangs.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	m, err := api.follow(ctx, status)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		attempt int
		result  string
	}
	bound := func() (r row) {
		t.Helper()
		if err := db.QueryRowContext(ctx, "SELECT attempt, result FROM partitions WHERE seq = $1", seq).Scan(&r.attempt, &r.result); err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := bound()
	if before.attempt < 2 {
		t.Fatalf("partition %d was bound by attempt %d, the one that hung", seq, before.attempt)
	}
	if err := hangs.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// It has noticed once it has done something else.
	next, _ := api.kickOff(ctx, t, "/api/v1/fhir/Group/S0001/$export")
	if _, err := api.follow(ctx, next); err != nil {
		t.Fatal(err)
	}
	if err := hangs.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := hangs.cmd.Wait(); err != nil {
		t.Errorf("the worker that had hung stopped with %v", err)
	}
	if after := bound(); after != before {
		t.Errorf("what the late worker published was bound: %+v, before %+v", after, before)
	}
	wanted := number("SELECT count(*) FROM output_files WHERE job_id = '" + job + "'")
	until(t, "what the late worker wrote to be swept", func() bool {
		return len(filesUnder(t, filepath.Join(dir, "files", "jobs", job))) == wanted
	})
	if sum, err := api.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}
}
