package conformance

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// export follows one export to its end, and looks at what it made.
func (r *run) export(ctx context.Context) {
	query := ""
	if r.kind != "" {
		query = "_type=" + r.kind
	}
	asked := r.kickOffURL(query)
	a := r.kickOff(ctx, request{url: asked})
	if err := startedBy(a); err != nil {
		r.fail("K1", "%v", err)
		return
	}
	job := a.header.Get("Content-Location")
	if r.client.token != "" {
		bare := r.client.send(ctx, request{url: job, header: fhir, anonymous: true})
		r.judge("S3", when(bare.status != 400 && bare.status != 401, "status answered %s", bare))
	}
	done, ok := r.follow(ctx, job)
	if !ok {
		return
	}
	m, err := done.object()
	r.judge("P8", errors.Join(when(!done.isType("application/json"), "Content-Type is %q", done.header.Get("Content-Type")), err))
	if expires := done.header.Get("Expires"); expires == "" {
		r.fail("P9", "there is none")
	} else {
		_, err := http.ParseTime(expires)
		r.judge("P9", err)
	}
	if m != nil {
		r.manifest(ctx, m, asked)
	}
	r.delete(ctx, job, "D2")
}

// follow polls until the export has ended.
func (r *run) follow(ctx context.Context, job string) (answer, bool) {
	ctx, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	quick := 3 // polls in a row at first, to see whether the server minds
	for {
		s := r.client.send(ctx, request{url: job, header: fhir})
		running := s.status == http.StatusAccepted || s.status == http.StatusOK && strings.HasPrefix(s.header.Get("X-Export-Status"), "202")
		switch {
		case running:
			r.pass("P1", "")
			r.inProgress(s)
		case s.status == http.StatusTooManyRequests:
			_, ok := s.retryAfter()
			r.judge("P4", when(!ok, "Retry-After is %q", s.header.Get("Retry-After")))
			quick = 0
		case s.status == http.StatusOK:
			r.skip("P1", "it was complete at the first poll")
			r.skip("P4", "it was complete, or the server does not mind %d polls in a row", 3)
			return s, true
		case s.status == http.StatusServiceUnavailable || s.status == http.StatusBadGateway || s.status == http.StatusGatewayTimeout:
		default:
			r.fail("P8", "the status answered %s", s)
			return s, false
		}
		if quick--; quick > 0 {
			continue
		}
		wait, ok := s.retryAfter()
		if !ok {
			wait = 2 * time.Second
		}
		if pause(ctx, wait) != nil {
			r.fail("P8", "it was not complete after %s", r.Wait)
			return s, false
		}
	}
}

func (r *run) inProgress(s answer) {
	if p := s.header.Get("X-Progress"); p == "" {
		r.skip("P2", "there is none")
	} else {
		r.judge("P2", when(len(p) >= 100, "it has %d characters", len(p)))
	}
	if s.header.Get("Retry-After") == "" {
		r.fail("P3", "there is none")
	} else {
		_, ok := s.retryAfter()
		r.judge("P3", when(!ok, "it is %q", s.header.Get("Retry-After")))
	}
}

var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func (r *run) manifest(ctx context.Context, m map[string]any, asked string) {
	text, _ := m["transactionTime"].(string)
	at, err := time.Parse(time.RFC3339, text)
	r.judge("M1", errors.Join(when(err != nil || !instant.MatchString(text), "it is %v", m["transactionTime"]),
		when(err == nil && at.After(time.Now().Add(time.Minute)), "it is %s, which is to come", text)))

	said, _ := m["request"].(string)
	r.judge("M2", when(!sameRequest(said, asked), "it is %v, the request was %s", m["request"], asked))
	guarded, ok := m["requiresAccessToken"].(bool)
	r.judge("M3", when(!ok, "it is %v", m["requiresAccessToken"]))

	output, ok := m["output"].([]any)
	r.judge("M4", when(!ok, "output is %v", m["output"]))
	faults, ok := m["error"].([]any)
	r.judge("M6", when(!ok, "error is %v", m["error"]))
	if deleted, given := m["deleted"]; given {
		_, ok := deleted.([]any)
		r.judge("M7", when(!ok, "deleted is %v", deleted))
	} else {
		r.skip("M7", "it is not given")
	}
	seen := map[string]bool{}
	for _, item := range output {
		if f, ok := r.item("M4", item); ok {
			if r.kind != "" {
				r.judge("O4", when(f.kind != r.kind, "a file of %s is there", f.kind))
			}
			r.file(ctx, f, guarded, at, seen)
		}
	}
	for _, item := range faults {
		if f, ok := r.item("M6", item); ok {
			r.judge("M6", when(f.kind != "OperationOutcome", "a file of %s is there", f.kind))
		}
	}
	if len(output) == 0 {
		for _, id := range []string{"O4", "F1", "F2", "F4", "F5", "F6", "M5", "M8"} {
			r.skip(id, "the export made no file")
		}
	}
}

// sameRequest compares two addresses apart from how they are escaped.
func sameRequest(said, asked string) bool {
	a, err1 := url.Parse(said)
	b, err2 := url.Parse(asked)
	return err1 == nil && err2 == nil && a.Path == b.Path && a.Host == b.Host && a.Query().Encode() == b.Query().Encode()
}

// file is one of a manifest.
type file struct {
	kind, url string
	count     int
	counted   bool
}

func (r *run) item(id string, v any) (f file, ok bool) {
	o, _ := v.(map[string]any)
	f.kind, _ = o["type"].(string)
	f.url, _ = o["url"].(string)
	if f.kind == "" || !absolute(f.url) {
		r.fail(id, "a file is %v", v)
		return f, false
	}
	n, counted := o["count"].(float64)
	f.count, f.counted = int(n), counted
	return f, true
}

// Files are looked at up to so many bytes and lines.
const (
	mostPlain = 256 << 20
	mostLine  = 10 << 20
	sample    = 64 << 10
)

func (r *run) file(ctx context.Context, f file, guarded bool, at time.Time, seen map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	switch {
	case !guarded:
		r.skip("F2", "requiresAccessToken is false")
	case r.client.token == "":
		r.skip("F2", "there is no token to leave out")
	default:
		bare := r.client.send(ctx, request{url: f.url, anonymous: true, header: []string{"Range", "bytes=0-0"}})
		r.judge("F2", when(bare.status != 400 && bare.status != 401, "answered %d", bare.status))
	}
	// A broken transfer first: a server may give a file away once only.
	r.read(ctx, f, "identity", guarded, func(res *http.Response) error {
		if e := res.Header.Get("Content-Encoding"); e != "" && e != "identity" {
			return fmt.Errorf("it comes in %q where the plain form was asked for", e)
		}
		_, err := io.CopyN(io.Discard, res.Body, sample)
		return when(err != nil && !errors.Is(err, io.EOF), "%v", err)
	})
	r.read(ctx, f, "gzip", guarded, func(res *http.Response) error {
		body := io.Reader(res.Body)
		switch e := res.Header.Get("Content-Encoding"); e {
		case "", "identity":
		case "gzip":
			z, err := gzip.NewReader(body)
			if err != nil {
				return fmt.Errorf("it is not gzip: %w", err)
			}
			body = z
		default:
			return fmt.Errorf("it comes in %q where gzip was offered", e)
		}
		return r.lines(io.LimitReader(body, mostPlain), f, at, seen)
	})
}

// read fetches a file in a coding. What is wrong with the coding is of F4.
func (r *run) read(ctx context.Context, f file, coding string, guarded bool, look func(*http.Response) error) {
	res, err := r.client.open(ctx, request{url: f.url, header: []string{"Accept-Encoding", coding, "Accept", "application/fhir+ndjson"}, anonymous: !guarded})
	if err != nil {
		r.fail("F1", "%v", err)
		return
	}
	defer res.Body.Close()
	kind := answer{header: res.Header}
	r.judge("F1", when(res.StatusCode != http.StatusOK || !kind.isType("application/fhir+ndjson"), "answered %d %q", res.StatusCode, res.Header.Get("Content-Type")))
	if res.StatusCode == http.StatusOK {
		r.judge("F4", look(res))
	}
}

// resource is what is looked at of a line.
type resource struct {
	ResourceType string
	ID           string
	Meta         struct{ LastUpdated time.Time }
}

// lines looks at every line of a file. It returns an error where the transfer
// or its coding breaks.
func (r *run) lines(body io.Reader, f file, at time.Time, seen map[string]bool) error {
	limited, _ := body.(*io.LimitedReader)
	in := bufio.NewScanner(body)
	in.Buffer(nil, mostLine)
	n := 0
	for in.Scan() {
		if len(strings.TrimSpace(in.Text())) == 0 {
			continue
		}
		n++
		var got resource
		if err := json.Unmarshal(in.Bytes(), &got); err != nil || got.ResourceType == "" {
			r.fail("F5", "line %d of %s is no resource: %s", n, f.url, clip(in.Text()))
			continue
		}
		r.judge("F6", when(got.ResourceType != f.kind, "line %d of a file of %s is a %s", n, f.kind, got.ResourceType))
		name := got.ResourceType + "/" + got.ID
		r.judge("F5", errors.Join(when(got.ID == "", "line %d has no id", n), when(seen[name], "%s is there twice", name)))
		seen[name] = true
		if !at.IsZero() && !got.Meta.LastUpdated.IsZero() {
			r.judge("M8", when(got.Meta.LastUpdated.After(at), "%s was updated at %s", name, got.Meta.LastUpdated.Format(time.RFC3339Nano)))
		}
	}
	switch {
	case limited.N <= 0:
		r.skip("M5", "a file is so large that it was not read to its end")
		return nil
	case in.Err() != nil:
		return in.Err()
	case !f.counted:
		r.skip("M5", "it is not given")
	default:
		r.judge("M5", when(n != f.count, "%d lines, and count is %d", n, f.count))
	}
	return nil
}
