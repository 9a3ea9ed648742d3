package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/reach"
)

// consult runs ab2d doctor as a process and returns what it found.
func consult(t *testing.T, env []string, args ...string) (code int, found map[string]reach.Finding) {
	t.Helper()
	cmd := exec.CommandContext(patience(t), program, append([]string{"doctor", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = t.TempDir()
	out, _ := cmd.Output() // its exit code is looked at
	var report struct {
		OK       bool
		Findings []reach.Finding
	}
	if err := json.Unmarshal(out, &report); err != nil || report.OK != (cmd.ProcessState.ExitCode() == 0) {
		t.Fatalf("%v: %v, exit code %d\n%s", args, err, cmd.ProcessState.ExitCode(), out)
	}
	found = map[string]reach.Finding{}
	for _, f := range report.Findings {
		found[f.What] = f
	}
	return cmd.ProcessState.ExitCode(), found
}

func TestTheDoctorForAClient(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	sponsor := sponsorOf(t, "S0000")
	id, secret := string(sponsor.Client), "AB2D_CLIENT_SECRET="+sponsor.Secret
	for _, tc := range []struct {
		env   string
		args  []string
		what  string
		state reach.State
		want  string
	}{
		{secret, []string{"--client-id", id, "--contract", "S0000"}, "contract", reach.OK, "S0000"},
		{secret, []string{"--client-id", id, "--contract", "S0001"}, "contract", reach.Fail, "registered"},
		{"AB2D_CLIENT_SECRET=wrong", []string{"--client-id", id}, "token", reach.Fail, "secret"},
		{"", []string{"--client-id", id}, "settings", reach.Fail, "no secret"},
		{"", nil, "credentials", reach.Skip, "client id"},
		{"", []string{"--url", s.base + "/nowhere"}, "metadata", reach.Fail, "base of the FHIR API"},
	} {
		code, found := consult(t, []string{tc.env, "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent"}, append([]string{"--url", s.base}, tc.args...)...)
		f := found[tc.what]
		if f.State != tc.state || !strings.Contains(f.Text+f.Fix, tc.want) || (code != 0) != (tc.state == reach.Fail) {
			t.Errorf("%v: exit code %d, %+v", tc.args, code, found)
		}
	}
}

func TestTheDoctorForAServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0")
	listen := strings.TrimPrefix(s.base, "http://")
	code, found := consult(t, nil, "--server", "--data-dir", dir, "--listen", listen)
	for _, what := range []string{"data directory", "process", "database", "database: clock", "migrations", "file store", "listen"} {
		if found[what].State != reach.OK {
			t.Errorf("%s beside a server that is well: %+v", what, found[what])
		}
	}
	if code != 0 || !strings.Contains(found["process"].Text, "uses") || !strings.Contains(found["listen"].Text, "somebody answers") {
		t.Errorf("exit code %d, %+v", code, found)
	}
	if left := filesUnder(t, filepath.Join(dir, "files")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	s.kill()

	// One thing after another goes wrong.
	db := databaseForWriting(t, dir)
	if _, err := db.Exec("DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, found = consult(t, nil, "--server", "--data-dir", dir, "--listen", listen, "--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "none.pem"), "--hpms-url", "http://"+listen)
	for what, want := range map[string]reach.Finding{
		"migrations": {State: reach.Warn, Text: "1 of"}, "process": {State: reach.Skip, Text: "no process"}, "listen": {State: reach.OK, Text: "is free"},
		"tls-cert": {State: reach.Fail}, "tls-key": {State: reach.Fail, Text: "no such file"}, "HPMS: connection": {State: reach.Fail, Text: "refused"},
	} {
		if f := found[what]; f.State != want.State || !strings.Contains(f.Text, want.Text) {
			t.Errorf("%s: %+v", what, f)
		}
	}
	if _, found = consult(t, nil, "--server", "--data-dir", filepath.Join(dir, "cert.pem"), "--listen", listen); found["data directory"].State != reach.Fail {
		t.Errorf("a data directory that is none: %+v", found)
	}
	var out bytes.Buffer
	if err := printFindings(&out, []reach.Finding{{What: "a", State: reach.Fail, Text: "b", Fix: "c"}}, false); err == nil || !strings.Contains(out.String(), "FAIL  a  b\n") || !strings.Contains(out.String(), "-> c\n") {
		t.Errorf("%v, %q", err, out.String())
	}
}
