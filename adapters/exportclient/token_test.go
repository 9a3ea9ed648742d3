package exportclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/clientkey"
)

// An assertion is good for one try: whoever has to ask again makes another one.
func TestAClientThatHasAKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := newBulk(t)
	b.offer(b.serve("S0000_0001.ndjson", claims("a", 1)))
	seen := map[string]bool{}
	b.token = func(w http.ResponseWriter, r *http.Request, n int) {
		var claims jwt.RegisteredClaims
		_, err := jwt.ParseWithClaims(r.FormValue("client_assertion"), &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithValidMethods([]string{"ES384"}), jwt.WithAudience(b.URL+"/token"))
		if err != nil || claims.Subject != "me" || seen[claims.ID] || r.FormValue("client_assertion_type") != clientkey.AssertionType || r.FormValue("scope") != "system/*.read" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"%v"}`, err)
			return
		}
		seen[claims.ID] = true
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"access_token":"x","token_type":"bearer","expires_in":"300","scope":"system/*.read"}`) // a number as a text, as BCDA has it
	}
	b.export(t.TempDir(), func(s *Settings) { s.Auth = Auth{ClientID: "me", Key: &clientkey.Key{ID: "k1", Key: key}} })
	if len(seen) != 2 {
		t.Errorf("%d assertions", len(seen))
	}
}

func TestWrongCredentialsAreTold(t *testing.T) {
	b := newBulk(t)
	b.token = func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"The client secret is wrong."}`)
	}
	if told := b.refused(t.TempDir(), Refused); !strings.Contains(told, "The client secret is wrong.") || !strings.Contains(told, "client me") {
		t.Errorf("told %q", told)
	}
}

// Nobody who listens on the way gets a secret or a token.
func TestSecretsAreNotSentInTheClear(t *testing.T) {
	for _, auth := range []Auth{{ClientID: "me", Secret: "mine", TokenURL: "http://192.0.2.1/token"}, {Token: "x"}} {
		c, err := New(Settings{Base: "http://192.0.2.1/fhir", Auth: auth, Transport: never{t}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := NewOrder("http://192.0.2.1/fhir", "Patient", nil, false, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Export(t.Context(), o, t.TempDir(), Options{}); !is(err, Usage) || !strings.Contains(err.Error(), "without TLS") {
			t.Errorf("%+v: %v", auth, err)
		}
	}
}

type never struct{ t *testing.T }

func (n never) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was asked", r.URL)
	return nil, http.ErrServerClosed
}

func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "profiles.yaml")
	write := func(mode os.FileMode, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadProfile(path, "default", false); err != nil {
		t.Errorf("none, and none wanted: %v", err)
	}
	if _, err := ReadProfile(path, "default", true); !is(err, Usage) {
		t.Errorf("none, and one wanted: %v", err)
	}
	text := "default:\n  url: https://x/fhir\n  client_id: me\n  client_secret_file: secret\n  allow_hosts: [files.x]\nother:\n  url: https://y\n"
	write(0o640, text)
	if _, err := ReadProfile(path, "default", false); !is(err, Usage) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read it: %v", err)
	}
	write(0o600, text)
	p, err := ReadProfile(path, "default", false)
	if err != nil || p.URL != "https://x/fhir" || p.ClientID != "me" || p.ClientSecretFile != filepath.Join(dir, "secret") || !slices.Equal(p.AllowHosts, []string{"files.x"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ReadProfile(path, "third", true); !is(err, Usage) || !strings.Contains(err.Error(), "default, other") {
		t.Errorf("there is no such profile: %v", err)
	}
	write(0o600, "default:\n  client_sceret: x\n")
	if _, err := ReadProfile(path, "default", false); !is(err, Usage) || !strings.Contains(err.Error(), "client_sceret") {
		t.Errorf("an unknown key: %v", err)
	}
}
