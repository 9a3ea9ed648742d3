package fiberapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
	"cms.gov/ab2d/adapters/edge"
	"cms.gov/ab2d/adapters/fiberapi"
)

// secure serves the world's app on a TLS address too, as the product does, and
// returns the address and what a client is to trust.
func (w *world) secure() (address string, trust *tls.Config) {
	w.t.Helper()
	dir := w.t.TempDir()
	if err := bfdmock.Certificates(dir, time.Hour); err != nil {
		w.t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	pair := filepath.Join(dir, bfdmock.ServerFile)
	l, err := edge.Listen(w.t.Context(), plain, pair, pair, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = w.app.Server().Serve(l) }()
	w.t.Cleanup(func() { l.Close(); <-done })
	authority, err := os.ReadFile(filepath.Join(dir, bfdmock.CAFile))
	if err != nil {
		w.t.Fatal(err)
	}
	trust = &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AppendCertsFromPEM(authority)
	return plain.Addr().String(), trust
}

// Whoever holds connections open and sends next to nothing on them loses them,
// at whatever point that is, while a download that takes longer than any of these
// bounds comes to its end.
func TestSlowClientsAreCutOffAndDownloadsAreNot(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.ReadTimeout, c.IdleTimeout = 500*time.Millisecond, 500*time.Millisecond })
	w.files.put(noise(large))
	address, trust := w.secure()

	client := &http.Client{Transport: &http.Transport{DisableCompression: true, TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+filePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	download, err := client.Do(req)
	if err != nil || download.StatusCode != 200 {
		t.Fatalf("%v, %v", download, err)
	}
	defer download.Body.Close()
	got := make([]byte, 1<<20)
	if _, err := io.ReadFull(download.Body, got); err != nil {
		t.Fatal(err)
	}

	hello := func(c net.Conn) (net.Conn, error) {
		secured := tls.Client(c, &tls.Config{RootCAs: trust.RootCAs, ServerName: "localhost"})
		return secured, secured.Handshake()
	}
	const head = "GET /api/v1/fhir/metadata HTTP/1.1\r\nHost: x\r\n"
	slow := map[string]struct {
		secured bool
		first   string
		drip    string // sent again and again, a little at a time
		answer  string // what comes before the end
	}{
		"says nothing":               {},
		"breaks off the handshake":   {first: "\x16\x03\x01\x02\x00\x01"},
		"drips the handshake":        {first: "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03", drip: "\x00"},
		"drips its header":           {secured: true, first: head + "X-Drip: ", drip: "a", answer: " 408 "},
		"drips headers":              {secured: true, first: head, drip: "X-A: b\r\n", answer: " 408 "},
		"drips its body":             {secured: true, first: "POST /api/v1/fhir/$export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", drip: " ", answer: " 408 "},
		"drips chunks":               {secured: true, first: "POST /api/v1/fhir/$export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", drip: "1\r\n \r\n", answer: " 408 "},
		"is idle after its request":  {secured: true, first: head + "\r\n", answer: " 200 "},
		"stops in the second header": {secured: true, first: head + "\r\n" + head, answer: " 200 "},
	}
	ended := make(chan string, len(slow))
	for name, s := range slow {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if s.secured {
			if c, err = hello(c); err != nil {
				t.Fatal(err)
			}
		}
		gone, stop := context.WithCancel(t.Context())
		go func() {
			_, err := io.WriteString(c, s.first)
			for err == nil && s.drip != "" && gone.Err() == nil {
				time.Sleep(20 * time.Millisecond)
				_, err = io.WriteString(c, s.drip)
			}
		}()
		go func() {
			defer stop()
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			answer, err := io.ReadAll(c)
			out := (net.Error)(nil)
			switch status, _, _ := strings.Cut(string(answer), "\n"); {
			case errors.As(err, &out) && out.Timeout():
				ended <- fmt.Sprintf("who %s still has the connection", name)
			case !strings.Contains(status, s.answer):
				ended <- fmt.Sprintf("who %s is told %q", name, status)
			default:
				ended <- ""
			}
		}()
	}
	for range slow {
		if problem := <-ended; problem != "" {
			t.Error(problem)
		}
	}

	rest, err := io.ReadAll(download.Body)
	if got = append(got, rest...); err != nil || !bytes.Equal(got, w.files.plain) {
		t.Errorf("of the download %d of %d bytes came: %v", len(got), large, err)
	}
}

// A download over TLS that is cut goes on with Range where it broke, in either
// form, and has in the end the very bytes.
func TestADownloadOverTLSGoesOnWithRange(t *testing.T) {
	for _, encoding := range []string{"gzip", "identity"} {
		t.Run(encoding, func(t *testing.T) {
			w := newWorld(t)
			w.files.put(noise(3 << 20))
			address, trust := w.secure()
			want := w.files.plain
			if encoding == "gzip" {
				want = w.files.stored
			}
			var got []byte
			tag := ""
			for len(got) < len(want) {
				transport := &http.Transport{DisableCompression: true, TLSClientConfig: trust}
				req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+filePath, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer good")
				req.Header.Set("Accept-Encoding", encoding)
				status := 200
				if tag != "" {
					req.Header.Set("Range", fmt.Sprintf("bytes=%d-", len(got)))
					req.Header.Set("If-Range", tag)
					status = 206
				}
				resp, err := transport.RoundTrip(req)
				if err != nil || resp.StatusCode != status {
					t.Fatalf("from byte %d on: %v, %v", len(got), resp, err)
				}
				tag = resp.Header.Get("ETag")
				part, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // and then the connection is cut
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, part...)
				resp.Body.Close()
				transport.CloseIdleConnections()
			}
			if !bytes.Equal(got, want) {
				t.Error("other bytes came")
			}
		})
	}
}
