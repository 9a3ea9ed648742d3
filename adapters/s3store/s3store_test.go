package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"cms.gov/ab2d/adapters/s3store"
	"cms.gov/ab2d/adapters/s3store/s3test"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// settings are those of an empty bucket.
func settings(t testing.TB) s3store.Settings {
	t.Helper()
	return s3store.Settings{Endpoint: s3test.Start(t).Endpoint(), Bucket: s3test.Bucket(t), PartSize: s3store.MinPartSize}
}

func open(t testing.TB, set s3store.Settings) *s3store.Store {
	t.Helper()
	s, err := s3store.New(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// direct returns a client of the server, for what the store would not do.
func direct(t *testing.T, set s3store.Settings) *minio.Core {
	t.Helper()
	c, err := minio.NewCore(strings.TrimPrefix(set.Endpoint, "http://"), &minio.Options{Creds: credentials.NewEnvAWS(), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noise returns bytes that are the same every time and never repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// Sizes of files that go as one request and as several.
const (
	small = 3 << 20
	large = 2*s3store.MinPartSize + 12345
)

func write(t testing.TB, s *s3store.Store, key string, content []byte) error {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit()
}

func put(t testing.TB, s *s3store.Store, key string, content []byte) {
	t.Helper()
	if err := write(t, s, key, content); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s *s3store.Store, key string) ([]byte, error) {
	t.Helper()
	f, err := s.Open(t.Context(), key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func list(t *testing.T, s *s3store.Store) (found []ports.FileInfo) {
	t.Helper()
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info)
	}
	return found
}

func wantCode(t *testing.T, what string, err error, want domain.Code) {
	t.Helper()
	if domain.CodeOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	wantCode(t, what, err, domain.Unavailable)
	if e := (*domain.Error)(nil); errors.As(err, &e) && e.RetryAfter <= 0 {
		t.Errorf("%s: it does not say when to come back", what)
	}
}

func TestFiles(t *testing.T) {
	porttest.Files(t, func(t *testing.T) ports.Files { return open(t, settings(t)) })
}

// virtual are settings where the bucket is part of the host's name, which leads
// to the server whatever the resolver thinks.
func virtual(t testing.TB, hosts func(string)) s3store.Settings {
	set := settings(t)
	address := s3test.Start(t).Address()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	set.Endpoint, set.PathStyle = "http://"+net.JoinHostPort(s3test.Domain, port), s3store.Virtual
	set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
		hosts(r.URL.Hostname())
		return transport.RoundTrip(r)
	})
	return set
}

func TestFilesUnderAPrefixOfAVirtualHost(t *testing.T) {
	porttest.Files(t, func(t *testing.T) ports.Files {
		set := virtual(t, func(string) {})
		set.Prefix = "exports/v2"
		return open(t, set)
	})
}

func TestTheBucketIsInTheHostOrInThePath(t *testing.T) {
	var host string
	set := virtual(t, func(h string) { host = h })
	s := open(t, set)
	put(t, s, "a/b", []byte("x"))
	if want := set.Bucket + "." + s3test.Domain; host != want {
		t.Errorf("in the virtual style the host is %q, want %q", host, want)
	}
	for _, style := range []string{s3store.Path, s3store.Auto} {
		var path string
		set.PathStyle, set.Endpoint = style, s3test.Start(t).Endpoint()
		set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
			path = r.URL.Path
			return http.DefaultTransport.RoundTrip(r)
		})
		if got, err := read(t, open(t, set), "a/b"); string(got) != "x" || err != nil {
			t.Errorf("in style %s it holds %q, %v", style, got, err)
		}
		if want := "/" + set.Bucket + "/a/b"; path != want {
			t.Errorf("in style %s the path is %q, want %q", style, path, want)
		}
	}
}

func TestPrefixesKeepStoresApart(t *testing.T) {
	set := settings(t)
	set.Prefix = "one"
	one := open(t, set)
	set.Prefix = "/two/"
	two := open(t, set)
	put(t, one, "a", []byte("1"))
	put(t, two, "a", []byte("2"))
	if got := list(t, two); len(got) != 1 || got[0].Key != "a" {
		t.Errorf("List yields %+v", got)
	}
	if err := two.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, one, "a"); string(got) != "1" || err != nil {
		t.Errorf("the other's file holds %q, %v", got, err)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*s3store.Settings){
		"no address":    func(s *s3store.Settings) { s.Endpoint = "s3.example.org" },
		"a path":        func(s *s3store.Settings) { s.Endpoint += "/files" },
		"no bucket":     func(s *s3store.Settings) { s.Bucket = "" },
		"a prefix":      func(s *s3store.Settings) { s.Prefix = "a/../b" },
		"a style":       func(s *s3store.Settings) { s.PathStyle = "yes" },
		"an encryption": func(s *s3store.Settings) { s.Encryption = "rot13" },
		"small parts":   func(s *s3store.Settings) { s.PartSize = 1024 },
	} {
		set := s3store.Settings{Endpoint: "http://127.0.0.1:1", Bucket: "files"}
		change(&set)
		_, err := s3store.New(t.Context(), set)
		wantCode(t, name, err, domain.Invalid)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	set := settings(t)
	if err := open(t, set).Check(t.Context()); err != nil {
		t.Errorf("Check of a store that is there: %v", err)
	}
	other := set
	other.Bucket = "ab2d-none"
	if err := open(t, other).Check(t.Context()); err == nil || !strings.Contains(err.Error(), `no bucket "ab2d-none"`) {
		t.Errorf("Check without the bucket: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	s := open(t, set)
	for what, err := range map[string]error{"Check": s.Check(t.Context()), "Commit": write(t, s, "a", nil)} {
		if err == nil || !strings.Contains(err.Error(), "refuses our keys") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s with a wrong key: %v", what, err)
		}
	}
}

func TestAStoreThatRefusesIsUnavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set := settings(t)
	set.Endpoint = "http://" + l.Addr().String()
	l.Close()
	s := open(t, set)
	start := time.Now()
	_, err = s.Open(t.Context(), "a")
	wantUnavailable(t, "Open", err)
	wantUnavailable(t, "Commit of a small file", write(t, s, "a", noise(small)))
	wantUnavailable(t, "Write of a large file", write(t, s, "a", noise(large)))
	wantUnavailable(t, "Delete", s.Delete(t.Context(), "a"))
	wantUnavailable(t, "Check", s.Check(t.Context()))
	for _, err := range s.List(t.Context(), "") {
		wantUnavailable(t, "List", err)
	}
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("to say so six times took %s, want seconds each", took)
	}
}

// A store that answers so is asked again some times, and then left alone.
func TestWhatAStoreAnswersHasACode(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		code   string
		want   domain.Code
	}{
		"slow down":   {503, "SlowDown", domain.Unavailable},
		"a quota":     {403, "QuotaExceeded", domain.Unavailable},
		"no room":     {507, "InsufficientStorage", domain.Unavailable},
		"forbidden":   {403, "AccessDenied", domain.Internal},
		"not allowed": {405, "MethodNotAllowed", domain.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := s3store.Settings{Endpoint: "http://127.0.0.1:1", Bucket: "files"}
			set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
				status, body := tc.status, fmt.Sprintf("<Error><Code>%s</Code></Error>", tc.code)
				if r.Method == http.MethodHead {
					status, body = 404, ""
				}
				if r.Body != nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})
			wantCode(t, "Commit", write(t, open(t, set), "a", []byte("x")), tc.want)
		})
	}
}

func TestEncryptionIsAskedFor(t *testing.T) {
	t.Parallel()
	for encryption, want := range map[string]string{s3store.NoEncryption: "", s3store.S3Encryption: "AES256", s3store.KMS: "aws:kms key-1"} {
		for name, size := range map[string]int{"one request": small, "parts": large} {
			asked := map[string]bool{}
			set := settings(t)
			set.Encryption, set.KMSKey = encryption, "key-1"
			set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
				if _, starts := r.URL.Query()["uploads"]; starts || r.Method == http.MethodPut && r.URL.RawQuery == "" {
					asked[strings.TrimSpace(r.Header.Get("X-Amz-Server-Side-Encryption")+" "+r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))] = true
				} else if r.Header.Get("X-Amz-Server-Side-Encryption") != "" {
					t.Errorf("%s of %s asks for encryption, which S3 refuses there", r.Method, r.URL.RawQuery)
				}
				return http.DefaultTransport.RoundTrip(r)
			})
			put(t, open(t, set), "a", noise(size))
			if len(asked) != 1 || !asked[want] {
				t.Errorf("encryption %s as %s: the headers are %v, want %q", encryption, name, asked, want)
			}
		}
	}
}

func TestAWriterHoldsTwoPartsAtMost(t *testing.T) {
	set := settings(t)
	set.PartSize = s3store.DefaultPartSize
	s := open(t, set)
	piece := noise(1 << 20)
	held := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, peak := held(), uint64(0)
	w, err := s.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, held())
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	grown := int64(peak) - int64(before)
	t.Logf("200 MiB written with %.1f MiB more on the heap", float64(grown)/(1<<20))
	// Two parts, and what the requests need.
	if grown > 2*set.PartSize+8<<20 {
		t.Errorf("200 MiB written with %d bytes on the heap", grown)
	}
	f, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runtime.GC()
	before, peak = held(), 0
	got := make([]byte, len(piece))
	for i := range 200 {
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, piece) {
			t.Fatalf("MiB %d is not what was written: %v", i, err)
		}
		peak = max(peak, held())
	}
	if grown := int64(peak) - int64(before); grown > 8<<20 {
		t.Errorf("200 MiB read with %d bytes on the heap", grown)
	}
}

func TestAConnectionThatBreaksWhileUploading(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one request": small, "parts": large} {
		set := settings(t)
		once := &proxy{up: cutting(2, 1<<20)}
		put(t, open(t, once.through(t, set)), "once", noise(size))
		if got, err := read(t, open(t, set), "once"); !bytes.Equal(got, noise(size)) || err != nil {
			t.Errorf("%s: %d bytes are there, %v", name, len(got), err)
		}
		always := &proxy{up: cutting(1<<20, 1<<20)}
		wantUnavailable(t, name, write(t, open(t, always.through(t, set)), "always", noise(size)))
		if got := list(t, open(t, set)); len(got) != 1 || got[0].Key != "once" {
			t.Errorf("%s: what failed leaves %+v", name, got)
		}
	}
}

func TestAConnectionThatBreaksWhileDownloading(t *testing.T) {
	t.Parallel()
	set := settings(t)
	content := noise(large)
	put(t, open(t, set), "a", content)
	some := &proxy{down: cutting(3, 2<<20)}
	if got, err := read(t, open(t, some.through(t, set)), "a"); !bytes.Equal(got, content) || err != nil {
		t.Errorf("%d bytes came, %v, want all %d", len(got), err, len(content))
	}
	// No answer to a GET comes through with a byte of the file.
	set = (&proxy{}).through(t, set)
	carried := set.Transport
	set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
		res, err := carried.RoundTrip(r)
		if err == nil && r.Method == http.MethodGet {
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(res.Body, 0), res.Body}
		}
		return res, err
	})
	_, err := read(t, open(t, set), "a")
	wantUnavailable(t, "with every stream broken at its start", err)
}

func TestDamageOnTheWayToTheStoreIsNoticed(t *testing.T) {
	for name, size := range map[string]int{"one request": small, "parts": large} {
		set := settings(t)
		p := &proxy{up: flipping(1 << 20)}
		err := write(t, open(t, p.through(t, set)), "a", noise(size))
		if err == nil {
			t.Errorf("%s: a file that was damaged on its way is taken", name)
		}
		if got := list(t, open(t, set)); len(got) != 0 {
			t.Errorf("%s: it leaves %+v", name, got)
		}
	}
}

func TestDamageOnTheWayBackAndAtRestIsNoticed(t *testing.T) {
	for name, size := range map[string]int{"one request": small, "parts": large} {
		set := settings(t)
		s := open(t, set)
		put(t, s, "a", noise(size))
		p := &proxy{down: flipping(1 << 20)}
		if _, err := read(t, open(t, p.through(t, set)), "a"); err == nil {
			t.Errorf("%s: a file that was damaged on its way is read to its end", name)
		}
		stored := filepath.Join(s3test.Start(t).Data(), set.Bucket, "a")
		f, err := os.OpenFile(stored, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte{^noise(size)[1000]}, 1000)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := read(t, s, "a"); err == nil || !strings.Contains(err.Error(), "not what was written") {
			t.Errorf("%s: a file that was damaged at rest is read: %v", name, err)
		}
	}
}

// A request can succeed and its answer be lost; asked again, the store refuses.
func TestAnAnswerThatIsLostIsNoConflict(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one request": small, "parts": large} {
		set := settings(t)
		lost := 0
		set.Transport = carrier(func(r *http.Request) (*http.Response, error) {
			final := r.Method == http.MethodPut && r.URL.RawQuery == "" || r.Method == http.MethodPost && r.URL.Query().Get("uploadId") != ""
			res, err := http.DefaultTransport.RoundTrip(r)
			if err == nil && final && lost == 0 {
				lost++
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			return res, err
		})
		put(t, open(t, set), "a", noise(size))
		if got, err := read(t, open(t, set), "a"); lost != 1 || !bytes.Equal(got, noise(size)) || err != nil {
			t.Errorf("%s: %d answers lost, %d bytes read, %v", name, lost, len(got), err)
		}
	}
}

func TestOfTwoWritersOfAKeyOneConflicts(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one request": 1000, "parts": large} {
		s := open(t, settings(t))
		for round := range 5 {
			key := fmt.Sprintf("a/%d", round)
			var writers [2]ports.FileWriter
			for i := range writers {
				w, err := s.Create(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Fatal(err)
				}
				writers[i] = w
			}
			var errs [2]error
			var wg sync.WaitGroup
			for i, w := range writers {
				wg.Go(func() { errs[i] = w.Commit() })
			}
			wg.Wait()
			winner := 0
			if errs[0] != nil {
				winner = 1
			}
			if errs[winner] != nil {
				t.Fatalf("%s: neither is there: %v", name, errs)
			}
			wantCode(t, name, errs[1-winner], domain.Conflict)
			if got, err := read(t, s, key); len(got) != size || got[0] != byte(winner) || err != nil {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		for _, info := range list(t, s) {
			if !info.Committed {
				t.Errorf("%s: the loser leaves %+v", name, info)
			}
		}
	}
}

func TestUploadsAreListedUntilTheyAreAborted(t *testing.T) {
	s := open(t, settings(t))
	w, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(noise(3 * s3store.MinPartSize)); err != nil {
		t.Fatal(err)
	}
	got := list(t, s)
	if len(got) != 1 || got[0].Committed || got[0].Bytes < s3store.MinPartSize || got[0].Modified.IsZero() || !strings.HasPrefix(got[0].Key, "a/b~") {
		t.Fatalf("List yields %+v, want one upload with the bytes that arrived", got)
	}
	_, err = s.Open(t.Context(), got[0].Key)
	wantCode(t, "Open of the upload's name", err, domain.Invalid)
	_, err = s.Create(t.Context(), got[0].Key)
	wantCode(t, "Create of the upload's name", err, domain.Invalid)
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("after Abort List yields %+v", got)
	}
	for _, name := range []string{"a/b~", "a/b~!", "~x", "../a~eA"} {
		wantCode(t, "Delete of "+name, s.Delete(t.Context(), name), domain.Invalid)
	}
}

func TestMoreIsListedThanAPageHolds(t *testing.T) {
	t.Parallel()
	const n = 1105
	set := settings(t)
	s, c := open(t, set), direct(t, set)
	todo := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range todo {
				key := fmt.Sprintf("job/%d/%d", i%7, i)
				if _, err := c.PutObject(t.Context(), set.Bucket, key, strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{}); err != nil {
					t.Error(err)
				}
				if _, err := c.NewMultipartUpload(t.Context(), set.Bucket, key, minio.PutObjectOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		todo <- i
	}
	close(todo)
	wg.Wait()
	files, uploads := map[string]bool{}, map[string]bool{}
	for _, info := range list(t, s) {
		if info.Committed {
			files[info.Key] = true
		} else {
			uploads[info.Key] = true
		}
	}
	if len(files) != n || len(uploads) != n {
		t.Errorf("List yields %d files and %d uploads, want %d of each", len(files), len(uploads), n)
	}
}

func TestReadingStartsAnywhere(t *testing.T) {
	t.Parallel()
	s := open(t, settings(t))
	content := noise(large)
	put(t, s, "a", content)
	f, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const part = s3store.MinPartSize
	for _, at := range []int64{0, 1, part - 1, part, part + 1, 2 * part, large - 1, large, large + 7, 3, part / 2} {
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		want := content[min(at, large):]
		if len(want) > 100_000 && at%2 == 1 { // some are left early
			want = want[:100_000]
			got := make([]byte, len(want))
			if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("from %d on there are other bytes, %v", at, err)
			}
			continue
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %d on %d bytes came, %v, want %d", at, len(got), err, len(want))
		}
	}
}

func TestAFileThatIsReplacedWhileOpenIsNotMixed(t *testing.T) {
	set := settings(t)
	s := open(t, set)
	put(t, s, "a", bytes.Repeat([]byte("1"), large))
	f, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadFull(f, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_, err = direct(t, set).PutObject(t.Context(), set.Bucket, "a", bytes.NewReader(bytes.Repeat([]byte("2"), large)), large, "", "", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(100, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	n, err := f.Read(make([]byte, 10))
	if n != 0 {
		t.Errorf("%d bytes come from another file", n)
	}
	wantCode(t, "Read", err, domain.Conflict)
}

func TestALinkNeedsNoKeys(t *testing.T) {
	set := settings(t)
	s := open(t, set)
	content := append([]byte{0x1f, 0x8b}, noise(1000)...)
	put(t, s, "job/1/attempt-7.gz", content)
	link, err := s.Link(t.Context(), "job/1/attempt-7.gz", "S0001_0001.ndjson.gz", "application/fhir+ndjson", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true}} // the bytes as they are
	defer client.CloseIdleConnections()
	res, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || err != nil || !bytes.Equal(got, content) {
		t.Errorf("%s: %d bytes, %v", res.Status, len(got), err)
	}
	kind, parameters, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
	if kind != "attachment" || parameters["filename"] != "S0001_0001.ndjson.gz" || err != nil {
		t.Errorf("Content-Disposition is %q", res.Header.Get("Content-Disposition"))
	}
	if res.Header.Get("Content-Type") != "application/fhir+ndjson" || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the headers are %v", res.Header)
	}
	bare, _, _ := strings.Cut(link, "?")
	if res, err := client.Get(bare); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("without the signature: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
}

func TestTheContextOfCreateEndsTheWriter(t *testing.T) {
	s := open(t, settings(t))
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(noise(large)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Write([]byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v, want context.Canceled", err)
	}
	if err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want context.Canceled", err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("it leaves %+v", got)
	}
}

func BenchmarkPut(b *testing.B) {
	set := settings(b)
	set.PartSize = s3store.DefaultPartSize
	s := open(b, set)
	for name, size := range map[string]int{"1KiB": 1 << 10, "1MiB": 1 << 20, "64MiB": 64 << 20} {
		content := noise(size)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				put(b, s, "a", content)
				b.StopTimer()
				if err := s.Delete(b.Context(), "a"); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, settings(b))
	for name, size := range map[string]int{"1KiB": 1 << 10, "1MiB": 1 << 20, "64MiB": 64 << 20} {
		put(b, s, name, noise(size))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f, err := s.Open(b.Context(), name)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, f); n != int64(size) || err != nil {
					b.Fatal(n, err)
				}
				f.Close()
			}
		})
	}
}
