package bfd_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// within bounds the waits of these tests, generously.
const within = time.Minute

// until asks until an answer comes, or none does.
func until(t *testing.T, src *bfd.Source, what string, come bool) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		_, _, err := read(t.Context(), src, ports.ClaimsQuery{Version: domain.R4, Patient: busy(t)[0]})
		if (err == nil) == come {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// A new certificate of ours, of a new authority, is taken up while calls are
// made, and one that has run out is asked with in vain until it is replaced.
func TestCertificatesRotate(t *testing.T) {
	mock := bfdmock.New(world(), bfdmock.Faults{}, time.Now)
	first, second := t.TempDir(), t.TempDir()
	var mu sync.Mutex
	var seen []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.TLS.PeerCertificates[0].SerialNumber.String())
		mu.Unlock()
		mock.ServeHTTP(w, r)
	})
	for _, dir := range []string{first, second} {
		if err := bfdmock.Certificates(dir, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	// The server goes over from one authority to the other at a moment.
	var now atomic.Value
	now.Store(first)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return bfdmock.ServerTLS(now.Load().(string), true) }}
	s.StartTLS()
	defer s.Close()
	ours := t.TempDir()
	place := func(from string) {
		for _, f := range []string{bfdmock.CAFile, bfdmock.ClientFile} {
			content, err := os.ReadFile(filepath.Join(from, f))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(ours, f+".new"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(ours, f+".new"), filepath.Join(ours, f)); err != nil {
				t.Fatal(err)
			}
		}
	}
	place(first)
	src := source(t, bfd.Settings{URL: s.URL, Credentials: pem(ours)})
	until(t, src, "with the first certificate", true)

	now.Store(second)
	s.CloseClientConnections()
	until(t, src, "the old certificate is not accepted any more", false)
	place(second)
	until(t, src, "with the second certificate", true)

	// One that has run out.
	if err := bfdmock.Certificates(second, -time.Minute); err != nil {
		t.Fatal(err)
	}
	place(second)
	until(t, src, "an expired certificate", false)
	if err := bfdmock.Certificates(second, time.Hour); err != nil {
		t.Fatal(err)
	}
	place(second)
	until(t, src, "with one that is valid again", true)
	mu.Lock()
	defer mu.Unlock()
	if seen[0] == seen[len(seen)-1] {
		t.Error("the same certificate came before and after")
	}
}

// A file that is no certificate, as while it is written, leaves the old one in use.
func TestAHalfWrittenCertificateIsNotTakenUp(t *testing.T) {
	dir := t.TempDir()
	address := serveMutual(t, dir, bfdmock.New(world(), bfdmock.Faults{}, time.Now))
	src := source(t, bfd.Settings{URL: address, Credentials: pem(dir)})
	until(t, src, "with the certificate", true)
	if err := os.WriteFile(filepath.Join(dir, bfdmock.ClientFile), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the next look at the files is a second later
	until(t, src, "with the old certificate", true)
	if _, err := bfd.New(bfd.Settings{URL: address, Credentials: pem(dir)}); err == nil {
		t.Error("a source was made without a certificate")
	}
}

// The name of the server comes to mean another machine: calls go there once
// the connections have been renewed, though the old machine still answers.
func TestTheServerMoves(t *testing.T) {
	var served [2]atomic.Int64
	var at [2]string
	dir := t.TempDir()
	for i := range at {
		mock := bfdmock.New(world(), bfdmock.Faults{}, time.Now)
		at[i] = serveMutual(t, dir, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served[i].Add(1)
			mock.ServeHTTP(w, r)
		}))
	}
	var target atomic.Value
	target.Store(strings.TrimPrefix(at[0], "https://"))
	s := bfd.Settings{URL: "https://localhost:1", Credentials: pem(dir), Renew: 50 * time.Millisecond}
	src := source(t, s)
	src.DialBy(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, target.Load().(string))
	})
	until(t, src, "where it was", true)
	target.Store(strings.TrimPrefix(at[1], "https://"))
	until(t, src, "where it is", true)
	for deadline := time.Now().Add(within); served[1].Load() == 0; {
		until(t, src, "after it moved", true)
		if time.Now().After(deadline) {
			t.Fatal("calls still go where it was")
		}
	}
}
