package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/sandboxauth"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// These tests run the ordinary binary as a process of its own, and look at it
// from outside: over HTTP, with signals, and at what it left on disk.

var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ab2d-test-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "ab2d")
		build := exec.Command("go", "build", "-trimpath", "-o", program, ".") // as make build does, so that both share what was compiled
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// within bounds every wait of these tests, generously: machines differ.
const within = 2 * time.Minute

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// server is a running process and what its sponsor does with it.
type server struct {
	*walker
	cmd *exec.Cmd
	dir string
}

// start starts a process on dir. Its address is the same each time, since
// tokens and status addresses hold it.
func start(t *testing.T, dir, listen string, settings ...string) *server {
	t.Helper()
	// Not the test's own context: it ends before the clean-up that stops the process.
	cmd, base, err := startServer(context.Background(), program, dir, append([]string{"--listen", listen}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{&walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: t.Logf}, cmd, dir}
	t.Cleanup(s.kill)
	return s
}

// kill ends the process at once, as a power cut would.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", within, what)
		}
	}
}

// partition is what the database says of one.
type partition struct {
	attempt int
	result  string
}

// database opens the process's database past it, for reading.
func database(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ab2d.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// databaseForWriting opens it to bring about what would take long.
func databaseForWriting(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ab2d.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, dir, query, job string) (n int) {
	t.Helper()
	db := database(t, dir)
	defer db.Close()
	if err := db.QueryRow(query, job).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// bound returns the partitions of a job whose results are bound, read past the
// process from its database.
func bound(t *testing.T, dir, job string) map[int]partition {
	t.Helper()
	db := database(t, dir)
	defer db.Close()
	rows, err := db.Query("SELECT seq, attempt, result FROM partitions WHERE job_id = ? AND state = 'done'", job)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	done := map[int]partition{}
	for rows.Next() {
		var seq int
		var p partition
		if err := rows.Scan(&seq, &p.attempt, &p.result); err != nil {
			t.Fatal(err)
		}
		done[seq] = p
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return done
}

// kickOff starts an export and returns its status address and the job's id.
func (s *server) kickOff(ctx context.Context, t *testing.T, path string) (status, job string) {
	t.Helper()
	res, err := s.get(ctx, s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusAccepted {
		t.Fatal(refused(res))
	}
	res.Body.Close()
	status = res.Header.Get("Content-Location")
	return status, strings.Split(strings.TrimPrefix(status, s.base), "/")[5]
}

// file is a file of a manifest, without what differs between any two jobs.
type file struct {
	name, content string
}

// files downloads all files of the manifest, checked, and returns them by name
// with the digests of their plain and their stored form.
func (s *server) files(ctx context.Context, t *testing.T, m manifest) []file {
	t.Helper()
	if _, err := s.fetchAll(ctx, m); err != nil {
		t.Fatal(err)
	}
	var all []file
	for _, o := range m.Output {
		content, err := json.Marshal(o.Extension)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file{o.URL[strings.LastIndexByte(o.URL, '/')+1:], string(content)})
	}
	return all
}

func sponsorOf(t *testing.T, contract string) sandboxauth.GuideSponsor {
	t.Helper()
	for _, s := range sandboxauth.Guide {
		if string(s.Contract) == contract {
			return s
		}
	}
	t.Fatalf("no sponsor holds %s", contract)
	return sandboxauth.GuideSponsor{}
}

func TestTheDemoGoesThroughAWholeExport(t *testing.T) {
	out, err := exec.CommandContext(patience(t), program, "demo").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("agree with the manifest")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The process is killed again and again in the middle of an export and started
// again each time. Nobody tells it to go on. Its lease is longer than the test
// may take, so it cannot be that it waited for that.
func TestAKilledExportGoesOnByItselfAndEndsWithTheSameFiles(t *testing.T) {
	ctx := patience(t)
	settings := []string{"--partition-members", "50", "--lease", "1h", "--patience", "1h", "--sweep", "500ms"}
	const kickOff = "/api/v2/fhir/Group/S0001/$export"

	undisturbed := start(t, t.TempDir(), "127.0.0.1:0", settings...)
	if err := undisturbed.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	m, err := undisturbed.export(ctx, kickOff)
	if err != nil {
		t.Fatal(err)
	}
	want := undisturbed.files(ctx, t, m)
	undisturbed.kill()

	dir, listen := t.TempDir(), freeAddress(t)
	s := start(t, dir, listen, settings...)
	if err := s.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	status, job := s.kickOff(ctx, t, kickOff)
	before := map[int]partition{}
	for _, moment := range []int{0, 1, 6, 13, 19} {
		until(t, fmt.Sprintf("%d partitions to be bound", moment), func() bool { return len(bound(t, dir, job)) >= moment })
		s.kill()
		now := bound(t, dir, job)
		for seq, p := range before {
			if now[seq] != p {
				t.Errorf("partition %d was bound already and changed: attempt %d, then %d", seq, p.attempt, now[seq].attempt)
			}
		}
		t.Logf("killed with %d of 20 partitions bound", len(now))
		before = now
		token := s.token
		s = start(t, dir, listen, settings...)
		s.token = token // the signing key survives too
	}
	m, err = s.follow(ctx, status)
	if err != nil {
		t.Fatal(err)
	}
	got := s.files(ctx, t, m)
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d files, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("file %v, want %v", got[i], want[i])
		}
	}
	// What the killed attempts left unbound is swept.
	until(t, "the remains of killed attempts to be swept", func() bool { return len(filesUnder(t, filepath.Join(dir, "files", "jobs"))) == len(want) })
}

func filesUnder(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		if os.IsNotExist(err) {
			return nil // swept while we looked
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestStoppingLetsADownloadEndAndTheExportGoOnLater(t *testing.T) {
	ctx := patience(t)
	dir, listen := t.TempDir(), freeAddress(t)
	s := start(t, dir, listen, "--partition-members", "50", "--workers", "1")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := s.export(ctx, "/api/v1/fhir/Patient/$export")
	if err != nil {
		t.Fatal(err)
	}
	_, job := s.kickOff(ctx, t, "/api/v1/fhir/Patient/$export")
	res, err := s.get(ctx, m.Output[0].URL, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, "the process to take no new requests", func() bool {
		c, err := net.Dial("tcp", listen)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	body, err := io.ReadAll(res.Body)
	if err != nil || bytes.Count(body, []byte{'\n'}) != m.Output[0].Count {
		t.Errorf("the download was cut: %d of %d lines, %v", bytes.Count(body, []byte{'\n'}), m.Output[0].Count, err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	token := s.token
	s = start(t, dir, listen)
	s.token = token
	if _, err := s.follow(ctx, s.base+"/api/v1/fhir/Job/"+job+"/$status"); err != nil {
		t.Errorf("the export that was running did not go on: %v", err)
	}
}

func TestASecondProcessOnTheSameDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, "127.0.0.1:0")
	out, err := exec.CommandContext(patience(t), program, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("another process is using "+dir)) {
		t.Errorf("%v\n%s", err, out)
	}
}

// One process answers and two work, over one Postgres. One of the workers is
// killed in the middle; the other takes its partition over once the lease is
// over, and the files are those of a single process on its embedded database.
func TestRolesInProcessesOfTheirOwnOverPostgres(t *testing.T) {
	ctx := patience(t)
	const kickOff = "/api/v1/fhir/Group/S0001/$export"
	settings := []string{"--partition-members", "50", "--lease", "3s", "--reconcile", "200ms", "--workers", "1"}
	alone := start(t, t.TempDir(), "127.0.0.1:0", settings...)
	if err := alone.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	m, err := alone.export(ctx, kickOff)
	if err != nil {
		t.Fatal(err)
	}
	want := alone.files(ctx, t, m)
	alone.kill()

	url := pgtest.URL(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done := func() (n int) {
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM partitions WHERE state = 'done'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	dir := t.TempDir()
	settings = append(settings, "--database-url", url)
	api := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "api,console")...)
	if err := api.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	status, _ := api.kickOff(ctx, t, kickOff)
	victim := start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	until(t, "a partition to be bound", func() bool { return done() > 0 })
	victim.kill()
	if n := done(); n >= 20 {
		t.Fatalf("all %d partitions were bound before the worker was killed", n)
	}
	start(t, dir, "127.0.0.1:0", append(settings, "--roles", "worker")...)
	m, err = api.follow(ctx, status)
	if err != nil {
		t.Fatal(err)
	}
	if got := api.files(ctx, t, m); !slices.Equal(got, want) {
		t.Errorf("files\n%v\nwant\n%v", got, want)
	}
}

// A disk that fills up in the middle of an export makes the export wait, and
// nothing that is half written is ever served. This needs a mount; the file
// store's own tests do the same without one.
func TestAFullDiskMakesAnExportWait(t *testing.T) {
	ctx := patience(t)
	dir := t.TempDir()
	disk := filepath.Join(dir, "files")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Logf("a small disk cannot be mounted here (%v); see the tests of adapters/filestore", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	s := start(t, dir, "127.0.0.1:0", "--partition-members", "50", "--reconcile", "100ms")
	if err := s.signIn(ctx, sponsorOf(t, "S0001")); err != nil {
		t.Fatal(err)
	}
	status, job := s.kickOff(ctx, t, "/api/v2/fhir/Group/S0001/$export")
	until(t, "a worker to give its partition back because the disk is full", func() bool {
		return count(t, dir, "SELECT count(*) FROM partitions WHERE state = 'open' AND attempt > 0 AND lease_token IS NULL AND job_id = ?", job) > 0
	})
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=200m"); err != nil {
		t.Fatal(err)
	}
	m, err := s.follow(ctx, status)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := s.fetchAll(ctx, m); err != nil || sum.lines == 0 {
		t.Errorf("%d lines, %v", sum.lines, err)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	for _, tc := range []struct {
		args, env []string
		want      string
	}{
		{[]string{"serve", "--listen", "0.0.0.0:0"}, nil, "loopback"},
		{[]string{"serve"}, []string{"AB2D_LISTENN=127.0.0.1:0"}, "AB2D_LISTENN is not a setting"},
		{[]string{"serve"}, []string{"AB2D_MODE=production"}, "production refuses it"},
		{[]string{"serve", "--lease", "soon"}, nil, "lease"},
		{[]string{"sreve"}, nil, `no command "sreve"`},
	} {
		cmd := exec.CommandContext(patience(t), program, tc.args...)
		cmd.Env = append(os.Environ(), tc.env...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tc.want) {
			t.Errorf("%v %v: %v, want %q in\n%s", tc.args, tc.env, err, tc.want, out)
		}
		if left := filesUnder(t, cmd.Dir); len(left) > 0 {
			t.Errorf("%v left %v behind", tc.args, left)
		}
	}
}

func TestPreferencesAreTakenInBesideARunningProcess(t *testing.T) {
	ctx := patience(t)
	s := start(t, t.TempDir(), "127.0.0.1:0", "--downloads", "2")
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	exported := func() (manifest, string) {
		t.Helper()
		m, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export")
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.get(ctx, m.Output[0].URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return m, string(body)
	}
	before, body := exported()
	mbi := regexp.MustCompile(`"value":"([0-9]S[0-9A-Z]{9})"`).FindStringSubmatch(body)[1]
	file, confirmation := filepath.Join(t.TempDir(), "preferences.txt"), filepath.Join(t.TempDir(), "confirmation.txt")
	if err := os.WriteFile(file, []byte("HDR_BENEDATARSP20260101\n"+mbi+"N\nTRL_BENEDATARSP202601010000000001\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, program, "preferences", file, confirmation, "--data-dir", s.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if written, err := os.ReadFile(confirmation); err != nil || !bytes.Contains(written, []byte(mbi)) || !bytes.Contains(written, []byte("NAccepted  00")) {
		t.Errorf("confirmed %q, %v", written, err)
	}
	after, body := exported()
	if strings.Contains(body, mbi) || after.Output[0].Count >= before.Output[0].Count {
		t.Errorf("%d claims before, %d after, the person's among them: %v", before.Output[0].Count, after.Output[0].Count, strings.Contains(body, mbi))
	}
}
