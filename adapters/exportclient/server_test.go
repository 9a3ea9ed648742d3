package exportclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// bulk is a Bulk Data server that is as right or as wrong as a test wants it.
type bulk struct {
	t *testing.T
	*httptest.Server

	mu       sync.Mutex
	requests []*http.Request
	files    map[string]func(w http.ResponseWriter, r *http.Request)
	manifest func() any                                          // of the complete export
	kickOff  func(w http.ResponseWriter, r *http.Request) bool   // true when it has answered
	status   func(w http.ResponseWriter, r *http.Request) bool   // the same
	token    func(w http.ResponseWriter, r *http.Request, n int) // n counts tokens from 1
	accept   func(r *http.Request, token string) (status int)    // 0 to let it pass
	tokens   int
}

func newBulk(t *testing.T) *bulk {
	b := &bulk{t: t, files: map[string]func(http.ResponseWriter, *http.Request){}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bulk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r)
	switch {
	case r.URL.Path == "/fhir/.well-known/smart-configuration":
		fmt.Fprintf(w, `{"token_endpoint":%q,"scopes_supported":["clientCreds"]}`, b.URL+"/token")
		return
	case r.URL.Path == "/token":
		b.tokens++
		if b.token != nil {
			b.token(w, r, b.tokens)
			return
		}
		fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":3600}`, b.tokens)
		return
	}
	if b.accept != nil {
		if status := b.accept(r, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	switch file := b.files[r.URL.Path]; {
	case file != nil:
		file(w, r)
	case strings.HasSuffix(r.URL.Path, "/$export"):
		if b.kickOff == nil || !b.kickOff(w, r) {
			w.Header().Set("Content-Location", b.URL+"/fhir/job/1")
			w.WriteHeader(http.StatusAccepted)
		}
	case r.URL.Path == "/fhir/job/1":
		if b.status == nil || !b.status(w, r) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(b.manifest())
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// asked counts requests for a path.
func (b *bulk) asked(path string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

type object = map[string]any

// serve has the server offer a file as it should be, and returns its item.
func (b *bulk) serve(name string, content []byte) object {
	b.files["/f/"+name] = whole(content)
	return b.item(name, content)
}

func (b *bulk) item(name string, content []byte) object {
	return object{"type": "ExplanationOfBenefit", "url": b.URL + "/f/" + name, "count": bytes.Count(content, []byte("\n")), "extension": []object{
		{"url": "https://ab2d.cms.gov/checksum", "valueString": "sha256:" + digest(content)},
		{"url": "https://ab2d.cms.gov/file_length", "valueDecimal": len(content)},
	}}
}

// offer makes a manifest of items.
func (b *bulk) offer(items ...object) {
	b.manifest = func() any {
		return object{"transactionTime": "2026-11-01T00:00:00.000Z", "request": b.URL, "requiresAccessToken": true, "output": items, "error": []any{}}
	}
}

// whole serves content in both forms, with ranges, as http.ServeContent does.
func whole(content []byte) func(http.ResponseWriter, *http.Request) {
	small := zipped(content)
	return func(w http.ResponseWriter, r *http.Request) {
		form := content
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			form = small
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Header().Set("ETag", `"`+digest(form)+`"`)
		sum := sha256.Sum256(form)
		w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(form))
	}
}

func zipped(content []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(content) // to memory
	_ = z.Close()
	return out.Bytes()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// claims makes so many lines, which do not compress to nothing.
func claims(seed string, n int) []byte {
	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, `{"resourceType":"ExplanationOfBenefit","id":"%s-%d","x":"%s"}`+"\n", seed, i, digest([]byte(seed+fmt.Sprint(i))))
	}
	return out.Bytes()
}

// sponsor is a client of the server that does not wait.
func (b *bulk) sponsor(change ...func(*Settings)) *Client {
	b.t.Helper()
	s := Settings{Base: b.URL + "/fhir", Auth: Auth{ClientID: "me", Secret: "mine"}, Parallel: 2,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for _, c := range change {
		c(&s)
	}
	c, err := New(s)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bulk) order() Order {
	b.t.Helper()
	o, err := NewOrder(b.URL+"/fhir", "Group/S0000", nil, false, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// export fetches the export as it stands, and fails the test if it cannot.
func (b *bulk) export(dir string, change ...func(*Settings)) Result {
	b.t.Helper()
	r, err := b.sponsor(change...).Export(b.t.Context(), b.order(), dir, Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// refused fetches the export and returns the fault that it must end with.
func (b *bulk) refused(dir string, why Why, change ...func(*Settings)) string {
	b.t.Helper()
	_, err := b.sponsor(change...).Export(b.t.Context(), b.order(), dir, Options{})
	if !is(err, why) {
		b.t.Fatalf("it ended with %v, want a fault of group %d", err, why)
	}
	return err.Error()
}

// holds checks that a file is in its place, as a whole.
func holds(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, want %d: %v", name, len(got), len(want), err)
	}
	left, err := filepath.Glob(filepath.Join(dir, private, "*.p*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func (b *bulk) host() string {
	u, err := url.Parse(b.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.Host
}
