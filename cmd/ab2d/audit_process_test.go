package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest"
)

// runToEnd runs the program to its end and returns what it said and its exit code.
func runToEnd(ctx context.Context, t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}

// The migrator owns the tables and lets another role serve. As that role a whole
// export works, the trail is sealed, and nothing of it can be changed; moving
// records into archives takes the migrator.
func TestTheServingRoleExportsAndCannotChangeThePast(t *testing.T) {
	ctx, dir := patience(t), t.TempDir()
	owner := pgtest.Empty(t)
	const role = "ab2d_serve"
	asRole := pgtest.As(t, owner, role, "a-secret-of-yours")
	do := func(want int, args ...string) string {
		t.Helper()
		out, code := runToEnd(ctx, t, append(args, "--data-dir", dir)...)
		if code != want {
			t.Fatalf("ab2d %s ended with %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
		}
		return out
	}
	for _, b := range typedHere(t, "docs/operations.md") {
		b.typeIn(t, dir, "AB2D_DATABASE_URL="+owner)
	}
	api := start(t, dir, "127.0.0.1:0", "--database-url", asRole, "--roles", "api,console")
	start(t, dir, "127.0.0.1:0", "--database-url", asRole, "--roles", "worker", "--audit-seal", "100ms")
	if err := api.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := api.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.fetchAll(ctx, m); err != nil {
		t.Fatal(err)
	}
	status, _ := api.kickOff(ctx, t, "/api/v1/fhir/Group/S0000/$export")
	res, err := api.ask(ctx, http.MethodDelete, status, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Errorf("cancelling: %s", res.Status)
	}

	db, err := sql.Open("pgx", asRole)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	until(t, "all records to be sealed", func() bool {
		var waiting, seals int
		if err := db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM audit_unsealed), (SELECT count(*) FROM audit_seals)").Scan(&waiting, &seals); err != nil {
			t.Fatal(err)
		}
		return waiting == 0 && seals > 0
	})
	for _, statement := range []string{"UPDATE audit_records SET target = ''", "DELETE FROM audit_records", "TRUNCATE audit_records", "DELETE FROM audit_seals"} {
		if _, err := db.ExecContext(ctx, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	do(0, "audit", "verify", "--database-url", asRole)
	if out := do(1, "audit", "archive", "--database-url", asRole, "--audit-keep", "1ms"); !strings.Contains(out, "may not remove audit records") {
		t.Errorf("archiving as the role that serves says\n%s", out)
	}
	do(0, "audit", "verify", "--database-url", asRole)
	do(0, "audit", "seal", "--database-url", asRole)
	do(0, "audit", "archive", "--database-url", owner, "--audit-keep", "1ms")
	do(0, "audit", "seal", "--database-url", asRole)
	var report struct {
		Holds             bool
		Records, Archived int
	}
	if err := json.Unmarshal([]byte(do(0, "audit", "verify", "--json", "--database-url", asRole)), &report); err != nil || !report.Holds || report.Archived < 5 {
		t.Errorf("the report is %+v, %v", report, err)
	}

	// The migrator can do anything, and whatever it does is seen.
	all, err := sql.Open("pgx", owner)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if _, err := all.ExecContext(ctx, "DELETE FROM audit_seals WHERE number = (SELECT max(number) FROM audit_seals)"); err != nil {
		t.Fatal(err)
	}
	if out := do(2, "audit", "verify", "--database-url", asRole); !strings.Contains(out, "the database does not have it") || !strings.Contains(out, "does not hold") {
		t.Errorf("without the last seal verify says\n%s", out)
	}
}

// The commands work beside a sandbox that runs, and what was tampered with in
// its embedded database is told in words.
func TestTheTrailOfASandboxIsVerified(t *testing.T) {
	ctx, dir := patience(t), t.TempDir()
	s := start(t, dir, "127.0.0.1:0", "--audit-seal", "1h")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export"); err != nil {
		t.Fatal(err)
	}
	do := func(want int, has string, args ...string) {
		t.Helper()
		if out, code := runToEnd(ctx, t, append(args, "--data-dir", dir)...); code != want || !strings.Contains(out, has) {
			t.Errorf("ab2d %s ended with %d, want %d and %q:\n%s", strings.Join(args, " "), code, want, has, out)
		}
	}
	do(0, "the audit trail holds", "audit", "verify")
	do(0, "all records are sealed", "audit", "seal")
	do(0, "BEGIN PUBLIC KEY", "audit", "key")
	do(0, "export.complete", "audit", "list", "action=export.", "limit=1")
	do(0, `"action":"export.start"`, "audit", "list", "action=export.start", "--json")
	do(1, "audit list takes", "audit", "list", "colour=red")
	do(1, "nothing to record", "audit", "restored", "no reason")
	do(1, "audit-keep is 0", "audit", "archive")
	do(1, "verify", "audit")
	do(1, "verify", "audit", "unknown")
	do(1, "--json", "audit", "verify", "everything")

	// As after a backup that is older than what was exported.
	stop := func() { // in order, so that all is in the one file
		t.Helper()
		if err := errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.cmd.Wait()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	backup, err := os.ReadFile(filepath.Join(dir, "ab2d.db"))
	if err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, "127.0.0.1:0", "--audit-seal", "1h")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export"); err != nil {
		t.Fatal(err)
	}
	do(0, "all records are sealed", "audit", "seal")
	stop()
	if err := os.WriteFile(filepath.Join(dir, "ab2d.db"), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	do(2, "ab2d audit restored WHY", "audit", "verify")
	do(0, "recorded that seals", "audit", "restored", "the disk broke")
	do(0, "lost when the database was restored", "audit", "verify")

	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ab2d.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "UPDATE audit_records SET actor_id = 'somebody else' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	do(2, "record 1 is not what seal 1", "audit", "verify")
}
