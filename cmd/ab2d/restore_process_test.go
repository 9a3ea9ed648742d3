package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest"
)

// The backup of the operator's guide: first the database, then the files, with
// everything running. Restored elsewhere after all is lost, what was complete can be
// fetched and what was running goes on and ends with the same files.
func TestABackupIsRestored(t *testing.T) {
	ctx := patience(t)
	const kickOff = "/api/v2/fhir/Group/S0001/$export"
	settings := []string{"--partition-members", "50", "--lease", "2s", "--reconcile", "200ms", "--patience", "2s", "--sweep", "500ms", "--workers", "1", "--downloads", "9"}
	process := func(dir, listen, url string, own ...string) *server {
		t.Helper()
		return start(t, dir, listen, append(append([]string{"--database-url", url}, settings...), own...)...)
	}
	from, listen, dir := pgtest.URL(t), freeAddress(t), t.TempDir()
	api := process(dir, listen, from, "--roles", "api")
	worker := process(dir, "127.0.0.1:0", from, "--roles", "worker")
	if err := api.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	complete, _ := api.kickOff(ctx, t, kickOff)
	m, err := api.follow(ctx, complete)
	if err != nil {
		t.Fatal(err)
	}
	want := api.files(ctx, t, m)

	db, err := sql.Open("pgx", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	running, job := api.kickOff(ctx, t, kickOff)
	done := func() (n int) {
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM partitions WHERE state = 'done' AND job_id = $1", job).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	until(t, "the second export to be under way", func() bool { return done() > 2 })
	// On a busy machine the worker would be done before the backup is.
	if err := worker.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	guide := typedHere(t, "docs/operations.md")
	if len(guide) != 2 {
		t.Fatalf("%d blocks, want how to back up and how to restore", len(guide))
	}
	kept, elsewhere := t.TempDir(), t.TempDir()
	guide[0].typeIn(t, kept, "AB2D_DATABASE_URL="+from, "AB2D_DATA_DIR="+dir)
	if n := done(); n >= 20 {
		t.Fatalf("all %d partitions were done before the backup was", n)
	}
	api.kill()
	worker.kill()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	to := pgtest.Empty(t)
	guide[1].typeIn(t, kept, "AB2D_DATABASE_URL="+to, "AB2D_DATA_DIR="+elsewhere)
	token := api.token
	api = process(elsewhere, listen, to, "--roles", "api")
	api.token = token // the signing key is in the backup too
	process(elsewhere, "127.0.0.1:0", to, "--roles", "worker")
	for what, status := range map[string]string{"complete": complete, "running": running} {
		m, err := api.follow(ctx, status)
		if err != nil {
			t.Fatalf("the export that was %s: %v", what, err)
		}
		if got := api.files(ctx, t, m); !slices.Equal(got, want) {
			t.Errorf("the export that was %s has files\n%v\nwant\n%v", what, got, want)
		}
	}
	until(t, "what the backup did not know to be swept", func() bool { return len(filesUnder(t, filepath.Join(elsewhere, "files", "jobs"))) == 2*len(want) })
}
