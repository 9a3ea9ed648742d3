package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Every server may be wrong in any way, so everything is bounded.
const (
	mostRequests = 500
	mostBody     = 8 << 20
	perRequest   = time.Minute
	mostWait     = time.Minute // of what Retry-After may ask for
)

// client sends requests and never fails: what went wrong is part of the answer.
type client struct {
	http     *http.Client
	token    string
	requests int
}

func newClient(transport http.RoundTripper) *client {
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DisableCompression = true // whether a file came compressed is one of the questions
		transport = own
	}
	return &client{http: &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("more than 5 redirects")
		}
		req.Header.Del("Authorization") // it is for one server
		return nil
	}}}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// request is one to send. Headers come in pairs.
type request struct {
	method, url string
	body        []byte
	header      []string
	anonymous   bool
}

func (c *client) open(ctx context.Context, q request) (*http.Response, error) {
	if c.requests++; c.requests > mostRequests {
		return nil, fmt.Errorf("%d requests have been sent; no more are", mostRequests)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(q.method, http.MethodGet), q.url, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if c.token != "" && !q.anonymous {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(q.header); i += 2 {
		req.Header.Set(q.header[i], q.header[i+1])
	}
	return c.http.Do(req)
}

func (c *client) send(ctx context.Context, q request) answer {
	ctx, cancel := context.WithTimeout(ctx, perRequest)
	defer cancel()
	res, err := c.open(ctx, q)
	if err != nil {
		return answer{err: err, header: http.Header{}}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostBody+1))
	if err == nil && len(body) > mostBody {
		err = fmt.Errorf("the body has more than %d bytes", mostBody)
	}
	return answer{res.StatusCode, res.Header, body, err}
}

// String tells of an answer in a few words.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	s := fmt.Sprintf("%d %s", a.status, a.header.Get("Content-Type"))
	if len(a.body) > 0 {
		s += ": " + clip(string(a.body))
	}
	return strings.TrimSpace(s)
}

func clip(s string) string {
	const plenty = 200
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if r := []rune(s); len(r) > plenty {
		return string(r[:plenty]) + "..."
	}
	return s
}

// object returns the body as a JSON object.
func (a answer) object() (map[string]any, error) {
	if a.err != nil {
		return nil, a.err
	}
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil {
		return nil, fmt.Errorf("not a JSON object: %s", a)
	}
	return o, nil
}

func (a answer) isType(want string) bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && kind == want
}

// outcome checks that the answer is an OperationOutcome.
func (a answer) outcome() error {
	o, err := a.object()
	if err != nil {
		return err
	}
	issues, _ := o["issue"].([]any)
	if o["resourceType"] != "OperationOutcome" || len(issues) == 0 {
		return fmt.Errorf("not an OperationOutcome with an issue: %s", a)
	}
	for _, i := range issues {
		issue, _ := i.(map[string]any)
		if _, ok := issue["severity"].(string); !ok {
			return fmt.Errorf("an issue has no severity: %s", a)
		}
		if _, ok := issue["code"].(string); !ok {
			return fmt.Errorf("an issue has no code: %s", a)
		}
	}
	if !a.isType("application/fhir+json") && !a.isType("application/json") {
		return fmt.Errorf("an OperationOutcome as %q", a.header.Get("Content-Type"))
	}
	return nil
}

// refused checks that the answer is 4XX or 5XX with an OperationOutcome.
func (a answer) refused() error {
	if a.err != nil {
		return a.err
	}
	if a.status < 400 {
		return fmt.Errorf("answered %s", a)
	}
	return a.outcome()
}

// retryAfter returns when to come back, and false when that is not said, or in
// no form that is allowed.
func (a answer) retryAfter() (time.Duration, bool) {
	s := strings.TrimSpace(a.header.Get("Retry-After"))
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(n) * time.Second, n >= 0
	}
	at, err := http.ParseTime(s)
	return max(time.Until(at), 0), err == nil
}

// pause waits as asked, within bounds.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(min(max(d, 100*time.Millisecond), mostWait))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
