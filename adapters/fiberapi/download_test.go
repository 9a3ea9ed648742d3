package fiberapi_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/domain"
)

const filePath = "/api/v1/fhir/Job/" + string(job) + "/file/" + fileName

// noise is what no compression makes smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func inflated(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestDownload(t *testing.T) {
	for _, size := range []int{1, 100, 70_000, 5 << 20} {
		for _, encoding := range []string{"gzip", ""} {
			t.Run(fmt.Sprint(size, encoding), func(t *testing.T) {
				w := newWorld(t)
				plain := noise(size)
				w.files.put(plain)
				head := w.do("HEAD", filePath, "Accept-Encoding", encoding)
				r := w.do("GET", filePath, "Accept-Encoding", encoding)

				body, sum := r.body, w.files.file.Plain
				if encoding == "gzip" {
					body, sum = inflated(t, r.body), w.files.file.Stored
				}
				if r.StatusCode != 200 || !bytes.Equal(body, plain) {
					t.Fatalf("%d, %d bytes", r.StatusCode, len(body))
				}
				if head.StatusCode != 200 || len(head.body) != 0 {
					t.Errorf("HEAD: %d, %d bytes", head.StatusCode, len(head.body))
				}
				for _, r := range []response{head, r} {
					r.guarded(t)
					r.header(t, "Content-Type", "application/fhir+ndjson")
					r.header(t, "Content-Encoding", encoding)
					r.header(t, "Content-Length", fmt.Sprint(sum.Bytes))
					r.header(t, "ETag", `"`+sum.SHA256+`"`)
					r.header(t, "Repr-Digest", reprDigest(r.whole(w.files)))
					r.header(t, "Vary", "Accept-Encoding")
					r.header(t, "Accept-Ranges", "bytes")
					r.header(t, "Content-Disposition", `attachment; filename="S0000_0001.ndjson"`)
				}
				if got := w.files.next(t); got != (domain.ByteRange{End: sum.Bytes}) || w.files.fetches() != 1 {
					t.Errorf("recorded %v, %d fetches", got, w.files.fetches())
				}
			})
		}
	}
}

// reprDigest is a Repr-Digest of RFC 9530.
func reprDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// whole returns all bytes of the form that a response is of.
func (r response) whole(f *files) []byte {
	if r.Header.Get("Content-Encoding") == "gzip" {
		return f.stored
	}
	return f.plain
}

// next returns the next transfer that was recorded.
func (f *files) next(t *testing.T) domain.ByteRange {
	t.Helper()
	select {
	case r := <-f.told:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no transfer was recorded")
		panic("unreachable")
	}
}

// Even if the account takes its time and the second request comes on another
// connection.
func TestTheSecondDownloadIsGone(t *testing.T) {
	for _, size := range []int{1000, 3 << 20} {
		w := newWorld(t)
		w.files.put(noise(size))
		w.files.slow = 300 * time.Millisecond
		if r := w.do("GET", filePath); r.StatusCode != 200 {
			t.Fatalf("%d", r.StatusCode)
		}
		plainTransport.CloseIdleConnections()
		w.do("GET", filePath).refused(t, 410, "expired")
		w.do("HEAD", filePath)
		w.do("GET", filePath, "Accept-Encoding", "gzip").refused(t, 410, "expired")
		w.do("GET", filePath, "Range", "bytes=0-").refused(t, 410, "expired")
		w.do("GET", filePath, "Range", fmt.Sprintf("bytes=-%d", size)).refused(t, 410, "expired")
		if r := w.do("GET", filePath, "Range", "bytes=900-"); r.StatusCode != 206 || len(r.body) != size-900 {
			t.Errorf("to continue: %d, %d bytes", r.StatusCode, len(r.body))
		}
		if w.files.fetches() != 1 {
			t.Errorf("%d fetches", w.files.fetches())
		}
	}
}

func TestABrokenTransferDoesNotCount(t *testing.T) {
	for _, encoding := range []string{"gzip", ""} {
		w := newWorld(t)
		w.files.put(noise(24 << 20))
		req, _ := http.NewRequest("GET", w.base+filePath, nil)
		req.Header.Set("Authorization", "Bearer good")
		if encoding != "" {
			req.Header.Set("Accept-Encoding", encoding)
		}
		resp, err := plainTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()

		part := w.files.next(t)
		if part.Start != 0 || part.End < 1<<20 || part.End >= 24<<20 || w.files.fetches() != 0 {
			t.Fatalf("recorded %v, %d fetches", part, w.files.fetches())
		}
		if r := w.do("GET", filePath, "Accept-Encoding", encoding); r.StatusCode != 200 || len(r.body) < 24<<20 {
			t.Errorf("again: %d, %d bytes", r.StatusCode, len(r.body))
		}
		if w.files.next(t); w.files.fetches() != 1 {
			t.Errorf("%d fetches", w.files.fetches())
		}
	}
}

// A client that stops reading gives up its connection, and the file is not fetched.
func TestAStalledTransferEnds(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Stall = 300 * time.Millisecond })
	w.files.put(noise(24 << 20))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", filePath)
	if part := w.files.next(t); part.End >= 24<<20 || w.files.fetches() != 0 {
		t.Errorf("recorded %v, %d fetches", part, w.files.fetches())
	}
}

func TestAFileThatBreaksOffIsNotFetched(t *testing.T) {
	for name, open := range map[string]func(io.ReadCloser) io.ReadCloser{
		"short": func(r io.ReadCloser) io.ReadCloser { return io.NopCloser(io.LimitReader(r, 5000)) },
		"error": func(r io.ReadCloser) io.ReadCloser {
			return io.NopCloser(io.MultiReader(io.LimitReader(r, 5000), errReader{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.files.put(noise(100_000))
			w.files.open = open
			req, _ := http.NewRequest("GET", w.base+filePath, nil)
			req.Header.Set("Authorization", "Bearer good")
			resp, err := plainTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Error("the client takes the part for the whole")
			}
			if part := w.files.next(t); part.End != 5000 || w.files.fetches() != 0 {
				t.Errorf("recorded %v", part)
			}
		})
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestAFileThatCannotBeOpened(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(10))
	w.files.broken = errors.New("permission denied")
	r := w.do("GET", filePath, "Accept-Encoding", "gzip")
	r.refused(t, 500, "exception")
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "ETag", "Content-Range", "Accept-Ranges"} {
		r.header(t, name, "")
	}
	if len(w.files.sent) != 0 {
		t.Errorf("recorded %v", w.files.sent)
	}
}

func TestTheBodyIsClosed(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(200_000))
	closed := 0
	w.files.open = func(r io.ReadCloser) io.ReadCloser { return closer{r, &closed} }
	w.do("GET", filePath)
	w.files.next(t)
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

type closer struct {
	io.Reader
	n *int
}

func (c closer) Close() error { *c.n++; return nil }

func TestRanges(t *testing.T) {
	plain := noise(300_000)
	for _, encoding := range []string{"", "gzip"} {
		w := newWorld(t)
		w.files.put(plain)
		w.files.limits.Fetches = 1000
		whole := w.files.plain
		if encoding != "" {
			whole = w.files.stored
		}
		size, tag := len(whole), `"`+content(whole).SHA256+`"`
		for _, tt := range []struct {
			header, ifRange string
			status          int
			start, end      int
		}{
			{"bytes=0-", "", 206, 0, size},
			{"bytes=0-0", "", 206, 0, 1},
			{"bytes=10-19", "", 206, 10, 20},
			{"Bytes = 10-19", "", 206, 10, 20},
			{"bytes=100000-", "", 206, 100000, size},
			{"bytes=100000-99999999", "", 206, 100000, size},
			{"bytes=-100", "", 206, size - 100, size},
			{"bytes=-99999999", "", 206, 0, size},
			{fmt.Sprintf("bytes=%d-", size-1), "", 206, size - 1, size},
			{"bytes=10-19", tag, 206, 10, 20},
			{"bytes=10-19", `"other"`, 200, 0, size},
			{"bytes=10-19", "W/" + tag, 200, 0, size},
			{"bytes=10-19,30-39", "", 200, 0, size}, // a part for each would be for nobody
			{"bytes=10-19,15-29", "", 206, 10, 30},
			{"bytes=30-39, 10-19 ,20-29", "", 206, 10, 40},
			{"bytes=10-19,99999999-", "", 206, 10, 20},
			{fmt.Sprintf("bytes=%d-,-100", size-50), tag, 206, size - 100, size},
			{"bytes=0-9,-99999999", "", 206, 0, size},
			{"bytes=10-19,x", "", 200, 0, size},
			{"bytes=10-19,", "", 200, 0, size},
			{"bytes=10-19" + strings.Repeat(",15-29", 100), "", 200, 0, size},
			{"bytes=10-19", "Mon, 02 Mar 2026 12:00:00 GMT", 200, 0, size},
			{"bytes=99999999-,-0", "", 416, 0, 0},
			{"bytes=19-10", "", 200, 0, size},
			{"bytes=", "", 200, 0, size},
			{"bytes=-", "", 200, 0, size},
			{"bytes=a-b", "", 200, 0, size},
			{"bytes=+1-", "", 200, 0, size},
			{"lines=1-2", "", 200, 0, size},
			{fmt.Sprintf("bytes=%d-", size), "", 416, 0, 0},
			{"bytes=99999999-", "", 416, 0, 0},
			{"bytes=-0", "", 416, 0, 0},
		} {
			r := w.do("GET", filePath, "Accept-Encoding", encoding, "Range", tt.header, "If-Range", tt.ifRange)
			if tt.status == 416 {
				r.refused(t, 416, "invalid")
				r.header(t, "Content-Range", fmt.Sprintf("bytes */%d", size))
				continue
			}
			contentRange := ""
			if tt.status == 206 {
				contentRange = fmt.Sprintf("bytes %d-%d/%d", tt.start, tt.end-1, size)
			}
			if r.StatusCode != tt.status || !bytes.Equal(r.body, whole[tt.start:tt.end]) {
				t.Errorf("%s: %d, %d bytes", tt.header, r.StatusCode, len(r.body))
			}
			r.header(t, "Content-Range", contentRange)
			r.header(t, "ETag", tag)
			r.header(t, "Repr-Digest", reprDigest(whole))
			if got := w.files.next(t); got != (domain.ByteRange{Start: int64(tt.start), End: int64(tt.end)}) {
				t.Errorf("%s: recorded %v", tt.header, got)
			}
		}
	}
}

func TestPartsThatCoverTheFileCount(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(1000))
	for _, part := range []string{"bytes=500-", "bytes=100-599", "bytes=0-99"} {
		if w.files.fetches() != 0 {
			t.Error("counted too early")
		}
		if r := w.do("GET", filePath, "Range", part); r.StatusCode != 206 {
			t.Fatalf("%s: %d", part, r.StatusCode)
		}
		w.files.next(t)
	}
	if w.files.fetches() != 1 {
		t.Errorf("%d fetches", w.files.fetches())
	}
}

func TestWhatDoesNotCount(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(1000))
	tag := `"` + w.files.file.Plain.SHA256 + `"`
	for _, none := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if r := w.do("GET", filePath, "If-None-Match", none); r.StatusCode != 304 || len(r.body) != 0 || r.Header.Get("ETag") != tag {
			t.Errorf("%s: %d", none, r.StatusCode)
		}
	}
	for _, none := range []string{"bytes=1-2", "bytes=99999-"} { // the condition comes before the range
		r := w.do("GET", filePath, "If-None-Match", tag, "Range", none)
		if r.StatusCode != 304 || len(r.body) != 0 {
			t.Errorf("%s: %d", none, r.StatusCode)
		}
		r.header(t, "Content-Range", "")
		r.header(t, "ETag", tag)
	}
	if r := w.raw("GET " + filePath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nIf-None-Match: \"x\"\r\nIf-None-Match: " + tag + "\r\n\r\n"); r.StatusCode != 304 {
		t.Errorf("in two lines: %d", r.StatusCode)
	}
	w.do("HEAD", filePath)
	w.do("HEAD", filePath, "Range", "bytes=1-2").header(t, "Content-Length", "1000")
	if len(w.files.sent) != 0 {
		t.Errorf("recorded %v", w.files.sent)
	}
	if r := w.do("GET", filePath, "If-None-Match", `"x"`); r.StatusCode != 200 {
		t.Errorf("another version: %d", r.StatusCode)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(10))
	for _, name := range []string{"..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd", "%252e%252e%252fpasswd", "..%5c..%5cwin.ini",
		`..\..\win.ini`, "%00", fileName + "%00", fileName + ".gz", "S0000_0001.ndjson%0d%0aX-Evil:%201", "s0000_0001.ndjson", "S0000_0001", "%2fetc%2fpasswd",
		"C:%5c" + fileName, "./" + fileName, "%2e%2f" + fileName, "S0000_" + strings.Repeat("1", 5000) + ".ndjson", strings.Repeat("x", 8000), "*", "S0000_1.ndjson", " "} {
		r := w.raw("GET /api/v1/fhir/Job/" + string(job) + "/file/" + strings.ReplaceAll(name, " ", "%20") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n")
		r.refused(t, 404, "not-found")
		if r.Header.Get("X-Evil") != "" {
			t.Error("a header was injected")
		}
	}
	if len(w.files.asked) != 0 {
		t.Errorf("asked for %q", w.files.asked[0].Name)
	}
}

func TestAcceptEncoding(t *testing.T) {
	for header, want := range map[string]string{
		"":                              "",
		"gzip":                          "gzip",
		"GZIP":                          "gzip",
		"x-gzip":                        "gzip",
		"gzip, deflate":                 "gzip",
		"gzip, deflate, br, identity":   "gzip",
		"deflate , gzip;q=0.5":          "gzip",
		"gzip;q=0":                      "",
		"gzip; q=0.000":                 "",
		"*":                             "gzip",
		"*;q=0":                         "",
		"gzip;q=0, *":                   "",
		"br, *;q=0.1":                   "gzip",
		"identity":                      "",
		"identity, gzip;q=0.5":          "",
		"identity;q=0.5, gzip":          "gzip",
		"identity;q=0":                  "",
		"gzip;q=nonsense":               "",
		"gzip;q=2":                      "",
		"gzip;level=9;q=0.1":            "gzip",
		"br":                            "",
		"gzipped":                       "",
		";;,,=,":                        "",
		strings.Repeat("gzip;q=0,", 99): "",
	} {
		w := newWorld(t)
		w.files.put([]byte("{}\n"))
		w.do("HEAD", filePath, "Accept-Encoding", header).header(t, "Content-Encoding", want)
	}
}

// A stored file goes from the disk to the socket by itself: nobody reads it.
func TestAStoredFileIsSentBySendfile(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(5 << 20))
	name := filepath.Join(t.TempDir(), "stored")
	if err := os.WriteFile(name, w.files.stored, 0o600); err != nil {
		t.Fatal(err)
	}
	for header, start := range map[string]int{"": 0, "bytes=1000-": 1000} {
		w.files.open = func(io.ReadCloser) io.ReadCloser {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
			}
			if _, err := f.Seek(int64(start), io.SeekStart); err != nil {
				t.Error(err)
			}
			return unread{f, t}
		}
		w.files.accounts = map[domain.DownloadKey]*domain.Download{}
		if r := w.do("GET", filePath, "Accept-Encoding", "gzip", "Range", header); !bytes.Equal(r.body, w.files.stored[start:]) {
			t.Errorf("%d bytes", len(r.body))
		}
		w.files.next(t)
	}
}

type unread struct {
	*os.File
	t *testing.T
}

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the file is read")
	return 0, io.EOF
}

// A deadline that is over, or one request's context, must not end a transfer.
func TestATransferOutlivesTheDeadline(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Deadline = 100 * time.Millisecond })
	w.files.put(noise(200_000))
	w.files.open = func(r io.ReadCloser) io.ReadCloser { return io.NopCloser(&slowly{r: r}) }
	if r := w.do("GET", filePath); len(r.body) != 200_000 {
		t.Errorf("%d bytes", len(r.body))
	}
	if w.files.next(t); w.files.fetches() != 1 {
		t.Error("not counted")
	}
}

type slowly struct{ r io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(30 * time.Millisecond)
	return s.r.Read(p)
}

func TestSeveralTransfersOnOneConnection(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(100_000))
	w.files.limits.Fetches = 100
	for range 5 {
		if r := w.do("GET", filePath); !bytes.Equal(r.body, w.files.plain) {
			t.Fatalf("%d bytes", len(r.body))
		}
		if r := w.do("GET", "/api/v1/fhir/metadata"); r.StatusCode != 200 {
			t.Fatalf("%d", r.StatusCode)
		}
	}
}
