package exportclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are how a client reaches a server. The zero value of each but Base
// is a sensible one.
type Settings struct {
	Base       string // of the FHIR API, as https://sandbox.ab2d.cms.gov/api/v2/fhir
	Auth       Auth
	AllowHosts []string          // beside Base's own, hosts that may be sent the token, as files.example.org or files.example.org:8443
	AllowHTTP  bool              // whether secrets may be sent without TLS to another machine
	Transport  http.RoundTripper // must not decompress; nil for one of the client's own
	Parallel   int               // files fetched at once; 0 for 4
	Patience   time.Duration     // how long the server or the network may be away at a time; 0 for 2 hours
	Report     func(Event)       // called from several goroutines, one at a time; nil for nobody

	// Place makes what is wanted of a file that was checked, in its folder, instead
	// of the file itself, and leaves the file to the client. It may be called again
	// for the same file, after a crash.
	Place func(ctx context.Context, ndjson, folder, name string) error

	Wait func(ctx context.Context, d time.Duration) error // for tests; nil to wait
}

// Client fetches exports from a server.
type Client struct {
	Settings
	base   *url.URL
	http   *http.Client
	tokens *tokens
}

const (
	mostRedirects = 5
	mostPause     = 10 * time.Minute // of what Retry-After may ask for: a server that says "tomorrow" is asked before
	headerTimeout = 2 * time.Minute
)

// New returns a client. It sends nothing yet.
func New(s Settings) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(s.Base, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" {
		return nil, fault(Usage, "Give the base of the FHIR API, as https://sandbox.ab2d.cms.gov/api/v2/fhir.", "%q is not the address of a server", s.Base)
	}
	if base.User != nil {
		return nil, fault(Usage, "Give it as the client's secret.", "the address of the server holds a name or password")
	}
	s.Base = base.String()
	if s.Parallel <= 0 {
		s.Parallel = 4
	}
	if s.Patience <= 0 {
		s.Patience = 2 * time.Hour
	}
	if s.Wait == nil {
		s.Wait = wait
	}
	if s.Transport == nil {
		s.Transport = Transport(nil)
	}
	c := &Client{Settings: s, base: base}
	c.http = &http.Client{Transport: s.Transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > mostRedirects {
			return fmt.Errorf("more than %d redirects", mostRedirects)
		}
		if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return errors.New("the server redirects from https to http")
		}
		if !c.trusted(req.URL) {
			req.Header.Del("Authorization") // it is for one server
		}
		return nil
	}}
	c.tokens = &tokens{client: c}
	return c, nil
}

// Transport returns one that suits the client: it leaves compressed bodies as
// they are. A nil configuration is the usual one.
func Transport(config *tls.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxIdleConnsPerHost = 16
	t.DialContext = (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	if config != nil {
		t.TLSClientConfig = config
	}
	return t
}

func (c *Client) say(e Event) {
	if c.Report != nil {
		e.Time = time.Now().UTC()
		c.Report(e)
	}
}

// origin is what a token belongs to.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// trusted reports whether an address may be sent the token: one of the server's
// own, or of a host that was allowed.
func (c *Client) trusted(u *url.URL) bool {
	if origin(u) == origin(c.base) {
		return true
	}
	return slices.ContainsFunc(c.AllowHosts, func(h string) bool {
		return strings.EqualFold(h, u.Host) || strings.EqualFold(h, u.Hostname()) && (u.Port() == "" || u.Port() == "443")
	})
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// secret refuses to send what is secret over a connection that anybody can read.
func (c *Client) secret(u *url.URL) error {
	if u.Scheme == "https" || loopback(u) || c.AllowHTTP {
		return nil
	}
	return fault(Usage, "Use https, or --allow-http if the network between is yours alone.", "%s is without TLS, and credentials would be sent to it", origin(u))
}

// ask is a request to send until it is answered.
type ask struct {
	what   string // in words, as "the kick-off"
	method string
	url    *url.URL
	header http.Header
	body   func() ([]byte, error) // made anew for each try; nil for none
	token  bool                   // whether it is sent with one
}

// call sends a request until an answer comes that is about the request itself:
// while the network or the server is away, or the server asks for patience, it
// waits and asks again. A token that is not accepted is renewed once. The
// caller closes the answer's body.
func (c *Client) call(ctx context.Context, a ask) (*http.Response, error) {
	if a.token && !c.trusted(a.url) {
		return nil, fault(Refused, "If it is the server's too, run it again with --allow-host "+a.url.Host+".",
			"the server refers to %s and wants the token there, which is for %s", origin(a.url), origin(c.base))
	}
	var since time.Time // when it began to be away
	refused := ""
	for try := 0; ; try++ {
		var body io.Reader // nil where there is none, so that it has no length either
		if a.body != nil {
			text, err := a.body()
			if err != nil {
				return nil, err
			}
			body = bytes.NewReader(text)
		}
		req, err := http.NewRequestWithContext(ctx, a.method, a.url.String(), body)
		if err != nil {
			return nil, err
		}
		for name, values := range a.header {
			req.Header[name] = values
		}
		token, aged := "", false
		if a.token {
			if token, aged, err = c.tokens.get(ctx, refused); err != nil {
				return nil, err
			}
			if token != "" {
				if err := c.secret(a.url); err != nil {
					return nil, err
				}
				req.Header.Set("Authorization", "Bearer "+token)
			}
		}
		res, err := c.http.Do(req)
		var pause time.Duration
		var answer told
		switch {
		case ctx.Err() != nil:
			if err == nil {
				res.Body.Close()
			}
			return nil, ctx.Err()
		case err != nil && lasting(err):
			return nil, &Fault{Why: Away, Text: "no connection for " + a.what, Cause: err, Next: "ab2d doctor says more."}
		case err != nil:
			answer = told{text: err.Error()}
		case (res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden && aged) && token != "" && refused == "":
			// AB2D as CMS runs it answers an expired token with 403.
			res.Body.Close()
			refused = token
			continue
		case comeBack(res.StatusCode):
			pause = retryAfter(res.Header)
			locations := res.Header.Get("Content-Location")
			answer = tell(res)
			if locations != "" {
				answer.text += " (running: " + locations + ")"
			}
		default:
			return res, nil
		}
		if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) > c.Patience {
			return nil, fault(Away, "Run the same command again to go on.", "%s got no answer for %s: %s", a.what, c.Patience, answer)
		}
		if pause == 0 {
			pause = backoff(try)
		}
		c.say(Event{Kind: Waiting, Text: fmt.Sprintf("%s waits %s: %s", a.what, pause.Round(100*time.Millisecond), answer), Wait: pause.Seconds(), Status: answer.status})
		if err := c.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// comeBack reports whether a status says nothing about the request but that it
// should be sent again.
func comeBack(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return status >= 520 && status < 530 // what content delivery networks say when they do not reach the server
}

// lasting reports whether a connection fails for a reason that waiting does not
// cure.
func lasting(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate)
}

// retryAfter returns how long a server asks to wait, bounded, and 0 if it does not say.
func retryAfter(h http.Header) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	d := time.Duration(0)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		d = time.Duration(min(n, 1e6) * float64(time.Second))
	} else if at, err := http.ParseTime(s); err == nil {
		d = max(time.Until(at), time.Second)
	} else {
		return 0
	}
	return min(max(d, 200*time.Millisecond), mostPause)
}

// backoff is the wait before the next try where the server says nothing: it
// doubles up to half a minute, and no two clients wait the same.
func backoff(try int) time.Duration {
	d := min(500*time.Millisecond<<min(try, 10), 30*time.Second)
	return d/2 + rand.N(d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
