package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A bundle of a process that works tells of its settings, build, schema, exports
// and insides, and of none of the secrets and people that it has to do with.
func TestASupportBundleHasNoSecretsAndNobody(t *testing.T) {
	ctx := patience(t)
	const key, password, storeKey, long = "planted-key-of-thirty-two-characters-and-more", "planted-password", "planted-store-key", "planted-in-an-address"
	dir, admin := t.TempDir(), freeAddress(t)
	s := start(t, dir, "127.0.0.1:0", "--admin-listen", admin, "--client-secret-key", key)
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.get(ctx, m.Output[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	people := regexp.MustCompile(`"Patient/-[0-9]+"|"[0-9]S[0-9A-Z]{9}"`).FindAllString(string(claims), 200)
	if len(people) < 50 {
		t.Fatalf("only %d names of people in the export", len(people))
	}

	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	bundle := exec.CommandContext(ctx, program, "support-bundle", file, "--data-dir", dir, "--admin-listen", admin, "--client-secret-key", key,
		"--maintenance", "Bearer "+s.token+" of "+strings.Trim(people[0], `"`), "--public-url", "https://somebody:"+long+"@example.org")
	bundle.Env = append(os.Environ(), "AB2D_BFD_KEYSTORE_PASSWORD="+password, "AWS_SECRET_ACCESS_KEY="+storeKey)
	if out, err := bundle.CombinedOutput(); err != nil || strings.Contains(string(out), "Not in it") {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := unpack(t, file)
	for name, want := range map[string]string{"build.json": "github.com/gofiber/fiber", "settings.txt": "client-secret-key", "migrations.json": "schema.sql",
		"exports.json": `"successful"`, "process/ready.json": `"ready":true`, "process/metrics.txt": "ab2d_jobs_active", "process/goroutines.txt": "goroutine ", "process/build.json": "go1"} {
		if !strings.Contains(parts[name], want) {
			t.Errorf("%s has no %q: %.300s", name, want, parts[name])
		}
	}
	secrets := []string{key, password, storeKey, long, s.token, sponsorOf(t, "S0000").Secret}
	for name, content := range parts {
		for _, secret := range append(secrets, people...) {
			if secret = strings.Trim(secret, `"`); strings.Contains(content, secret) {
				t.Errorf("%s tells %q", name, secret)
			}
		}
	}
	if again, err := exec.CommandContext(ctx, program, "support-bundle", file, "--data-dir", dir).CombinedOutput(); err == nil {
		t.Errorf("it writes over a file that is there: %s", again)
	}
}

func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return parts
		} else if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parts[strings.TrimPrefix(h.Name, "ab2d-support/")] = string(content)
	}
}

func TestWhatHasTheFormOfASecretIsTakenOut(t *testing.T) {
	redact := redactor([]string{"hunter22", "abc"})
	for _, text := range []string{"password hunter22", "postgres://u:p%40ss@db/ab2d", "Authorization: Bearer abcdefgh12345678", "Basic dXNlcjpwYXNzd29yZA==",
		"x eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln y", "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----", "MBI 1S00E00AA10."} {
		if got := redact(text); !strings.Contains(got, "(removed)") || regexp.MustCompile(`hunter22|p%40ss|abcdefgh|dXNl|eyJ|MC4C|1S00`).MatchString(got) {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"the abc stays", "ab2d_queue_wait_seconds 3", "http://127.0.0.1:8080/docs", "2026-11-25T16:01:47.228Z", "75f9fda0-3fd5-4fb4-bc63-198ca341f260"} {
		if got := redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
