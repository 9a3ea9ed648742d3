package fiberapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

const (
	public = "https://ab2d.test"
	job    = domain.JobID("0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a")
)

var client = domain.Client{ID: "0oa1", Sponsor: "PDP-100", Contracts: []domain.ContractNumber{"S0000"}, Enabled: true}

// world is an API over use cases that a test makes up.
type world struct {
	t    *testing.T
	base string
	app  *fiber.App
	logs *syncBuffer

	scopes       domain.Scopes
	authenticate func(token string, from netip.Addr) (domain.Client, error)
	start        func(export.Start) (domain.JobID, error)
	poll         func(domain.Client, domain.JobID) (status.Result, error)
	cancel       func(domain.JobID) error
	files        *files
}

func newWorld(t *testing.T, change ...func(*fiberapi.Config)) *world {
	t.Helper()
	w := &world{t: t, logs: &syncBuffer{}, files: &files{}, scopes: domain.Scopes{domain.AllScope}}
	w.authenticate = func(string, netip.Addr) (domain.Client, error) { return client, nil }
	w.start = func(export.Start) (domain.JobID, error) { return job, nil }
	w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
		return status.Result{Running: true, Percent: 37, RetryAfter: 12 * time.Second}, nil
	}
	w.cancel = func(domain.JobID) error { return nil }

	cfg := fiberapi.Config{PublicURL: public + "/", TokenURL: public + "/oauth2/x/v1/token", Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(w.logs, nil))}
	for _, c := range change {
		c(&cfg)
	}
	w.app = fiberapi.New(cfg, fiberapi.UseCases{Access: stubAccess{w}, Export: stubExport{w}, Status: stubStatus{w}, Download: w.files, Cancel: stubCancel{w}})
	w.base = serve(t, w.app)
	return w
}

// serve puts an app on a loopback port.
func serve(t *testing.T, app *fiber.App) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = app.Listener(ln) }()
	t.Cleanup(func() {
		_ = app.ShutdownWithTimeout(2 * time.Second)
		<-done
	})
	return "http://" + ln.Addr().String()
}

type (
	stubAccess struct{ w *world }
	stubExport struct{ w *world }
	stubStatus struct{ w *world }
	stubCancel struct{ w *world }
)

func (s stubAccess) Authenticate(_ context.Context, token string, from netip.Addr) (domain.Client, domain.Scopes, error) {
	c, err := s.w.authenticate(token, from)
	return c, s.w.scopes, err
}

func (s stubExport) Start(_ context.Context, cmd export.Start) (domain.JobID, error) {
	return s.w.start(cmd)
}

func (s stubStatus) Poll(_ context.Context, c domain.Client, id domain.JobID) (status.Result, error) {
	return s.w.poll(c, id)
}

func (s stubStatus) Page(_ context.Context, c domain.Client, id domain.JobID, _ int) (status.Result, error) {
	return s.w.poll(c, id)
}

func (s stubCancel) Cancel(_ context.Context, _ domain.Client, _ netip.Addr, id domain.JobID) error {
	return s.w.cancel(id)
}

// files is a download use case over one file in memory, with the domain's own
// rules about how often it may be fetched.
type files struct {
	mu       sync.Mutex
	plain    []byte
	stored   []byte
	file     domain.OutputFile
	limits   domain.DownloadLimits
	accounts map[domain.DownloadKey]*domain.Download
	asked    []download.Ask
	sent     []domain.ByteRange
	told     chan domain.ByteRange
	slow     time.Duration // how long it takes to write an account
	open     func(body io.ReadCloser) io.ReadCloser
	refuse   error // of Find
	broken   error // of Open
	ended    []domain.ContractNumber
}

const fileName = "S0000_0001.ndjson"

func (f *files) put(plain []byte) {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.HuffmanOnly) // the quickest
	_, _ = z.Write(plain)
	_ = z.Close()
	f.plain, f.stored = plain, packed.Bytes()
	f.limits = domain.DownloadLimits{Fetches: 1, ResumeGrace: 15 * time.Minute}
	f.accounts, f.told = map[domain.DownloadKey]*domain.Download{}, make(chan domain.ByteRange, 100)
	f.file = domain.OutputFile{Job: job, Name: fileName, Contract: "S0000", StoredFile: domain.StoredFile{
		Kind: domain.DataFile, Key: "k", Lines: 3, Plain: content(plain), Stored: content(packed.Bytes()),
	}}
}

func content(b []byte) domain.Content {
	sum := sha256.Sum256(b)
	return domain.Content{Bytes: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
}

func (f *files) Find(_ context.Context, ask download.Ask) (domain.OutputFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, ask)
	if f.refuse != nil {
		return domain.OutputFile{}, f.refuse
	}
	if ask.Job != job || ask.Name != fileName {
		return domain.OutputFile{}, domain.Errorf(domain.NotFound, "The job has no file of that name.").WithNext("x")
	}
	var accounts []domain.Download
	for _, a := range f.accounts {
		accounts = append(accounts, *a)
	}
	return f.file, f.limits.Allow(accounts, ask.Client.ID, ask.Form, ask.Start, time.Now())
}

func (f *files) Open(ctx context.Context, file domain.OutputFile, form domain.Form, start int64) (io.ReadCloser, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	body := f.plain
	if form == domain.GzipForm {
		body = f.stored
	}
	r := io.NopCloser(bytes.NewReader(body[start:]))
	if f.open != nil {
		return f.open(r), nil
	}
	return r, nil
}

func (f *files) Sent(ctx context.Context, ask download.Ask, file domain.OutputFile, sent domain.ByteRange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	key := domain.DownloadKey{Job: ask.Job, File: ask.Name, Client: ask.Client.ID, Form: ask.Form}
	if f.accounts[key] == nil {
		f.accounts[key] = &domain.Download{Key: key}
	}
	f.accounts[key].Record(time.Now(), sent, download.Size(file, ask.Form))
	f.sent = append(f.sent, sent)
	f.told <- sent
	return nil
}

func (f *files) Ended(context.Context, []domain.ContractNumber) ([]domain.ContractNumber, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended, nil
}

// fetches returns how many times the file was fetched as a whole.
func (f *files) fetches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, a := range f.accounts {
		n += a.Fetches
	}
	return n
}

// response is an answer that was read to its end.
type response struct {
	*http.Response
	body []byte
}

// plainTransport neither asks for gzip nor inflates by itself.
var plainTransport = &http.Transport{DisableCompression: true}

func (w *world) do(method, path string, header ...string) response {
	w.t.Helper()
	return w.send(method, path, nil, header...)
}

// send sends a request with a token, unless the header names another
// Authorization; a header whose value is empty is left out.
func (w *world) send(method, path string, body io.Reader, header ...string) response {
	w.t.Helper()
	req, err := http.NewRequest(method, w.base+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := plainTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response{resp, raw}
}

type outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Details                     struct{ Text string }
		Extension                   []struct{ URL, ValueURI string }
	}
}

// refused checks that a response is an OperationOutcome that explains itself,
// and returns what it says.
func (r response) refused(t *testing.T, status int, code string) (text, next string) {
	t.Helper()
	var o outcome
	if err := json.Unmarshal(r.body, &o); err != nil || o.ResourceType != "OperationOutcome" || len(o.Issue) != 1 || len(o.Issue[0].Extension) != 1 {
		t.Fatalf("%d %s is no OperationOutcome that says where it is explained", r.StatusCode, r.body)
	}
	i := o.Issue[0]
	if r.StatusCode != status || i.Code != code || r.Header.Get("Content-Type") != "application/fhir+json" {
		t.Errorf("%d %s %s, want %d %s: %s", r.StatusCode, i.Code, r.Header.Get("Content-Type"), status, code, r.body)
	}
	if i.Severity != "error" && i.Severity != "fatal" || i.Details.Text == "" || i.Diagnostics == "" {
		t.Errorf("the refusal does not explain itself: %s", r.body)
	}
	page, topic, _ := strings.Cut(i.Extension[0].ValueURI, "#")
	if !strings.HasSuffix(page, fiberapi.Troubleshooting) || !strings.Contains(page, "://") || topic != fiberapi.Topic(r.StatusCode, i.Code) && topic != "failed-export" ||
		!slices.Contains(fiberapi.Topics(), topic) {
		t.Errorf("%d %s is explained at %s", r.StatusCode, i.Code, i.Extension[0].ValueURI)
	}
	r.guarded(t)
	return i.Details.Text, i.Diagnostics
}

// guarded checks the headers that every answer has.
func (r response) guarded(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
}

func (r response) header(t *testing.T, name, want string) {
	t.Helper()
	if got := r.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
