package reach_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/reach"
)

// look returns the last finding about an address.
func look(t *testing.T, address string, config *tls.Config) reach.Finding {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	found, ok := reach.Address(t.Context(), "server", u, config)
	if len(found) == 0 || ok == (found[len(found)-1].State == reach.Fail) {
		t.Fatalf("%v, %v", found, ok)
	}
	return found[len(found)-1]
}

func TestEachStepToAServerIsTold(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	otherName := strings.Replace(secure.URL, "127.0.0.1", "localhost", 1)
	for _, tc := range []struct {
		address   string
		config    *tls.Config
		what      string
		state     reach.State
		text, fix string
	}{
		{plain.URL, nil, "server: connection", reach.OK, "answers", ""},
		{"http://no-such-host.invalid", nil, "server: name", reach.Fail, "no-such-host.invalid has no address", "name servers"},
		{gone.URL, nil, "server: connection", reach.Fail, "refused", "whether the server runs"},
		{strings.Replace(plain.URL, "http:", "https:", 1), nil, "server: TLS", reach.Fail, "", "speak TLS"},
		{secure.URL, nil, "server: TLS", reach.Fail, "unknown authority", "Nobody whom this machine trusts"},
		{otherName, &tls.Config{RootCAs: pool}, "server: TLS", reach.Fail, "localhost", "The certificate is for example.com"},
		{secure.URL, &tls.Config{RootCAs: pool}, "server: TLS", reach.OK, "holds until 20", ""},
		{secure.URL, &tls.Config{RootCAs: pool, Time: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }}, "server: TLS", reach.Fail, "expired", "check the clock"},
	} {
		f := look(t, tc.address, tc.config)
		if f.What != tc.what || f.State != tc.state || !strings.Contains(f.Text, tc.text) || !strings.Contains(f.Fix, tc.fix) {
			t.Errorf("%s: %+v", tc.address, f)
		}
	}
}

func TestACertificateThatEndsSoonIsWarnedOf(t *testing.T) {
	end := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	root := &x509.Certificate{NotAfter: end.AddDate(9, 0, 0)}
	for at, want := range map[time.Time]reach.State{end.AddDate(0, -6, 0): reach.OK, end.AddDate(0, 0, -5): reach.Warn, end.AddDate(0, 0, 1): reach.Fail} {
		if f := reach.Chain("x", []*x509.Certificate{{NotAfter: end}, root}, at); f.State != want || !strings.Contains(f.Text, "2026-11-30") {
			t.Errorf("at %s: %+v", at, f)
		}
	}
}

func TestClocksAreCompared(t *testing.T) {
	asked := time.Date(2026, 11, 25, 12, 0, 0, 500e6, time.UTC)
	answered := asked.Add(3 * time.Second)
	for date, want := range map[string]reach.State{
		"Wed, 25 Nov 2026 12:00:00 GMT": reach.OK, "Wed, 25 Nov 2026 12:00:03 GMT": reach.OK, "Wed, 25 Nov 2026 11:59:30 GMT": reach.OK,
		"Wed, 25 Nov 2026 11:58:00 GMT": reach.Fail, "Wed, 25 Nov 2026 12:02:00 GMT": reach.Fail, "": reach.Skip,
	} {
		f := reach.Clock("x", http.Header{"Date": {date}}, asked, answered)
		if f.State != want || want == reach.Fail && !strings.Contains(f.Text, map[bool]string{true: "behind", false: "ahead"}[strings.Contains(date, "12:02")]) {
			t.Errorf("%s: %+v", date, f)
		}
	}
}

func TestFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := reach.Private("x", secret); f.State != reach.OK {
		t.Errorf("%+v", f)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if f := reach.Private("x", secret); f.State != reach.Warn || !strings.Contains(f.Fix, "chmod 600") {
		t.Errorf("%+v", f)
	}
	if f := reach.Private("x", filepath.Join(dir, "none")); f.State != reach.Fail {
		t.Errorf("%+v", f)
	}
	if f := reach.Writable("x", dir); f.State != reach.OK {
		t.Errorf("%+v", f)
	}
	if f := reach.Writable("x", secret); f.State != reach.Fail {
		t.Errorf("%+v", f)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestLookingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, ok := reach.Address(ctx, "x", &url.URL{Scheme: "http", Host: "example.com"}, nil); ok || len(found) == 0 {
		t.Errorf("%v %v", found, ok)
	}
}
