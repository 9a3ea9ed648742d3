package bfd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
)

// Settings say where BFD is and how it is asked.
type Settings struct {
	URL string // base, as https://prod.bfd.cms.gov; /v1/fhir and /v2/fhir are below it
	Credentials

	PageClaims  int              // claims of a page, 0 for all of a person's in one answer
	Connections int              // calls at once by this process, at most
	Fixed       int              // calls at once, always so many: no adapting; for measuring
	Timeout     time.Duration    // from a call to the first byte of its answer, and for each megabyte after it
	Renew       time.Duration    // how long connections are used before new ones take their place, so that a change of address is noticed; 0 for 2 minutes
	Probe       domain.PatientID // who is asked about to learn whether BFD answers, and how far it is complete: nobody real
	MaxClaim    int              // bytes of the longest claim; 0 for 64 MB
	Log         *slog.Logger

	Took func(o domain.CallOutcome, latency time.Duration) // told of every call that says something of the server; nil for nobody
}

// client makes calls.
type client struct {
	settings Settings
	dial     func(ctx context.Context, network, address string) (net.Conn, error)

	mu        sync.Mutex
	transport *http.Transport
	since     time.Time // when the transport was made
	looked    time.Time // when the files of the credentials were last looked at
	loaded    loaded
	told      time.Time // when somebody was last told of a certificate that ends
}

const (
	lookEvery   = time.Second
	dialTimeout = 5 * time.Second
	perMegabyte = 1 << 20
)

func newClient(s Settings) (*client, error) {
	c := &client{settings: s, dial: (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext}
	var err error
	if c.loaded, err = s.load(); err != nil {
		return nil, fmt.Errorf("the certificates for BFD: %w", err)
	}
	c.renew(time.Now())
	return c, nil
}

// renew has later calls make connections of their own. Those at work end on the
// old ones.
func (c *client) renew(now time.Time) {
	old := c.transport
	c.transport = &http.Transport{
		DialContext:         c.dial,
		TLSClientConfig:     c.loaded.config.Clone(),
		TLSHandshakeTimeout: 2 * dialTimeout,
		MaxIdleConnsPerHost: max(c.settings.Connections, c.settings.Fixed),
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true, // the reader inflates, in its own time
		ReadBufferSize:      16 << 10,
	}
	c.since = now
	if old != nil {
		old.CloseIdleConnections()
	}
}

// current returns the transport for a new call, with the credentials as they
// are on disk now.
func (c *client) current(ctx context.Context) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.reload(ctx, now)
	}
	if now.Sub(c.since) >= c.settings.Renew {
		c.renew(now)
	}
	return c.transport
}

// reload takes up credentials that changed. Files that are being written are
// not whole yet; then the old ones go on until the next look.
func (c *client) reload(ctx context.Context, now time.Time) {
	log := c.settings.Log
	if stamps, err := c.settings.stamps(); err == nil && slices.Equal(stamps, c.loaded.stamps) {
		c.warn(ctx, now)
		return
	}
	fresh, err := c.settings.load()
	if err != nil {
		log.WarnContext(ctx, "the new certificates for BFD cannot be read; the old ones stay in use", "error", err)
		return
	}
	c.loaded = fresh
	log.InfoContext(ctx, "new certificates for BFD are in use", "end", fresh.ends)
	c.renew(now)
}

func (c *client) warn(ctx context.Context, now time.Time) {
	if end := c.loaded.ends; !end.IsZero() && end.Sub(now) < expiring && now.Sub(c.told) > time.Hour {
		c.told = now
		c.settings.Log.WarnContext(ctx, "our certificate for BFD ends soon; put a new one in its place, nothing needs a restart", "end", end)
	}
}

// call is a request that is being answered.
type call struct {
	body    io.Reader // as it came, perhaps as gzip
	gzip    bool
	latency time.Duration // from the request on the wire to the first byte of its answer
	res     *http.Response
	watch   *watch
}

func (c *call) close() {
	c.watch.stop()
	_ = c.res.Body.Close() // nothing more is wanted of it
}

// do makes a call. The answer has status 200; anything else is an error, coded
// by what asking again may bring.
func (c *client) do(ctx context.Context, address string, headers http.Header) (*call, error) {
	w := newWatch(ctx, c.settings.Timeout)
	var wrote, first time.Time
	traced := httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { wrote = time.Now() },
		GotFirstResponseByte: func() { first = time.Now() },
	})
	req, err := http.NewRequestWithContext(traced, http.MethodGet, address, nil)
	if err != nil {
		w.stop()
		return nil, err
	}
	req.Header = headers
	res, err := c.current(ctx).RoundTrip(req)
	if err != nil {
		w.stop()
		return nil, w.fault(err)
	}
	if res.StatusCode != http.StatusOK {
		defer w.stop()
		defer res.Body.Close()
		// Read a little, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
		return nil, refusalOf(res)
	}
	w.begun()
	made := &call{res: res, watch: w, latency: first.Sub(wrote)}
	made.body = &watched{w, res.Body}
	switch res.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		made.gzip = true
	default:
		made.close()
		return nil, bad("it is encoded as we did not ask for")
	}
	return made, nil
}

// watch ends a call that takes too long. The time that we take to deal with
// what came does not count.
type watch struct {
	ctx    context.Context
	caller context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
	left   time.Duration // for the megabyte at hand
	bytes  int
}

// errSlow is why a call was ended.
var errSlow = errors.New("BFD did not answer in time")

func newWatch(caller context.Context, limit time.Duration) *watch {
	w := &watch{caller: caller, limit: limit, left: limit}
	w.ctx, w.cancel = context.WithCancelCause(caller)
	w.timer = time.AfterFunc(limit, func() { w.cancel(errSlow) })
	return w
}

func (w *watch) begun() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// fault tells why a call failed: because it took too long, because nobody wants
// it any more, or by itself.
func (w *watch) fault(err error) error {
	if ended := w.caller.Err(); ended != nil {
		return ended
	}
	if errors.Is(context.Cause(w.ctx), errSlow) {
		return errSlow
	}
	return err
}

type watched struct {
	*watch
	body io.Reader
}

func (w *watched) Read(b []byte) (int, error) {
	begin := time.Now()
	w.timer.Reset(w.left)
	n, err := w.body.Read(b)
	w.timer.Stop()
	if w.left -= time.Since(begin); w.left <= 0 && err == nil {
		err = errSlow
	}
	if w.bytes += n; w.bytes >= perMegabyte {
		w.bytes, w.left = 0, w.limit
	}
	if err != nil && err != io.EOF {
		err = w.fault(err)
	}
	return n, err
}

// statusError is an answer other than 200.
type statusError struct {
	status int
	after  time.Duration
}

func (e *statusError) Error() string { return fmt.Sprintf("BFD answered with status %d", e.status) }

func refusalOf(res *http.Response) error {
	return &statusError{res.StatusCode, retryAfter(res.Header.Get("Retry-After"), time.Now())}
}

// maxRetryAfter bounds what we let ourselves be told.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); zero for none.
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
