package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// write makes a self-signed certificate of that name.
func write(t *testing.T, dir, name string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACertificateIsReadAnew(t *testing.T) {
	look = time.Millisecond
	dir := t.TempDir()
	write(t, dir, "one.test", 1)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	l, err := Listen(ctx, plain, cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); c.Close() }()
		}
	}()
	serial := func(most uint16) int64 {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: most, MinVersion: tls.VersionTLS10}) //nolint:gosec // it looks at the certificate alone
		if err != nil {
			return 0
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if serial(tls.VersionTLS13) != 1 || serial(tls.VersionTLS12) != 1 || serial(tls.VersionTLS11) != 0 {
		t.Error("not TLS 1.2 and later, and no less")
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial(0) != 1 {
		t.Error("half a file ends the certificate before")
	}
	write(t, dir, "two.test", 2)
	for deadline := time.Now().Add(10 * time.Second); serial(0) != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not in force")
		}
	}
	if _, err := Listen(ctx, plain, cert, filepath.Join(dir, "none.pem"), slog.Default()); err == nil {
		t.Error("without its key a certificate was taken")
	}
}

// While clients come and go the certificate is replaced again and again, one file
// after the other as certificate managers do. Nobody is refused, and who was
// there before stays.
func TestACertificateIsReplacedUnderLoad(t *testing.T) {
	look = time.Millisecond
	dir := t.TempDir()
	write(t, dir, "server.test", 1)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), plain, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") }), ReadHeaderTimeout: time.Minute}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	defer server.Close()
	ask := func(client *http.Client) (serial int64, err error) {
		resp, err := client.Get("https://" + plain.Addr().String())
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && string(body) != "fine" {
			err = fmt.Errorf("%s: %q", resp.Status, body)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), err
	}
	trusting := func(alone bool) *http.Client {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: alone, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it looks at the certificate alone
	}
	staying := trusting(false)
	defer staying.CloseIdleConnections()
	if n, err := ask(staying); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}

	var seen atomic.Int64
	var load sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				n, err := ask(trusting(true))
				if err != nil {
					t.Error(err)
					return
				}
				seen.Store(max(n, seen.Load()))
			}
		})
	}
	for serial := int64(2); serial <= 6; serial++ {
		write(t, dir, "server.test", serial)
		for deadline := time.Now().Add(30 * time.Second); seen.Load() < serial && !t.Failed(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("certificate %d is not in force", serial)
			}
		}
	}
	stop()
	load.Wait()
	if n, err := ask(staying); n != 1 || err != nil {
		t.Errorf("who was there before has now certificate %d, %v", n, err)
	}
}
