package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfdmock"
)

// secured is a whole sandbox in this process that ends TLS itself.
type secured struct {
	*testing.T
	base   string
	trust  *tls.Config
	client http.Client
	routes [][2]string // method and path, with values for what is variable in it
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	dir := t.TempDir()
	if err := bfdmock.Certificates(dir, time.Hour); err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(dir, bfdmock.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	s := &secured{T: t, trust: &tls.Config{RootCAs: x509.NewCertPool()}}
	s.trust.RootCAs.AppendCertsFromPEM(authority)
	pair := filepath.Join(dir, bfdmock.ServerFile)
	p := startInProcess(t, t.TempDir(), "--tls-cert", pair, "--tls-key", pair, "--requests", "0")
	s.base = "https://" + p.Listener.Addr().String()
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: s.trust}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	variable := regexp.MustCompile(`:[A-Za-z]+\??|\*`)
	for _, r := range p.App.GetRoutes(true) {
		s.routes = append(s.routes, [2]string{r.Method, variable.ReplaceAllString(r.Path, "S0000")})
	}
	return s
}

// chatter is what would tell how we are built, or which version it is of.
var chatter = regexp.MustCompile(`(?i)fasthttp|fiber|\bgo1\.|golang|goroutine|\.go:\d|sqlite|postgres|pgx|\bent:|river|` + regexp.QuoteMeta(runtime.Version()))

// policy is that of pages: nothing from elsewhere, and in no frame.
var policy = regexp.MustCompile(`^default-src '(none|self)'; [^*]*; frame-ancestors 'none'$`)

// said are the headers that an answer may have. Any other has to be thought of.
var said = []string{"Accept-Ranges", "Access-Control-Allow-Origin", "Allow", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Location",
	"Content-Security-Policy", "Content-Type", "Date", "Etag", "Link", "Location", "Pragma", "Referrer-Policy", "Retry-After", "Set-Cookie", "Strict-Transport-Security", "Vary",
	"Www-Authenticate", "X-Content-Type-Options", "X-Frame-Options", "X-Progress", "X-Request-Id"}

// check looks at an answer.
func (s *secured) check(what string, res *http.Response, body []byte) {
	s.Helper()
	for name, values := range res.Header {
		if !slices.Contains(said, name) {
			s.Errorf("%s: it says %s: %s", what, name, values)
		}
		if told := chatter.FindString(strings.Join(values, " ")); told != "" {
			s.Errorf("%s: %s tells of %s", what, name, told)
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"} {
		if got := res.Header.Get(name); got != want {
			s.Errorf("%s: %d with %s %q", what, res.StatusCode, name, got)
		}
	}
	if res.Header.Get("X-Request-Id") == "" {
		s.Errorf("%s: %d without an id to quote", what, res.StatusCode)
	}
	if res.Header.Get("Cache-Control") == "" {
		s.Errorf("%s: it does not say whether it may be kept", what)
	}
	// A refusal is never kept, and neither is anything of the API but what is the same for everybody.
	if res.StatusCode >= 400 && res.Header.Get("Cache-Control") != "no-store" {
		s.Errorf("%s: %d may be kept (%s)", what, res.StatusCode, res.Header.Get("Cache-Control"))
	}
	kind := res.Header.Get("Content-Type")
	if page := strings.HasPrefix(kind, "text/html"); page && !policy.MatchString(res.Header.Get("Content-Security-Policy")) || page && res.Header.Get("Referrer-Policy") == "" {
		s.Errorf("%s: a page with the policy %q, %q", what, res.Header.Get("Content-Security-Policy"), res.Header.Get("Referrer-Policy"))
	}
	if len(body) > 0 && (kind == "" || strings.HasPrefix(kind, "text/plain")) {
		s.Errorf("%s: %d is %q: %.100s", what, res.StatusCode, kind, body)
	}
	if told := chatter.Find(body); (res.StatusCode >= 400 || strings.Contains(kind, "json")) && told != nil {
		s.Errorf("%s: %d tells of %s: %.300s", what, res.StatusCode, told, body)
	}
}

// No answer of any address to any method, asked rightly or wrongly, tells what
// this is built with, and each has the headers that keep browsers and caches strict.
func TestEveryAnswerIsStrictAndTellsNothing(t *testing.T) {
	s := startSecured(t)
	w := &walker{base: s.base, tokenURL: s.base + "/oauth2/aus2r7y3gdaFMKBol297/v1/token", http: s.client, say: func(string, ...any) {}}
	if err := w.signIn(patience(t), sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	ask := func(method, path, token, content string) {
		req, err := http.NewRequestWithContext(patience(t), method, s.base+path, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := s.client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		seen[res.StatusCode] = true
		s.check(method+" "+path, res, body)
	}
	paths := []string{"/", "/nothing", "/api", "/api/v3/fhir/metadata", "/api/v2/fhir/nothing", "/console/nothing", "/console/assets/nothing", "/swagger-ui/nothing", "/docs/nothing",
		"/oauth2/nothing", "/.well-known/nothing", "/favicon.ico", "/robots.txt", "/%00", "/..%2f..%2fetc/passwd", "/api/v2/fhir/Job/%ff/file/%0d%0aX-A:b"}
	for _, r := range s.routes {
		if !slices.Contains(paths, r[1]) {
			paths = append(paths, r[1])
		}
	}
	if len(paths) < 40 {
		t.Errorf("only %d addresses: %v", len(paths), paths)
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(path, "events") && method == "GET" {
				continue // it does not end
			}
			ask(method, path, "", "")
		}
		ask("GET", path, "wrong", "")
		if strings.HasPrefix(path, "/api/") && !strings.HasSuffix(path, "$export") {
			ask("GET", path, w.token, "")
		}
		ask("POST", path, w.token, "<not what is asked for/>")
	}
	ask("POST", "/api/v2/fhir/$export", w.token, strings.Repeat("x", 2<<20))
	ask("GET", "/api/v2/fhir/"+strings.Repeat("x", 64<<10), "", "")

	// What a client of HTTP would not send.
	for _, request := range []string{"nonsense\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /api/v2/fhir/metadata HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /api/v2/fhir/$export HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.base, "https://"), s.trust)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(within))
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%q: %v", request, err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("%q: %v", request, err)
		}
		seen[res.StatusCode] = true
		s.check(request, res, body)
		c.Close()
	}
	for _, status := range []int{200, 303, 400, 401, 403, 404, 405, 413, 415, 431, 501} {
		if !seen[status] {
			t.Errorf("no answer was a %d", status)
		}
	}
}
