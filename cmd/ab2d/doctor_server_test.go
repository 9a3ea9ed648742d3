package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/hpmsmock"
	"cms.gov/ab2d/adapters/oidctest"
	"cms.gov/ab2d/adapters/reach"
	"cms.gov/ab2d/adapters/s3store/s3test"
	s3server "cms.gov/ab2d/adapters/s3store/s3test/server"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// symptom is what the doctor is shown, and what it has to say.
type symptom struct {
	name  string
	env   []string
	args  []string
	what  string // of the finding
	state reach.State
	text  string // in what it says
	fix   string // in what to do
}

// examine runs the doctor for each and looks at what it says. Its exit code says
// whether something fails.
func examine(t *testing.T, base []string, symptoms []symptom) {
	t.Helper()
	for _, s := range symptoms {
		t.Run(s.name, func(t *testing.T) {
			var out bytes.Buffer
			args := append(append([]string{"--json"}, base...), s.args...)
			env := append([]string{"HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent"}, s.env...)
			err := doctorTo(patience(t), &out, io.Discard, env, args)
			var report struct{ Findings []reach.Finding }
			if fault := json.Unmarshal(out.Bytes(), &report); fault != nil {
				t.Fatalf("%v: %v\n%s", err, fault, &out)
			}
			fails, told := false, false
			for _, f := range report.Findings {
				fails = fails || f.State == reach.Fail
				told = told || f.What == s.what && f.State == s.state && strings.Contains(f.Text, s.text) && strings.Contains(f.Fix, s.fix)
				if f.State == reach.Fail && f.Fix == "" {
					t.Errorf("it does not say what to do: %+v", f)
				}
			}
			if !told || fails != errors.Is(err, errUnwell) || fails != (s.state == reach.Fail) {
				text, _ := json.MarshalIndent(report.Findings, "", " ")
				t.Errorf("want %s %s %q -> %q, got %v and\n%s", s.what, s.state, s.text, s.fix, err, text)
			}
		})
	}
}

// overTLS serves with the certificates of a folder.
func overTLS(t *testing.T, handler http.Handler, dir string, mutual bool) string {
	t.Helper()
	config, err := bfdmock.ServerTLS(dir, mutual)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = config
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func plain(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// certificates are those of an authority of their own, valid for so long.
func certificates(t *testing.T, valid time.Duration) (ca, pair, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := bfdmock.Certificates(dir, valid); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, bfdmock.CAFile), filepath.Join(dir, bfdmock.ClientFile), dir
}

func fileWith(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// changed returns an address with something else in it.
func changed(t *testing.T, address string, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// Each thing that a server needs is taken away or spoilt, one after another, and
// the doctor has to name it and what to do.
func TestTheDoctorFindsWhatAServerLacks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	nobody := freeAddress(t) // listens there
	base := []string{"--server", "--data-dir", dir, "--listen", "127.0.0.1:0"}

	t.Run("Postgres", func(t *testing.T) {
		migrated := pgtest.URL(t)
		role, stranger := pgtest.Role(t, migrated)
		wantsPassword(t, migrated, role)
		examine(t, append(base, "--database-url"), []symptom{
			{name: "well", args: []string{migrated}, what: "migrations", state: reach.OK, text: "applied"},
			{name: "away", args: []string{"postgres://ab2d@" + nobody + "/ab2d"}, what: "database", state: reach.Fail, text: "refused", fix: "whether Postgres runs"},
			{name: "no such name", args: []string{"postgres://ab2d@no-such-host.invalid/ab2d"}, what: "database", state: reach.Fail, text: "no-such-host.invalid", fix: "name servers"},
			{name: "no such database", args: []string{changed(t, migrated, func(u *url.URL) { u.Path = "/nothing" })}, what: "database", state: reach.Fail, text: "nothing", fix: "createdb"},
			{name: "wrong password", args: []string{changed(t, stranger, func(u *url.URL) {
				if q := u.Query(); q.Has("password") {
					q.Set("password", "wrong")
					u.RawQuery = q.Encode()
				} else {
					u.User = url.UserPassword(u.User.Username(), "wrong")
				}
			})}, what: "database", state: reach.Fail, text: "password", fix: "the password"},
			{name: "no right to look", args: []string{stranger}, what: "migrations", state: reach.Fail, text: "permission denied", fix: "serving-role"},
			{name: "not migrated", args: []string{pgtest.Empty(t)}, what: "migrations", state: reach.Warn, text: "missing", fix: "ab2d serve brings"},
		})
	})
	t.Run("production", func(t *testing.T) {
		migrated := pgtest.URL(t)
		role, serving := pgtest.Role(t, migrated)
		if err := run(patience(t), []string{"migrate", "--database-url", migrated, "--serving-role", role}, nil); err != nil {
			t.Fatal(err)
		}
		claims := t.TempDir()
		if err := os.WriteFile(filepath.Join(claims, "eob.ndjson"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		production := append(base, "--mode", "production", "--auth", "smart", "--trust-proxy", "127.0.0.1", "--claims", "ndjson", "--claims-dir", claims, "--public-url", "https://ab2d.test")
		examine(t, append(production, "--roles", "api"), []symptom{
			{name: "not migrated", args: []string{"--database-url", pgtest.Empty(t)}, what: "migrations", state: reach.Fail, text: "missing", fix: "ab2d migrate"},
			{name: "a role that may change the past", args: []string{"--database-url", migrated}, what: "database: role", state: reach.Fail, text: "could change the audit trail", fix: "--serving-role"},
			{name: "a role that may not", args: []string{"--database-url", serving}, what: "database: role", state: reach.OK, text: "cannot change"},
		})
		examine(t, append(production, "--database-url", serving, "--roles", "worker"), []symptom{
			{name: "a worker without a key", what: "audit-key", state: reach.Fail, text: "has no key", fix: "openssl genpkey"},
		})
	})
	t.Run("S3", func(t *testing.T) {
		store := s3test.Start(t) // its keys are in the environment
		bucket := s3test.Bucket(t)
		settings := s3server.Settings{Dir: t.TempDir(), AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
		open, err := s3server.Start(settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := open.CreateBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		open.Stop()
		settings.ReadOnly = true
		locked, err := s3server.Start(settings)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(locked.Stop)
		with := append(base, "--storage", "s3", "--s3-bucket")
		examine(t, with, []symptom{
			{name: "well", args: []string{bucket, "--s3-endpoint", store.Endpoint()}, what: "file store", state: reach.OK, text: "written, read and removed"},
			{name: "away", args: []string{bucket, "--s3-endpoint", "http://" + nobody}, what: "S3: connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
			{name: "no bucket", args: []string{"not-there", "--s3-endpoint", store.Endpoint()}, what: "file store", state: reach.Fail, text: `no bucket "not-there"`, fix: "Make the bucket"},
			{name: "no right to write", args: []string{bucket, "--s3-endpoint", locked.Endpoint()}, what: "file store", state: reach.Fail, text: "refuses", fix: "PutObject"},
		})
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		examine(t, with, []symptom{
			{name: "wrong keys", args: []string{bucket, "--s3-endpoint", store.Endpoint()}, what: "file store", state: reach.Fail, text: "refuses our keys", fix: "AWS_SECRET_ACCESS_KEY"},
		})
		t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
		examine(t, with, []symptom{
			{name: "keys of nobody", args: []string{bucket, "--s3-endpoint", store.Endpoint()}, what: "file store", state: reach.Fail, text: "s3store: list", fix: "AWS_ACCESS_KEY_ID"},
		})
	})
	t.Run("BFD", func(t *testing.T) {
		world, done, err := (&bfdOrder{}).world(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(done)
		bfd := bfdmock.New(world, bfdmock.Faults{}, time.Now)
		ca, pair, theirs := certificates(t, time.Hour*24*365)
		mutual := overTLS(t, bfd, theirs, true)
		_, stranger, _ := certificates(t, time.Hour)
		overCA, _, over := certificates(t, -time.Minute)
		ended := overTLS(t, bfd, over, false)
		another := httptest.NewTLSServer(bfd)
		another.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		t.Cleanup(another.Close)
		anothersCA := fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: another.Certificate().Raw})))
		if err := bfdmock.Certificates(theirs, -time.Minute); err != nil { // the server has its own already
			t.Fatal(err)
		}
		expired, renewed := pair, t.TempDir()
		putCopy(t, filepath.Join(theirs, "authority.pem"), filepath.Join(renewed, "authority.pem"))
		if err := bfdmock.Certificates(renewed, time.Hour*24*365); err != nil {
			t.Fatal(err)
		}
		pair = filepath.Join(renewed, bfdmock.ClientFile)
		examine(t, append(base, "--enrollment", "synthetic", "--bfd-url"), []symptom{
			{name: "well", args: []string{mutual, "--bfd-ca", ca, "--bfd-cert", pair}, what: "BFD", state: reach.OK, text: "complete through"},
			{name: "away", args: []string{"https://" + nobody, "--bfd-ca", ca, "--bfd-cert", pair}, what: "BFD: connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
			{name: "nobody vouches for it", args: []string{mutual, "--bfd-cert", pair}, what: "BFD: TLS", state: reach.Fail, text: "unknown authority", fix: "PEM file"},
			{name: "its certificate has ended", args: []string{ended, "--bfd-ca", overCA}, what: "BFD: TLS", state: reach.Fail, text: "expired", fix: "check the clock"},
			{name: "it is another", args: []string{strings.Replace(another.URL, "127.0.0.1", "localhost", 1), "--bfd-ca", anothersCA}, what: "BFD: TLS", state: reach.Fail, text: "localhost", fix: "The certificate is for example.com"},
			{name: "no certificate of ours", args: []string{mutual, "--bfd-ca", ca}, what: "BFD", state: reach.Fail, text: "certificate required", fix: "does not take our certificate"},
			{name: "our certificate is refused", args: []string{mutual, "--bfd-ca", ca, "--bfd-cert", stranger}, what: "BFD", state: reach.Fail, text: "unknown certificate authority", fix: "registered"},
			{name: "our certificate has ended", args: []string{mutual, "--bfd-ca", ca, "--bfd-cert", expired}, what: "bfd-cert: TLS", state: reach.Fail, text: "holds until", fix: "renewed"},
			{name: "wrong path", args: []string{mutual + "/nowhere", "--bfd-ca", ca, "--bfd-cert", pair}, what: "BFD", state: reach.Fail, text: "404", fix: "without a path"},
			{name: "it fails", args: []string{plain(t, bfdmock.New(world, bfdmock.Faults{Error: 1}, time.Now))}, what: "BFD", state: reach.Fail, text: "status 5", fix: "its operators"},
			{name: "no authority in the file", args: []string{mutual, "--bfd-ca", fileWith(t, "nothing"), "--bfd-cert", pair}, what: "bfd-ca", state: reach.Fail, text: "no certificate", fix: "PEM"},
			{name: "no certificate in the file", args: []string{mutual, "--bfd-ca", ca, "--bfd-cert", fileWith(t, "nothing")}, what: "BFD", state: reach.Fail, text: "PEM", fix: "bfd-cert"},
		})
	})
	t.Run("HPMS", func(t *testing.T) {
		list := func() ([]hpmsmock.Contract, error) { return sandboxContracts(), nil }
		secret := func() string { return hpmsmock.Secret }
		well := plain(t, hpmsmock.New(list, hpmsmock.KeyID, secret, time.Hour, hpmsmock.Faults{}))
		mine := func(key, secret string) []string { return []string{"--hpms-key-id", key, "--hpms-secret-file", secret} }
		examine(t, append(base, "--hpms-url"), []symptom{
			{name: "well", args: []string{well}, what: "HPMS", state: reach.OK, text: "lists 6 contracts"},
			{name: "away", args: []string{"http://" + nobody}, what: "HPMS: connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
			{name: "wrong secret", args: append([]string{well}, mine(hpmsmock.KeyID, fileWith(t, "wrong"))...), what: "HPMS", state: reach.Fail, text: "sign", fix: "hpms-key-id"},
			{name: "no secret", args: append([]string{well}, mine(hpmsmock.KeyID, "/nonexistent/secret")...), what: "hpms-secret-file", state: reach.Fail, text: "no such file", fix: "may read"},
			{name: "wrong path", args: []string{well + "/nowhere"}, what: "HPMS", state: reach.Fail, text: "404", fix: "hpms-url"},
			{name: "it fails", args: []string{plain(t, hpmsmock.New(list, hpmsmock.KeyID, secret, time.Hour, hpmsmock.Faults{Error: 1}))}, what: "HPMS", state: reach.Fail, text: "50", fix: "its operators"},
			{name: "it lists nobody", args: []string{plain(t, hpmsmock.New(list, hpmsmock.KeyID, secret, time.Hour, hpmsmock.Faults{Empty: 1}))}, what: "HPMS", state: reach.Fail, text: "no contract", fix: "its operators"},
		})
	})
	t.Run("issuers", func(t *testing.T) {
		idp := oidctest.Start(t, oidctest.Settings{})
		other := strings.Replace(idp.URL, "127.0.0.1", "localhost", 1)
		noKeys := ""
		noKeys = plain(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": noKeys, "jwks_uri": noKeys + "/keys"})
		}))
		for what, flags := range map[string][]string{"okta": {"--auth", "okta", "--okta-issuer"}, "console sign-in": {"--console-oidc-client-id", "x", "--console-oidc-issuer"}} {
			examine(t, append(base, flags...), []symptom{
				{name: what + " well", args: []string{idp.URL}, what: what, state: reach.OK, text: "1 key"},
				{name: what + " away", args: []string{"http://" + nobody}, what: what + ": connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
				{name: what + " not there", args: []string{idp.URL + "/nowhere"}, what: what, state: reach.Fail, text: "404", fix: "as it stands in tokens"},
				{name: what + " another", args: []string{other}, what: what, state: reach.Fail, text: "it calls itself " + idp.URL, fix: "as it stands in tokens"},
				{name: what + " without keys", args: []string{noKeys}, what: what, state: reach.Fail, text: "no key", fix: "its operators"},
			})
		}
	})
	t.Run("audit trail", func(t *testing.T) {
		database := "sqlite:" + filepath.Join(t.TempDir(), "ab2d.db")
		with := append(base, "--database-url", database)
		ours, theirs := ed25519Key(t), ed25519Key(t)
		if err := run(patience(t), []string{"migrate", "--database-url", database}, nil); err != nil {
			t.Fatal(err)
		}
		recorded(t, database, time.Now())
		if err := run(patience(t), append([]string{"audit", "seal"}, with[1:]...), []string{"AB2D_AUDIT_KEY_FILE=" + ours}); err != nil {
			t.Fatal(err)
		}
		otherKind, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		examine(t, with, []symptom{
			{name: "well", env: []string{"AB2D_AUDIT_KEY_FILE=" + ours}, what: "seals", state: reach.OK, text: "number 1"},
			{name: "no key", env: []string{"AB2D_AUDIT_KEY=nothing"}, what: "audit-key", state: reach.Fail, text: "no private key", fix: "openssl genpkey"},
			{name: "a key of another kind", env: []string{"AB2D_AUDIT_KEY_FILE=" + keyFile(t, otherKind)}, what: "audit-key", state: reach.Fail, text: "must be Ed25519", fix: "openssl genpkey"},
			{name: "no public keys", args: []string{"--audit-public-keys", fileWith(t, "nothing")}, what: "audit-public-keys", state: reach.Fail, text: "no public key", fix: "-pubout"},
			{name: "sealed by somebody else", env: []string{"AB2D_AUDIT_KEY_FILE=" + theirs}, what: "seals", state: reach.Fail, text: "neither audit-key", fix: "Append"},
		})
		recorded(t, database, time.Now().Add(-time.Hour))
		examine(t, with, []symptom{
			{name: "nobody seals", env: []string{"AB2D_AUDIT_KEY_FILE=" + ours}, what: "seals", state: reach.Warn, text: "waits since", fix: "worker"},
		})
	})
	t.Run("listener", func(t *testing.T) {
		examine(t, []string{"--server", "--data-dir", dir}, []symptom{
			{name: "not an address of this machine", args: []string{"--listen", "127.0.0.1:99999"}, what: "listen", state: reach.Fail, text: "invalid port", fix: "--listen"},
		})
	})
}

// recorded has somebody do something at that time.
func recorded(t *testing.T, database string, at time.Time) {
	t.Helper()
	c, _, err := config.Load([]string{"--database-url", database}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, done, err := ab2d.InitializeMigrator(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	err = store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Record(ctx, domain.AuditRecord{At: at, Actor: domain.System("test"), Action: "test", Outcome: "done"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantsPassword has the server ask that role for its password, where it trusts
// everybody else, as servers of tests do.
func wantsPassword(t *testing.T, database, role string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var file string
	if err := db.QueryRow("SHOW hba_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return // a server elsewhere, which trusts nobody
	} else if err != nil {
		t.Fatal(err)
	}
	own := "local all " + role + " scram-sha-256\nhost all " + role + " samehost scram-sha-256\n"
	if err := os.WriteFile(file, append([]byte(own), rules...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	until(t, "the server to have read its rules", func() bool {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM pg_hba_file_rules WHERE $1 = ANY(user_name)", role).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 2
	})
}

func ed25519Key(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return keyFile(t, key)
}

func keyFile(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func putCopy(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A disk without space, and one that this user may not write to. The doctor runs
// as a user without rights, for root may write everywhere.
func TestTheDoctorLooksAtTheDisk(t *testing.T) {
	home, err := os.MkdirTemp("", "doctor")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	binary := filepath.Join(home, "ab2d")
	if err := os.Link(program, binary); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "var")
	for name, mode := range map[string]os.FileMode{home: 0o755, dir: 0o755, filepath.Join(dir, "files"): 0o755} {
		if err := errors.Join(os.MkdirAll(name, mode), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(stranger bool) map[string]reach.Finding {
		t.Helper()
		cmd := exec.CommandContext(patience(t), binary, "doctor", "--server", "--json", "--data-dir", dir, "--listen", "127.0.0.1:0")
		cmd.Dir, cmd.Env = home, []string{}
		if stranger && os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("exit code: %v", err)
		}
		var report struct{ Findings []reach.Finding }
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		found := map[string]reach.Finding{}
		for _, f := range report.Findings {
			found[f.What] = f
		}
		return found
	}
	expect := func(found map[string]reach.Finding, what, text, fix string) {
		t.Helper()
		if f := found[what]; f.State != reach.Fail || !strings.Contains(f.Text, text) || !strings.Contains(f.Fix, fix) {
			t.Errorf("%s: %+v", what, f)
		}
	}
	if os.Geteuid() != 0 {
		if err := errors.Join(os.Chmod(filepath.Join(dir, "files"), 0o555), os.Chmod(dir, 0o555)); err != nil {
			t.Fatal(err)
		}
	}
	found := look(true)
	expect(found, "data directory", "permission denied", "let this user write")
	expect(found, "file store", "permission denied", "user that this runs as")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("a small disk cannot be mounted here (%v), so none is looked at that is full", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "much"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	found = look(false)
	expect(found, "data directory", "no space left", "full")
	expect(found, "file store", "full", "Make room")
	if f := found["room"]; f.State != reach.Warn || !strings.Contains(f.Fix, "Make room") {
		t.Errorf("room: %+v", f)
	}
}
