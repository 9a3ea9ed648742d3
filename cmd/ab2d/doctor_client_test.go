package main

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/reach"
)

// Each thing between a client and an export is spoilt, one after another, and the
// doctor has to name it and what to do.
func TestTheDoctorFindsWhatIsInTheWayOfAClient(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "127.0.0.1:0")
	sponsor := sponsorOf(t, "S0000")
	if err := s.signIn(patience(t), sponsor); err != nil {
		t.Fatal(err)
	}
	secret, token := []string{"AB2D_CLIENT_ID=" + string(sponsor.Client), "AB2D_CLIENT_SECRET=" + sponsor.Secret}, []string{"AB2D_TOKEN=" + s.token}
	nobody := "127.0.0.1:" + freePort(t)
	change := func(statement string, args ...any) {
		t.Helper()
		db := databaseForWriting(t, dir)
		defer db.Close()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	origin, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(origin)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	late := httputil.NewSingleHostReverseProxy(origin)
	late.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		return nil
	}
	_, _, trusted := certificates(t, time.Hour*24*365)
	endedCA, _, ended := certificates(t, -time.Minute)
	another := httptest.NewTLSServer(proxy)
	another.Config.ErrorLog = proxy.ErrorLog
	t.Cleanup(another.Close)
	anothersCA := fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: another.Certificate().Raw})))
	answers := func(status int, body string) string {
		return plain(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
	}
	examine(t, []string{"--url"}, []symptom{
		{name: "well", env: secret, args: []string{s.base, "--contract", "S0000"}, what: "contract", state: reach.OK, text: "may be exported"},
		{name: "no such name", args: []string{"http://no-such-host.invalid"}, what: "server: name", state: reach.Fail, text: "has no address", fix: "name servers"},
		{name: "nobody listens", args: []string{"http://" + nobody}, what: "server: connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
		{name: "no TLS there", args: []string{strings.Replace(plain(t, proxy), "http:", "https:", 1)}, what: "server: TLS", state: reach.Fail, text: "", fix: "speak TLS"},
		{name: "nobody vouches for it", args: []string{overTLS(t, proxy, trusted, false)}, what: "server: TLS", state: reach.Fail, text: "unknown authority", fix: "PEM file"},
		{name: "its certificate has ended", args: []string{overTLS(t, proxy, ended, false), "--ca", endedCA}, what: "server: TLS", state: reach.Fail, text: "expired", fix: "check the clock"},
		{name: "its name is another", args: []string{strings.Replace(another.URL, "127.0.0.1", "localhost", 1), "--ca", anothersCA}, what: "server: TLS", state: reach.Fail, text: "localhost", fix: "The certificate is for example.com"},
		{name: "clocks differ", args: []string{plain(t, late)}, what: "server: clock", state: reach.Fail, text: "ahead", fix: "NTP"},
		{name: "a firewall answers", args: []string{answers(403, "Access Denied")}, what: "metadata", state: reach.Fail, text: "403", fix: "public address of this machine"},
		{name: "a page answers", args: []string{answers(200, "<html>")}, what: "metadata", state: reach.Fail, text: "no CapabilityStatement", fix: "proxy"},
		{name: "wrong path", args: []string{s.base + "/nowhere"}, what: "metadata", state: reach.Fail, text: "404", fix: "base of the FHIR API"},
		{name: "wrong secret", env: []string{secret[0], "AB2D_CLIENT_SECRET=wrong"}, args: []string{s.base}, what: "token", state: reach.Fail, text: "does not accept client", fix: "secret"},
		{name: "unknown client", env: []string{"AB2D_CLIENT_ID=nobody", secret[1]}, args: []string{s.base}, what: "token", state: reach.Fail, text: "does not accept client nobody", fix: "client id"},
		{name: "the token server is away", env: secret, args: []string{s.base, "--token-url", "http://" + nobody + "/token"}, what: "token server: connection", state: reach.Fail, text: "refused", fix: "whether the server runs"},
		{name: "no token of the server's", env: []string{"AB2D_TOKEN=wrong"}, args: []string{s.base}, what: "access", state: reach.Fail, text: "does not accept the token", fix: "Get a new one"},
		{name: "the contract of others", env: secret, args: []string{s.base, "--contract", "S0001"}, what: "contract", state: reach.Fail, text: "S0001", fix: "registered"},
	})
	change(`UPDATE api_clients SET networks = '["192.0.2.0/24"]' WHERE id = ?`, sponsor.Client)
	examine(t, []string{"--url", s.base}, []symptom{
		{name: "this address gets no token", env: secret, what: "token", state: reach.Fail, text: "address", fix: "address"},
		{name: "this address is not let in", env: token, what: "access", state: reach.Fail, text: "address", fix: "address"},
	})
	change("UPDATE api_clients SET networks = '[]', enabled = false WHERE id = ?", sponsor.Client)
	examine(t, []string{"--url", s.base}, []symptom{
		{name: "the client gets no token any more", env: secret, what: "token", state: reach.Fail, text: "disabled", fix: "is enabled"},
		{name: "the client is disabled", env: token, what: "access", state: reach.Fail, text: "not enabled", fix: "help desk"},
	})
	change("UPDATE api_clients SET enabled = true WHERE id = ?", sponsor.Client)
	change("DELETE FROM attestation_events WHERE contract = ?", "S0000")
	examine(t, []string{"--url", s.base, "--contract", "S0000"}, []symptom{
		{name: "not attested", env: secret, what: "contract", state: reach.Fail, text: "attest", fix: "attest"},
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := strings.Cut(freeAddress(t), ":")
	return port
}
