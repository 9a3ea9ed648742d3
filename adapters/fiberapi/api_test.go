package fiberapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
)

var bases = map[domain.FHIRVersion]string{domain.STU3: "/api/v1/fhir", domain.R4: "/api/v2/fhir"}

func TestKickOff(t *testing.T) {
	for version, base := range bases {
		for path, contract := range map[string]domain.ContractNumber{
			"/Patient/$export": "", "/Patient/%24export": "", "/$export": "", "/%24export": "", "/Patient/$export/": "",
			"/Group/S0000/$export": "S0000", "/Group/S0000/%24export": "S0000",
		} {
			t.Run(base+path, func(t *testing.T) {
				w := newWorld(t)
				var got export.Start
				w.start = func(cmd export.Start) (domain.JobID, error) { got = cmd; return job, nil }
				query := "?_since=2024-02-13T08:00:00.123-05:00&_type=ExplanationOfBenefit"
				r := w.do("GET", base+path+query)
				if r.StatusCode != 202 || len(r.body) != 0 {
					t.Fatalf("%d %q", r.StatusCode, r.body)
				}
				r.guarded(t)
				r.header(t, "Content-Location", public+base+"/Job/"+string(job)+"/$status")
				r.header(t, "Content-Type", "")
				want := export.Start{Client: client, From: netip.MustParseAddr("127.0.0.1"), Contract: contract, Version: version,
					Request: public + base + path + query, Window: domain.Window{Since: got.Window.Since}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				if !got.Window.Since.Equal(time.Date(2024, 2, 13, 13, 0, 0, 123e6, time.UTC)) {
					t.Errorf("_since is %s", got.Window.Since)
				}
			})
		}
	}
}

func TestParameters(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		query string
		want  domain.Window
		words string // what a refusal says; empty when there is none
	}{
		{query: ""},
		{query: "?"},
		{query: "?&&"},
		{query: "?_type=ExplanationOfBenefit"},
		{query: "?_type=ExplanationOfBenefit,ExplanationOfBenefit&_type=ExplanationOfBenefit"},
		{query: "?_outputFormat=application/fhir+ndjson"},
		{query: "?_outputFormat=application%2Ffhir%2Bndjson"},
		{query: "?_outputFormat=application/fhir%20ndjson"},
		{query: "?_outputFormat=application/ndjson"},
		{query: "?_outputFormat=ndjson"},
		{query: "?color=blue&Patient=1"},
		{query: "?_since=2024-02-13T08:00:00Z", want: domain.Window{Since: at("2024-02-13T08:00:00Z")}},
		{query: "?_since=2024-02-13T08:00:00.123456789Z", want: domain.Window{Since: at("2024-02-13T08:00:00.123456789Z")}},
		{query: "?_since=2024-02-13T08:00:00+05:00", want: domain.Window{Since: at("2024-02-13T03:00:00Z")}},
		{query: "?_since=2024-02-13T08:00:00%2B05:00", want: domain.Window{Since: at("2024-02-13T03:00:00Z")}},
		{query: "?_since=2024-02-13T08:00:00%2D05:30", want: domain.Window{Since: at("2024-02-13T13:30:00Z")}},
		{query: "?_since=2024-02-13T08:00:00Z&_until=2025-02-13T08:00:00Z",
			want: domain.Window{Since: at("2024-02-13T08:00:00Z"), Until: at("2025-02-13T08:00:00Z")}},
		{query: "?_type=Patient", words: `The _type "Patient" is not supported.`},
		{query: "?_type=ExplanationOfBenefit,Coverage", words: `The _type "Coverage" is not supported.`},
		{query: "?_type=", words: `The _type "" is not supported.`},
		{query: "?_outputFormat=text/csv", words: `The _outputFormat "text/csv" is not supported.`},
		{query: "?_outputFormat=ndjson&_outputFormat=ndjson", words: "The parameter _outputFormat was given 2 times."},
		{query: "?_since=2024-02-13", words: `The value of _since is not an instant: "2024-02-13".`},
		{query: "?_since=2024-02-13T08:00:00", words: `The value of _since is not an instant: "2024-02-13T08:00:00".`},
		{query: "?_since=2024-02-30T08:00:00Z", words: `The value of _since is not an instant: "2024-02-30T08:00:00Z".`},
		{query: "?_since=yesterday", words: `The value of _since is not an instant: "yesterday".`},
		{query: "?_since", words: `The value of _since is not an instant: "".`},
		{query: "?_since=2024-02-13T08:00:00Z&_since=2024-02-13T08:00:00Z", words: "The parameter _since was given 2 times."},
		{query: "?_until=soon", words: `The value of _until is not an instant: "soon".`},
		{query: "?_typeFilter=x", words: `The _typeFilter "x" has no conditions.`},
		{query: "?_Since=2024-02-13T08:00:00Z", words: `The parameter "_Since" is not supported.`},
		{query: "?_anything", words: `The parameter "_anything" is not supported.`},
		{query: "?patient=Patient/1", words: `The parameter patient is not supported in a query.`},
		{query: "?organizeOutputBy=Group", words: `The output cannot be organized by "Group".`},
		{query: "?organizeOutputBy=Patient&organizeOutputBy=Patient", words: "The parameter organizeOutputBy was given 2 times."},
		{query: "?organizeOutputBy=Patient&_minimumFileSize=1&_maximumFileSize=1048576"},
		{query: "?_maximumFileSize=big", words: `The value of _maximumFileSize is not a number of bytes: "big".`},
		{query: "?_minimumFileSize=0", words: `The value of _minimumFileSize is not a number of bytes: "0".`},
		{query: "?_maximumFileSize=1048575", words: `The value of _maximumFileSize is 1048575, which this server cannot keep to.`},
		{query: "?_minimumFileSize=1073741825", words: `The value of _minimumFileSize is 1073741825, which this server cannot keep to.`},
		{query: "?_minimumFileSize=2000000&_maximumFileSize=1500000", words: "_minimumFileSize is 2000000 and _maximumFileSize is 1500000, which is less."},
		{query: "?includeAssociatedData=LatestProvenanceResources",
			words: "This server exports no Provenance or other data that is associated with claims, so that includeAssociatedData is not supported."},
		{query: "?_since%3D2024-02-13T08:00:00Z", words: `The query has a parameter that is called "_since=2024-02-13T08:00:00Z", since its = was written as %3D.`},
		{query: "?_since=%zz", words: "The query has a % that is not followed by two hexadecimal digits: \"_since=%zz\"."},
	} {
		t.Run(tt.query, func(t *testing.T) {
			w := newWorld(t)
			var got *export.Start
			w.start = func(cmd export.Start) (domain.JobID, error) { got = &cmd; return job, nil }
			r := w.do("GET", "/api/v2/fhir/Patient/$export"+tt.query)
			if tt.words != "" {
				if words, _ := r.refused(t, 400, "invalid"); words != tt.words || got != nil {
					t.Errorf("said %q, want %q; started %v", words, tt.words, got)
				}
				return
			}
			if r.StatusCode != 202 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			if !got.Window.Since.Equal(tt.want.Since) || !got.Window.Until.Equal(tt.want.Until) {
				t.Errorf("window %v, want %v", got.Window, tt.want)
			}
		})
	}
}

func TestAdviceOnParameters(t *testing.T) {
	w := newWorld(t)
	_, next := w.do("GET", "/api/v1/fhir/$export?_since%3D2024-02-13T08:00:00%2B01:00").refused(t, 400, "invalid")
	if next != "Write _since=2024-02-13T08%3A00%3A00%2B01%3A00, with the = as it is." {
		t.Errorf("advised %q", next)
	}
	_, next = w.do("GET", "/api/v1/fhir/$export?_since=2024-02-13").refused(t, 400, "invalid")
	if !strings.Contains(next, "_since=2024-02-13T08:00:00.000-05:00") {
		t.Errorf("advised %q", next)
	}
	text, _ := w.do("GET", "/api/v1/fhir/$export?_type="+strings.Repeat("A", 5000)).refused(t, 400, "invalid")
	if len(text) > 200 {
		t.Errorf("the refusal repeats %d characters", len(text))
	}
}

// Every code of the domain has its answer, wherever it comes from.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
		header map[string]string
	}{
		{domain.Errorf(domain.Invalid, "It is wrong.").WithNext("Do this."), 400, "invalid", nil},
		{domain.Errorf(domain.Unauthenticated, "The token \"has\" expired.").WithNext("Do this."), 401, "login", map[string]string{
			"WWW-Authenticate": `Bearer realm="ab2d", error="invalid_token", error_description="The token has expired."`}},
		{domain.Errorf(domain.Forbidden, "You may not.").WithNext("Do this."), 403, "forbidden", nil},
		{domain.Errorf(domain.BusinessRule, "Nobody may.").WithNext("Do this."), 403, "business-rule", nil},
		{domain.Errorf(domain.NotFound, "There is none.").WithNext("Do this."), 404, "not-found", nil},
		{domain.Errorf(domain.Deleted, "There was one.").WithNext("Do this."), 404, "deleted", nil},
		{domain.Errorf(domain.Expired, "Its time is over.").WithNext("Do this."), 410, "expired", nil},
		{domain.Errorf(domain.Conflict, "Somebody was first.").WithNext("Do this."), 409, "conflict", nil},
		{&domain.Error{Code: domain.Throttled, Message: "Too soon.", Next: "Wait.", RetryAfter: 1500 * time.Millisecond}, 429, "throttled",
			map[string]string{"Retry-After": "2"}},
		{&domain.Error{Code: domain.Throttled, Message: "Too many.", Next: "Wait.", RetryAfter: 30 * time.Second, Running: []domain.JobID{job, "b"}}, 429, "throttled",
			map[string]string{"Retry-After": "30", "Content-Location": public + "/api/v2/fhir/Job/" + string(job) + "/$status, " + public + "/api/v2/fhir/Job/b/$status"}},
		{&domain.Error{Code: domain.Unavailable, Message: "Maintenance.", Next: "Wait.", RetryAfter: 5 * time.Minute}, 503, "transient",
			map[string]string{"Retry-After": "300"}},
		{domain.Errorf(domain.Unavailable, "The disk is full.").WithNext("Wait."), 503, "transient", map[string]string{"Retry-After": "30"}},
		{fmt.Errorf("wrapped: %w", domain.Errorf(domain.NotFound, "There is none.").WithNext("Do this.")), 404, "not-found", nil},
	} {
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) {
			w := newWorld(t)
			w.start = func(export.Start) (domain.JobID, error) { return "", tt.err }
			w.poll = func(domain.Client, domain.JobID) (status.Result, error) { return status.Result{}, tt.err }
			w.cancel = func(domain.JobID) error { return tt.err }
			w.files.put(nil)
			w.files.refuse = tt.err
			var e *domain.Error
			errors.As(tt.err, &e)
			for _, request := range []string{"GET /Patient/$export", "GET /Job/" + string(job) + "/$status", "DELETE /Job/" + string(job) + "/$status",
				"GET /Job/" + string(job) + "/file/" + fileName} {
				method, path, _ := strings.Cut(request, " ")
				r := w.do(method, "/api/v2/fhir"+path)
				if text, next := r.refused(t, tt.status, tt.code); text != e.Message || next != e.Next {
					t.Errorf("%s: says %q and %q", request, text, next)
				}
				for name, want := range tt.header {
					r.header(t, name, want)
				}
			}
		})
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	for name, start := range map[string]func() error{
		"an error without a code": func() error { return errors.New("password=hunter2") },
		"an internal error":       func() error { return domain.Errorf(domain.Internal, "password=hunter2") },
		"an unknown code":         func() error { return domain.Errorf("odd", "password=hunter2") },
		"a panic":                 func() error { panic("password=hunter2") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start = func(export.Start) (domain.JobID, error) { return "", start() }
			r := w.do("GET", "/api/v1/fhir/Patient/$export", "X-Request-Id", "mine-1")
			text, next := r.refused(t, 500, "exception")
			r.header(t, "X-Request-Id", "mine-1")
			if strings.Contains(string(r.body), "hunter2") {
				t.Errorf("shown: %s", r.body)
			}
			quote := strings.TrimSuffix(strings.TrimPrefix(text, "An internal error occurred. Its id is "), ".")
			if len(quote) != 9 || !strings.Contains(next, quote) {
				t.Errorf("no id to quote in %q, %q", text, next)
			}
			if logs := w.logs.String(); !strings.Contains(logs, quote) || !strings.Contains(logs, "hunter2") || !strings.Contains(logs, "mine-1") {
				t.Errorf("logged: %s", logs)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	var got string
	w.authenticate = func(token string, _ netip.Addr) (domain.Client, error) { got = token; return client, nil }
	for _, good := range []string{"Bearer abc", "bearer abc", "BEARER   abc "} {
		if r := w.do("GET", "/api/v1/fhir/$export", "Authorization", good); r.StatusCode != 202 || got != "abc" {
			t.Errorf("%q: %d, token %q", good, r.StatusCode, got)
		}
	}
	got = ""
	for header, challenge := range map[string]string{
		"":        `Bearer realm="ab2d"`,
		"Bearer":  `Bearer realm="ab2d", error="invalid_token", error_description="The Authorization header is not of the form: Bearer <token>."`,
		"Basic x": `Bearer realm="ab2d", error="invalid_token", error_description="The Authorization header is not of the form: Bearer <token>."`,
		"abc":     `Bearer realm="ab2d", error="invalid_token", error_description="The Authorization header is not of the form: Bearer <token>."`,
	} {
		for _, request := range []string{"GET /Patient/$export", "GET /Group/S0000/$export", "GET /$export", "GET /Job/x/$status", "DELETE /Job/x/$status",
			"GET /Job/x/file/" + fileName} {
			method, path, _ := strings.Cut(request, " ")
			r := w.do(method, "/api/v1/fhir"+path, "Authorization", header)
			r.refused(t, 401, "login")
			r.header(t, "WWW-Authenticate", challenge)
		}
	}
	if got != "" {
		t.Errorf("token %q was looked at", got)
	}
	req, _ := http.NewRequest("GET", w.base+"/api/v1/fhir/$export", nil)
	req.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	resp, err := plainTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != 401 {
		t.Errorf("two tokens: %v %v", resp.StatusCode, err)
	}
}

func TestWhereACallerIs(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		header  string
		want    string
	}{
		{"a stranger's header is not believed", nil, "192.0.2.1", "127.0.0.1"},
		{"a proxy's is", loopback, "192.0.2.1", "192.0.2.1"},
		{"what a client wrote before it is not", loopback, "198.51.100.9, 192.0.2.1", "192.0.2.1"},
		{"two proxies", loopback, "198.51.100.9, 192.0.2.1, 10.1.2.3", "192.0.2.1"},
		{"IPv6", loopback, "2001:db8::1", "2001:db8::1"},
		{"nonsense", loopback, "192.0.2.1, unknown", "127.0.0.1"},
		{"none", loopback, "", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *fiberapi.Config) { c.TrustedProxies = tt.trusted })
			var got netip.Addr
			w.authenticate = func(_ string, from netip.Addr) (domain.Client, error) { got = from; return client, nil }
			w.do("GET", "/api/v1/fhir/$export", "X-Forwarded-For", tt.header)
			if got.String() != tt.want {
				t.Errorf("from %s, want %s", got, tt.want)
			}
		})
	}
}

func TestNoSuchRoute(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/api/v1/fhir", "/api/v1/fhir/Patient", "/api/v3/fhir/metadata", "/api/v1/fhir/patient/$export",
		"/api/v1/fhir/Patient/%2524export", "/api/v1/fhir/Job/x", "/api/v1/fhir/Job/" + string(job) + "/file/a/b", "/api/v1/fhir/metadata/x",
		"/api/v1/fhir/Job/x/file/metadata/metadata", "/favicon.ico"} {
		w.do("GET", path, "Authorization", "").refused(t, 404, "not-found")
	}
}

func TestWrongMethod(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/Patient/$export", "GET, POST"},
		{"DELETE", "/Group/S0000/$export", "GET, POST"},
		{"HEAD", "/$export", "GET, POST"},
		{"POST", "/metadata", "GET, HEAD"},
		{"PUT", "/Job/" + string(job) + "/$status", "GET, DELETE"},
		{"DELETE", "/Job/" + string(job) + "/file/" + fileName, "GET, HEAD"},
		{"PATCH", "/metadata", "GET, HEAD"},
		{"OPTIONS", "/metadata", "GET, HEAD"},
	} {
		r := w.do(tt.method, "/api/v1/fhir"+tt.path)
		r.header(t, "Allow", tt.allow)
		if tt.method == "HEAD" {
			if r.StatusCode != 405 {
				t.Errorf("HEAD: %d", r.StatusCode)
			}
			continue
		}
		r.refused(t, 405, "not-supported")
	}
	w.do("BREW", "/api/v1/fhir/metadata").refused(t, 501, "not-supported")
}

func TestTooMuch(t *testing.T) {
	w := newWorld(t)
	ten := 10 << 20
	t.Run("a body", func(t *testing.T) {
		w.send("POST", "/api/v1/fhir/$export", bytes.NewReader(make([]byte, ten))).refused(t, 413, "too-long")
	})
	t.Run("a chunked body", func(t *testing.T) {
		w.send("POST", "/api/v1/fhir/$export", struct{ *bytes.Buffer }{bytes.NewBuffer(make([]byte, ten))}).refused(t, 413, "too-long")
	})
	t.Run("a header", func(t *testing.T) {
		w.do("GET", "/api/v1/fhir/metadata", "X-Large", strings.Repeat("x", ten)).refused(t, 431, "too-long")
	})
	t.Run("a token", func(t *testing.T) {
		w.do("GET", "/api/v1/fhir/$export", "Authorization", "Bearer "+strings.Repeat("x", ten)).refused(t, 431, "too-long")
	})
	t.Run("an address", func(t *testing.T) {
		w.do("GET", "/api/v1/fhir/"+strings.Repeat("x", 64<<10)).refused(t, 431, "too-long")
	})
}

// raw sends bytes as they are and reads one answer.
func (w *world) raw(request string) response {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(request)); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	return response{resp, body.Bytes()}
}

func TestSlowAndBrokenRequests(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.ReadTimeout = 300 * time.Millisecond })
	w.raw("GET /api/v1/fhir/metadata HTTP/1.1\r\nHost: x\r\n").refused(t, 408, "timeout")
	w.raw("POST /api/v1/fhir/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab").refused(t, 408, "timeout")
	w.raw("nonsense\r\n\r\n").refused(t, 400, "structure")
}

func TestDeadline(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) { c.Deadline = time.Nanosecond })
	w.start = func(export.Start) (domain.JobID, error) { return "", fmt.Errorf("query: %w", context.DeadlineExceeded) }
	r := w.do("GET", "/api/v1/fhir/$export")
	r.refused(t, 503, "timeout")
	r.header(t, "Retry-After", "30")
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/fhir/Job/" + string(job) + "/$status"

	t.Run("running", func(t *testing.T) {
		r := w.do("GET", path)
		if r.StatusCode != 202 || len(r.body) != 0 {
			t.Fatalf("%d %q", r.StatusCode, r.body)
		}
		r.guarded(t)
		r.header(t, "X-Progress", "37% complete")
		r.header(t, "Retry-After", "12")
		r.header(t, "Content-Type", "")
	})
	t.Run("failed", func(t *testing.T) {
		w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
			return status.Result{Failure: &domain.Failure{Code: domain.Unavailable, Reason: "The source did not answer.", ID: "ABCD-EFGH"}}, nil
		}
		text, next := w.do("GET", path).refused(t, 500, "exception")
		if text != "The export failed: The source did not answer." || !strings.Contains(next, "ABCD-EFGH") {
			t.Errorf("says %q, %q", text, next)
		}
	})
	t.Run("failed for a rule", func(t *testing.T) {
		w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
			return status.Result{Failure: &domain.Failure{Code: domain.BusinessRule, Reason: "The attestation ended.", ID: "ABCD-EFGH"}}, nil
		}
		if _, next := w.do("GET", path).refused(t, 500, "business-rule"); !strings.Contains(next, "ABCD-EFGH") {
			t.Errorf("says %q", next)
		}
	})
	t.Run("not an id", func(t *testing.T) {
		w.poll = func(domain.Client, domain.JobID) (status.Result, error) { panic("asked") }
		for _, id := range []string{"x", strings.ToUpper(string(job)), string(job) + "0", "..", "%2e%2e", "1", strings.Repeat("a", 3000)} {
			for _, request := range []string{"GET", "DELETE"} {
				w.do(request, "/api/v1/fhir/Job/"+id+"/$status").refused(t, 404, "not-found")
			}
		}
	})
}

func TestManifest(t *testing.T) {
	w := newWorld(t)
	done := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := &domain.Manifest{
		Job: job, Version: domain.R4, TransactionTime: done.Add(-time.Hour), Request: public + "/api/v2/fhir/Patient/$export?_type=a&b",
		Window:  domain.Window{Since: time.Date(2025, 1, 1, 0, 0, 0, 123456789, time.FixedZone("", -5*3600))},
		Through: done.Add(-time.Hour), ExpiresAt: done.Add(24 * time.Hour),
		Output: []domain.OutputFile{{Job: job, Name: fileName, Contract: "S0000", StoredFile: domain.StoredFile{Kind: domain.DataFile, Lines: 7,
			Plain: domain.Content{Bytes: 100, SHA256: "aa"}, Stored: domain.Content{Bytes: 10, SHA256: "bb"}}}},
		Errors: []domain.OutputFile{{Job: job, Name: "S0000_0001_error.ndjson", Contract: "S0000", StoredFile: domain.StoredFile{Kind: domain.ErrorFile, Lines: 1,
			Plain: domain.Content{Bytes: 50, SHA256: "cc"}, Stored: domain.Content{Bytes: 5, SHA256: "dd"}}}},
		Accounts: []domain.Account{{Contract: "S0000", Columns: domain.Columns{Exported: 90, NoClaims: 5, OptedOut: 3, Failed: 2, NoCurrentMBI: 1, FullHistory: 4},
			EnrolledAsOf: time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC)}},
		Skipped: []domain.SkippedContract{{Contract: "S0001", Reason: "Contract S0001 has no active attestation."}},
	}
	w.poll = func(domain.Client, domain.JobID) (status.Result, error) { return status.Result{Manifest: m}, nil }

	// Whichever version it is asked for at, a job's files are those of its own.
	for _, base := range bases {
		r := w.do("GET", base+"/Job/"+string(job)+"/$status")
		if r.StatusCode != 200 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		r.guarded(t)
		r.header(t, "Content-Type", "application/json")
		r.header(t, "Expires", "Tue, 03 Mar 2026 12:00:00 GMT")
		sameJSON(t, r.body, `{
			"transactionTime": "2026-03-02T11:00:00.000Z",
			"request": "https://ab2d.test/api/v2/fhir/Patient/$export?_type=a&b",
			"requiresAccessToken": true,
			"output": [{"type": "ExplanationOfBenefit", "url": "https://ab2d.test/api/v2/fhir/Job/0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a/file/S0000_0001.ndjson",
				"count": 7, "extension": [
				{"url": "https://ab2d.cms.gov/checksum", "valueString": "sha256:aa"},
				{"url": "https://ab2d.cms.gov/file_length", "valueDecimal": 100},
				{"url": "https://ab2d.cms.gov/gzip_checksum", "valueString": "sha256:bb"},
				{"url": "https://ab2d.cms.gov/gzip_file_length", "valueDecimal": 10}]}],
			"deleted": [],
			"error": [{"type": "OperationOutcome", "url": "https://ab2d.test/api/v2/fhir/Job/0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a/file/S0000_0001_error.ndjson",
				"count": 1, "extension": [
				{"url": "https://ab2d.cms.gov/checksum", "valueString": "sha256:cc"},
				{"url": "https://ab2d.cms.gov/file_length", "valueDecimal": 50},
				{"url": "https://ab2d.cms.gov/gzip_checksum", "valueString": "sha256:dd"},
				{"url": "https://ab2d.cms.gov/gzip_file_length", "valueDecimal": 5}]}],
			"extension": {
				"https://ab2d.cms.gov/window": {"_since": "2025-01-01T05:00:00.123456789Z", "_until": "2026-03-02T11:00:00.000Z"},
				"https://ab2d.cms.gov/enrollees": [{"contract": "S0000", "enrollees": 100, "exported": 90, "noClaims": 5, "optedOut": 3, "failed": 2, "noCurrentMbi": 1,
					"enrolledAsOf": "2026-03-02T05:00:00.000Z", "fullHistory": 4}],
				"https://ab2d.cms.gov/skipped_contracts": [{"contract": "S0001", "reason": "Contract S0001 has no active attestation."}]
			}}`)
		if bytes.Contains(r.body, []byte(`\u0026`)) {
			t.Error("the addresses cannot be copied from the manifest")
		}
	}
}

func TestAnEmptyManifestHasAllItsLists(t *testing.T) {
	w := newWorld(t)
	w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
		return status.Result{Manifest: &domain.Manifest{Job: job, Version: domain.STU3}}, nil
	}
	var m map[string]json.RawMessage
	r := w.do("GET", "/api/v1/fhir/Job/"+string(job)+"/$status")
	if err := json.Unmarshal(r.body, &m); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"output", "error", "deleted"} {
		if string(m[list]) != "[]" {
			t.Errorf("%s is %s", list, m[list])
		}
	}
}

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	var got domain.JobID
	w.cancel = func(id domain.JobID) error { got = id; return nil }
	r := w.do("DELETE", "/api/v2/fhir/Job/"+string(job)+"/%24status")
	if r.StatusCode != 202 || len(r.body) != 0 || got != job {
		t.Errorf("%d %q, job %s", r.StatusCode, r.body, got)
	}
	r.guarded(t)
}

// Strings of a request are reused memory unless they are copied.
func TestAValueOutlivesItsRequest(t *testing.T) {
	w := newWorld(t)
	var kept []export.Start
	var tokens []string
	w.start = func(cmd export.Start) (domain.JobID, error) { kept = append(kept, cmd); return job, nil }
	w.authenticate = func(token string, _ netip.Addr) (domain.Client, error) {
		tokens = append(tokens, token)
		return client, nil
	}
	for _, n := range []string{"S1234", "Z9999", "Z9998", "Z9997"} {
		w.do("GET", "/api/v1/fhir/Group/"+n+"/$export?x="+n, "Authorization", "Bearer "+n)
	}
	if kept[0].Contract != "S1234" || tokens[0] != "S1234" || !strings.HasSuffix(kept[0].Request, "/Group/S1234/$export?x=S1234") {
		t.Errorf("kept %q, %q, %q", kept[0].Contract, tokens[0], kept[0].Request)
	}
}

// Whatever stands where a contract's number should, the use case refuses it;
// it only never becomes long.
func TestContractsGoOnAsTheyAre(t *testing.T) {
	w := newWorld(t)
	var got domain.ContractNumber
	w.start = func(cmd export.Start) (domain.JobID, error) { got = cmd.Contract; return job, nil }
	for _, raw := range []string{"none", "s0000", "../x", "S0000 ", strings.Repeat("S", 5000)} {
		got = "?"
		w.do("GET", "/api/v1/fhir/Group/"+url.PathEscape(raw)+"/$export")
		if got == "" || got == "S0000" || len(got) > 16 {
			t.Errorf("%.20q became %q", raw, got)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	w.do("GET", "/api/v1/fhir/metadata", "X-Request-Id", "abc-1").header(t, "X-Request-Id", "abc-1")
	for _, bad := range []string{"a b", strings.Repeat("x", 65), "<script>"} {
		if got := w.do("GET", "/api/v1/fhir/metadata", "X-Request-Id", bad).Header.Get("X-Request-Id"); got == bad || len(got) != 36 {
			t.Errorf("%q is answered with %q", bad, got)
		}
	}
}

// Other adapters put their routes on the same app and render their own errors;
// those of the API stay OperationOutcomes.
func TestOtherRoutesOnTheSameApp(t *testing.T) {
	w := newWorld(t, func(c *fiberapi.Config) {
		c.Elsewhere = func(c *fiber.Ctx, err error) error { return c.Status(418).SendString(err.Error()) }
	})
	if r := w.do("GET", "/console/none"); r.StatusCode != 418 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	w.do("GET", "/api/v1/none").refused(t, 404, "not-found")
	w.raw("nonsense\r\n\r\n")
}

// A connection that only stays open does not hold up a shutdown.
func TestShutdown(t *testing.T) {
	w := newWorld(t)
	w.do("GET", "/api/v1/fhir/metadata")
	start := time.Now()
	if err := w.app.ShutdownWithTimeout(5 * time.Second); err != nil || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestIdempotencyKeys(t *testing.T) {
	w := newWorld(t)
	var got export.Start
	w.start = func(cmd export.Start) (domain.JobID, error) { got = cmd; return job, nil }
	const path = "/api/v2/fhir/Group/S0000/$export"
	kickOff := func(path string, header ...string) export.Start {
		t.Helper()
		got = export.Start{}
		if r := w.do("GET", path, header...); r.StatusCode != 202 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return got
	}
	for header, want := range map[string]string{"": "", "8e03978e-40d5-43dd-bc93-6894a57f9324": "8e03978e-40d5-43dd-bc93-6894a57f9324", `"k-1"`: "k-1",
		" k ": "k", strings.Repeat("k", 255): strings.Repeat("k", 255)} {
		if got := kickOff(path, "Idempotency-Key", header); got.Key != want {
			t.Errorf("%q is the key %q", header, got.Key)
		}
	}
	for _, header := range []string{`""`, `"`, "a b", "a\"b", `a\b`, strings.Repeat("k", 256), "ä"} {
		w.do("GET", path, "Idempotency-Key", header).refused(t, 400, "invalid")
	}
	w.raw("GET "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n").refused(t, 400, "invalid")

	same := kickOff(path+"?_since=2024-01-01T00:00:00Z", "Idempotency-Key", "k").Digest
	if again := kickOff(path+"?_since=2024-01-01T00:00:00Z", "Idempotency-Key", "other", "X-Request-Id", "7").Digest; again != same || same == "" {
		t.Error("the same request has another digest")
	}
	for _, other := range []export.Start{
		kickOff(path, "Idempotency-Key", "k"),
		kickOff(path+"?_since=2024-01-01T00:00:01Z", "Idempotency-Key", "k"),
		kickOff("/api/v1/fhir/Group/S0000/$export?_since=2024-01-01T00:00:00Z", "Idempotency-Key", "k"),
		kickOff("/api/v2/fhir/Patient/$export?_since=2024-01-01T00:00:00Z", "Idempotency-Key", "k"),
		kickOff(path+"?_since=2024-01-01T00:00:00Z", "Idempotency-Key", "k", "Prefer", "handling=lenient"),
	} {
		if other.Digest == same || other.Digest == "" {
			t.Errorf("another request has the same digest: %+v", other)
		}
	}

	w.start = func(export.Start) (domain.JobID, error) {
		return "", domain.Errorf(domain.Reused, "This Idempotency-Key came with another request before.").WithNext("x")
	}
	w.do("GET", path, "Idempotency-Key", "k").refused(t, 422, "conflict")
}

// What a token is not for it does not do, whoever it is of.
func TestATokenIsForWhatItSays(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		scopes string
		path   string
		status int
	}{
		{"system/*.read", "/api/v2/fhir/Patient/$export", 202},
		{"system/ExplanationOfBenefit.rs", "/api/v1/fhir/Group/S0000/$export", 202},
		{"system/Patient.rs system/Group.read", "/api/v2/fhir/Patient/$export", 403},
		{"system/Patient.rs", "/api/v2/fhir/Job/" + string(job) + "/$status", 403},
		{"system/Group.rs", "/api/v2/fhir/Job/" + string(job) + "/file/" + fileName, 403},
		{"system/ExplanationOfBenefit.rs", "/api/v2/fhir/Group", 403},
		{"", "/api/v2/fhir/$export", 403},
	} {
		w.scopes = strings.Fields(tt.scopes)
		req, err := http.NewRequest(http.MethodGet, w.base+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		challenge := resp.Header.Get("WWW-Authenticate")
		if resp.StatusCode != tt.status || (tt.status == 403) != strings.Contains(challenge, "insufficient_scope") {
			t.Errorf("%q at %s: %s, %q, want %d", tt.scopes, tt.path, resp.Status, challenge, tt.status)
		}
	}
}

// A page of a manifest while the export runs: the headers of a running export,
// and a body that links to what follows.
func TestPartialManifests(t *testing.T) {
	w := newWorld(t)
	var got export.Start
	w.start = func(cmd export.Start) (domain.JobID, error) { got = cmd; return job, nil }
	for query, want := range map[string]bool{"": false, "?allowPartialManifests=true": true, "?allowPartialManifests=false": false} {
		if r := w.do("GET", "/api/v2/fhir/$export"+query); r.StatusCode != 202 || got.Partials != want {
			t.Errorf("%s: %d, %t", query, r.StatusCode, got.Partials)
		}
	}
	w.do("GET", "/api/v2/fhir/$export?allowPartialManifests=yes").refused(t, 400, "invalid")

	w.poll = func(domain.Client, domain.JobID) (status.Result, error) {
		file := domain.OutputFile{Job: job, Name: fileName, Contract: "S0000", StoredFile: domain.StoredFile{Kind: domain.DataFile, Lines: 3}}
		return status.Result{Running: true, Percent: 37, RetryAfter: 12 * time.Second, Manifest: &domain.Manifest{Job: job, Version: domain.R4,
			TransactionTime: noon, Output: []domain.OutputFile{file}, Page: 2, More: true}}, nil
	}
	for _, page := range []string{"", "?_page=1", "?_page=2"} {
		r := w.do("GET", "/api/v2/fhir/Job/"+string(job)+"/$status"+page)
		r.guarded(t)
		r.header(t, "Content-Type", "application/json")
		r.header(t, "X-Progress", "37% complete")
		r.header(t, "Retry-After", "12")
		r.header(t, "Expires", "")
		var m struct {
			Output    []struct{ URL string }
			Error     []any
			Link      []struct{ Relation, URL string }
			Extension map[string]json.RawMessage
		}
		if err := json.Unmarshal(r.body, &m); err != nil || r.StatusCode != 202 || len(m.Output) != 1 || m.Error == nil {
			t.Fatalf("%d %s %v", r.StatusCode, r.body, err)
		}
		if len(m.Link) != 1 || m.Link[0].Relation != "next" || m.Link[0].URL != public+"/api/v2/fhir/Job/"+string(job)+"/$status?_page=3" {
			t.Errorf("link %+v", m.Link)
		}
		if _, told := m.Extension["https://ab2d.cms.gov/enrollees"]; told || !strings.Contains(string(m.Extension["https://ab2d.cms.gov/partial_manifest"]), "withdrawn") {
			t.Errorf("%s", r.body)
		}
	}
	for _, page := range []string{"0", "-1", "x", "1.5"} {
		w.do("GET", "/api/v2/fhir/Job/"+string(job)+"/$status?_page="+page).refused(t, 400, "invalid")
	}
}
