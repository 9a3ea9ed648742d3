package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/conformance"
	"cms.gov/ab2d/docs"
)

// knownFailures are those that docs/divergences.md gives the reasons for.
var knownFailures = []string{"--accept", "A2b=nobody signs in here with a browser, so there is no PKCE to tell of"}

// Whoever reads the reasons finds each of them by its id.
func TestAcceptedFailuresAreTold(t *testing.T) {
	told, err := docs.Files.ReadFile("divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range knownFailures {
		if id, _, is := strings.Cut(f, "="); is && !bytes.Contains(told, []byte("`ab2d conformance` `"+id+"`")) {
			t.Errorf("docs/divergences.md does not tell of %s", id)
		}
	}
}

// The server holds to the guides, in both versions, as another process sees it.
func TestOurServerConforms(t *testing.T) {
	s := start(t, t.TempDir(), "127.0.0.1:0")
	row := sponsorOf(t, "S0000")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(row.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"/api/v1/fhir", "/api/v2/fhir"} {
		cmd := exec.CommandContext(patience(t), program, append([]string{"conformance", s.base + base, "--json", "--group", "S0000",
			"--client-id", string(row.Client), "--client-secret-file", secret}, knownFailures...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", base, err, errs.String(), out)
		}
		var r conformance.Report
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		passed := 0
		for _, f := range r.Findings {
			switch f.Result {
			case conformance.Pass:
				passed++
			case conformance.Fail:
				t.Errorf("%s: %s %s: %s", base, f.ID, f.Text, f.Detail)
			}
		}
		if passed < 40 {
			t.Errorf("%s: only %d requirements could be looked at: %s", base, passed, out)
		}
	}
}

// The command tells apart a server that is not one, and no server.
func TestConformanceOfNoBulkDataServer(t *testing.T) {
	peer := httptest.NewServer(http.NotFoundHandler())
	defer peer.Close()
	var out, said bytes.Buffer
	err := conformanceTo(patience(t), &out, &said, func(string) string { return "" }, []string{peer.URL + "/fhir"})
	if !errors.Is(err, errNotConformant) || !strings.Contains(out.String(), "fail") || !strings.Contains(out.String(), "C1") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, args := range [][]string{{}, {"not-an-address"}, {peer.URL, "--accept", "C1"}, {peer.URL, "--client-id", "x"}, {peer.URL, peer.URL}, {"http://127.0.0.1:1/fhir"}} {
		if err := conformanceTo(patience(t), &out, &said, func(string) string { return "" }, args); err == nil || errors.Is(err, errNotConformant) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
