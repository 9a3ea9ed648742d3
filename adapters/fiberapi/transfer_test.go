package fiberapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/filestore"
	"cms.gov/ab2d/adapters/gzippack"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// large is more than any socket holds back, in both forms.
const large = 24 << 20

// stored is a sandbox whose files lie on disk, packed as they are in earnest.
func stored(t *testing.T, size int) *sandbox {
	t.Helper()
	files, err := filestore.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	s := newSandboxOn(t, files, gzippack.Packing{})
	s.plain = noise(size)
	return s
}

// begun starts to read a file and stops after some of it.
func begun(t *testing.T, s *sandbox, token, path, encoding string) (resp *http.Response, first []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept-Encoding", encoding)
	resp, err = plainTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	first = make([]byte, 1<<20)
	if _, err := io.ReadFull(resp.Body, first); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	return resp, first
}

func (s *sandbox) sweep(t *testing.T) {
	t.Helper()
	u := retention.UseCase{Store: s.store, Files: s.files, Clock: s.clock}
	if err := u.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for f, err := range s.files.List(t.Context(), "jobs/") {
		t.Errorf("%s is still there, %v", f.Key, err)
	}
}

// A download that has begun comes to its end, whatever becomes of the token, of
// the job and of the file meanwhile.
func TestARunningDownloadIsNotCut(t *testing.T) {
	for name, happens := range map[string]func(*testing.T, *sandbox, domain.JobID){
		"its time is over": func(t *testing.T, s *sandbox, id domain.JobID) { s.clock.Advance(25 * time.Hour); s.sweep(t) },
		"its token expires": func(t *testing.T, s *sandbox, id domain.JobID) {
			token := s.token(t, ours)
			s.clock.Advance(2 * time.Hour)
			if r := s.world.do("GET", statusPath(id), "Authorization", "Bearer "+token); r.StatusCode != 401 {
				t.Errorf("with a token of two hours ago: %d", r.StatusCode)
			}
		},
		"it is deleted": func(t *testing.T, s *sandbox, id domain.JobID) {
			if r := s.as(t, ours, "DELETE", statusPath(id)); r.StatusCode != 202 {
				t.Fatalf("%d", r.StatusCode)
			}
			s.sweep(t)
		},
	} {
		for _, encoding := range []string{"gzip", "identity"} {
			t.Run(name+" "+encoding, func(t *testing.T) {
				s := stored(t, large)
				id := s.started(t, ours, "PDP-1", "S0000")
				s.successful(t, id, "S0000")
				resp, first := begun(t, s, s.token(t, ours), downloadPath(id), encoding)
				happens(t, s, id)
				rest, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				got := append(first, rest...)
				if encoding == "gzip" {
					got = inflated(t, got)
				}
				if !bytes.Equal(got, s.plain) {
					t.Errorf("%d bytes came, not what was there", len(got))
				}
				if r := s.as(t, ours, "GET", downloadPath(id)); r.StatusCode != 404 && r.StatusCode != 410 {
					t.Errorf("afterwards: %d", r.StatusCode)
				}
			})
		}
	}
}

// Once no attestor is active nothing leaves, not even the rest of a file. Files
// of other contracts are sent on.
func TestTheEndOfAttestationCutsADownload(t *testing.T) {
	for _, encoding := range []string{"gzip", "identity"} {
		t.Run(encoding, func(t *testing.T) {
			s := stored(t, large)
			id, other := s.started(t, ours, "PDP-1", "S0000"), s.started(t, ours, "PDP-1", "S0001")
			s.successful(t, id, "S0000")
			s.successful(t, other, "S0001")
			token := s.token(t, ours)
			resp, _ := begun(t, s, token, downloadPath(id), encoding)
			spared, first := begun(t, s, token, strings.Replace(downloadPath(other), "S0000", "S0001", 1), encoding)

			end := attested("S0000")
			end.ID, end.Kind, end.Effective = "end", domain.Remove, domain.Today(noon)
			s.do(t, func(ctx context.Context, tx ports.Tx) error { return tx.Attestations.Append(ctx, end) })
			// The client waits until the server has noticed, and then reads what was on its way.
			for deadline := time.Now().Add(time.Minute); !strings.Contains(s.logs.String(), "attestation has ended"); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the transfer goes on")
				}
			}
			rest, err := io.ReadAll(resp.Body)
			if err == nil || len(rest) >= large-1<<20 {
				t.Errorf("the client got %d bytes more, %v", len(rest), err)
			}
			more, err := io.ReadAll(spared.Body)
			got := append(first, more...)
			if encoding == "gzip" {
				got = inflated(t, got)
			}
			if err != nil || !bytes.Equal(got, s.plain) {
				t.Errorf("of the other contract's file %d bytes came, %v", len(got), err)
			}
			s.as(t, ours, "GET", downloadPath(id)).refused(t, 403, "business-rule")
		})
	}
}

// A stored file that is cut short behind our back, by an operator or a disk, breaks
// the connection, and the server goes on.
func TestAFileThatIsCutShortBreaksItsTransfer(t *testing.T) {
	dir := t.TempDir()
	files, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	s := newSandboxOn(t, files, gzippack.Packing{})
	s.plain = noise(large)
	id := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, id, "S0000")
	resp, first := begun(t, s, s.token(t, ours), downloadPath(id), "gzip")
	cut := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".gz") {
			return err
		}
		cut++
		return os.Truncate(path, int64(len(first))+100) // in the middle of a page, of which the rest would be zeros
	})
	if err != nil || cut != 1 {
		t.Fatalf("%d files cut, %v", cut, err)
	}
	rest, err := io.ReadAll(resp.Body)
	if got := int64(len(first) + len(rest)); err == nil || got >= resp.ContentLength {
		t.Errorf("%d of %d bytes came, %v", got, resp.ContentLength, err)
	}
	if r := s.as(t, ours, "GET", statusPath(id)); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

// Whoever is cut off again and again goes on with Range where it broke, and has
// in the end what lies in the store: byte for byte, and fetched once.
func TestACutDownloadGoesOnWithRange(t *testing.T) {
	for seed, encoding := range []string{"gzip", "identity"} {
		t.Run(encoding, func(t *testing.T) {
			s := stored(t, 5<<20+12345)
			id := s.started(t, ours, "PDP-1", "S0000")
			s.successful(t, id, "S0000")
			token, r := s.token(t, ours), rand.New(rand.NewPCG(uint64(seed), 1))
			var got []byte
			tag, digest := "", ""
			for cuts := 0; ; cuts++ {
				head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nAccept-Encoding: %s\r\n", downloadPath(id), token, encoding)
				if len(got) > 0 {
					// Some bytes once more: what came last may not have been written down.
					got = got[:max(len(got)-r.IntN(1000), 1)]
					head += fmt.Sprintf("Range: bytes=%d-\r\nIf-Range: %s\r\n", len(got), tag)
				}
				resp, part := cutOff(t, s.base, head+"\r\n", r.IntN(2<<20))
				if want := map[bool]int{true: 200, false: 206}[len(got) == 0]; resp.StatusCode != want {
					t.Fatalf("%d after %d bytes, want %d", resp.StatusCode, len(got), want)
				}
				tag, digest = resp.Header.Get("ETag"), resp.Header.Get("Repr-Digest")
				got = append(got, part...)
				if int64(len(part)) == resp.ContentLength {
					if cuts < 2 {
						t.Fatalf("only %d cuts", cuts)
					}
					break
				}
			}
			if digest != reprDigest(got) {
				t.Error("the whole is not what Repr-Digest says")
			}
			plain := got
			if encoding == "gzip" {
				plain = inflated(t, got)
			}
			if !bytes.Equal(plain, s.plain) {
				t.Errorf("%d bytes, not those of the file", len(plain))
			}
			s.as(t, ours, "GET", downloadPath(id), "Accept-Encoding", encoding).refused(t, 410, "expired")
		})
	}
}

// cutOff sends a request on a connection of its own, and closes that once so many
// bytes of the body have come.
func cutOff(t *testing.T, base, request string, after int) (*http.Response, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	part, err := io.ReadAll(io.LimitReader(resp.Body, int64(after)))
	if err != nil {
		t.Fatal(err)
	}
	return resp, part
}

// Several ranges, in any order, overlapping, in both forms: a form counts when
// its own bytes have been covered, and then once.
func TestTheAccountOfOneDownload(t *testing.T) {
	w := newWorld(t)
	w.files.put(noise(1000))
	size := len(w.files.stored)
	get := func(encoding, part string, status, fetches int) {
		t.Helper()
		r := w.do("GET", filePath, "Accept-Encoding", encoding, "Range", part)
		if r.StatusCode != status {
			t.Fatalf("%s %s: %d, want %d", encoding, part, r.StatusCode, status)
		}
		if status < 300 {
			w.files.next(t)
		}
		if got := w.files.fetches(); got != fetches {
			t.Errorf("after %s of %q: %d fetches, want %d", part, encoding, got, fetches)
		}
	}
	w.files.limits.Fetches = 2
	get("", "bytes=0-499", 206, 0)
	get("gzip", "bytes=500-", 206, 0)        // the other half, of the other form
	get("", "bytes=400-799,700-899", 206, 0) // overlapping
	get("", "bytes=0-499", 206, 0)           // again
	get("", "bytes=-100", 206, 1)
	get("", "bytes=999-", 206, 1) // continuing counts for nothing yet
	get("gzip", "bytes=0-499", 206, 2)
	get("gzip", "bytes=0-", 410, 2)
	get("", "", 410, 2)
	get("gzip", fmt.Sprintf("bytes=%d-", size-1), 206, 2)
	get("", "bytes=10-19,30-39", 410, 2) // two parts are the whole, which is a fresh start
}
