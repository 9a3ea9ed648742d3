package jwks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
)

// ErrUnknownKey says that the set has no key of that name.
var ErrUnknownKey = errors.New("the set has no such key")

// RemoteSettings say how a set at an address is kept.
type RemoteSettings struct {
	URL     string           // of the set
	Issuer  string           // instead of URL: whose discovery document says where the set is
	Keep    time.Duration    // how long a set counts that says nothing of that itself; 5 min if zero
	Longest time.Duration    // how long one counts at most; an hour if zero
	Outlive time.Duration    // how much longer it counts while no newer one can be had; 0 is not at all
	Pace    time.Duration    // least time between two fetches; 1 s if zero
	Timeout time.Duration    // of a fetch; 5 s if zero
	Client  *http.Client     // http.DefaultTransport without redirects if nil
	Now     func() time.Time // the clock that sets get old by; time.Now if nil
}

// Remote is a set of keys at an address. It is fetched by one request for all
// who want it, not more often than its pace, be it because it got old or
// because somebody names a key that is not in it.
type Remote struct {
	s RemoteSettings

	mu      sync.Mutex
	url     string // of the set, once it is known
	keys    []Key
	until   time.Time // when a newer one is to be had
	tried   time.Time // when it was last fetched or tried to
	failed  error     // why not, the last time
	pending chan struct{}
	waiting int // for the next fetch, with a key that is not known
}

// patient is how many may wait for the next fetch. Who names keys that do not
// exist is not to hold up others by that.
const patient = 32

// NewRemote returns the set, which is not fetched yet.
func NewRemote(s RemoteSettings) *Remote {
	s.Keep = cmp.Or(s.Keep, 5*time.Minute)
	s.Longest = cmp.Or(s.Longest, time.Hour)
	s.Pace = cmp.Or(s.Pace, time.Second)
	s.Timeout = cmp.Or(s.Timeout, 5*time.Second)
	if s.Client == nil {
		// An address that was registered is not to lead elsewhere.
		s.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Remote{s: s, url: s.URL}
}

// Find returns the one key of that name that fits the algorithm. It returns
// ErrUnknownKey when there is none, also after the set was fetched again, and an
// unavailable error when no set in force can be had.
func (r *Remote) Find(ctx context.Context, id, algorithm string) (Key, error) {
	for fetched := false; ; fetched = true {
		r.mu.Lock()
		now := r.s.Now()
		inForce := !r.until.IsZero() && now.Before(r.until)
		usable := inForce || !r.until.IsZero() && now.Before(r.until.Add(r.s.Outlive))
		key, found := find(r.keys, id, algorithm)
		failed := r.failed
		r.mu.Unlock()
		switch {
		case usable && found:
			if !inForce {
				r.fetch() // for those who come later
			}
			return key, nil
		case !fetched:
			if err := r.next(ctx, usable); err != nil {
				return Key{}, err
			}
		case usable:
			return Key{}, ErrUnknownKey
		default:
			e := domain.Errorf(domain.Unavailable, "The keys that signatures are verified with cannot be had.").
				WithNext("Send the request again once Retry-After is over.").Because(failed)
			e.RetryAfter = max(r.s.Pace, retry)
			return Key{}, e
		}
	}
}

// retry is when whoever is told that there are no keys may come back.
const retry = 5 * time.Second

// next waits until the set was fetched. Where it is too soon for that it only
// waits for a set that is usable already, for a key that may be new in it.
func (r *Remote) next(ctx context.Context, usable bool) error {
	for again := false; ; again = true {
		pending, wait := r.fetch()
		if pending != nil {
			select {
			case <-pending:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if again || !usable || !r.queue() {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		r.mu.Lock()
		r.waiting--
		r.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (r *Remote) queue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting >= patient {
		return false
	}
	r.waiting++
	return true
}

func find(keys []Key, id, algorithm string) (found Key, ok bool) {
	for _, k := range keys {
		if k.ID == id && k.Fits(algorithm) {
			if ok {
				return Key{}, false // which of the two would have to be guessed
			}
			found, ok = k, true
		}
	}
	return found, ok
}

// fetch begins to fetch the set, or joins who does. It returns what is closed
// when that is over, and nil when it is too soon to try again, with how long.
func (r *Remote) fetch() (<-chan struct{}, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != nil {
		return r.pending, 0
	}
	now := time.Now() // whatever the clock of tokens says
	if !r.tried.IsZero() && now.Before(r.tried.Add(r.s.Pace)) {
		return nil, r.tried.Add(r.s.Pace).Sub(now)
	}
	r.tried = now
	done := make(chan struct{})
	r.pending = done
	go func() {
		// Not bound to the request that happened to be first.
		ctx, cancel := context.WithTimeout(context.Background(), r.s.Timeout)
		defer cancel()
		keys, url, keep, err := r.get(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed = err; err == nil {
			// One that may not be kept counts for those who waited for it.
			r.keys, r.url, r.until = keys, url, r.s.Now().Add(max(min(keep, r.s.Longest), r.s.Pace))
		} else if r.s.URL == "" {
			r.url = "" // it may have moved
		}
		r.pending = nil
		close(done)
	}()
	return done, 0
}

// Refresh keeps the set fresh until ctx ends, so that nobody waits for it: at
// once, then when four fifths of its time are over, and every pace while it
// cannot be had. told is told when that begins to fail and when it goes on.
func (r *Remote) Refresh(ctx context.Context, told func(error)) {
	var last error
	for {
		if pending, _ := r.fetch(); pending != nil {
			select {
			case <-pending:
			case <-ctx.Done():
				return
			}
		}
		r.mu.Lock()
		failed, left := r.failed, r.until.Sub(r.s.Now())
		r.mu.Unlock()
		if (failed == nil) != (last == nil) {
			told(failed)
		}
		last = failed
		wait := max(left*4/5, r.s.Pace)
		if failed != nil {
			wait = r.s.Pace
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// get fetches the set and tells where it was and how long it counts.
func (r *Remote) get(ctx context.Context) (keys []Key, at string, keep time.Duration, err error) {
	r.mu.Lock()
	at = r.url
	r.mu.Unlock()
	if at == "" {
		if at, err = r.discover(ctx); err != nil {
			return nil, "", 0, err
		}
	}
	body, header, err := r.read(ctx, at)
	if err != nil {
		return nil, "", 0, err
	}
	keys, err = Parse(body)
	if err != nil {
		return nil, "", 0, fmt.Errorf("%s: %w", at, err)
	}
	return keys, at, r.lifetime(header), nil
}

// discover asks the issuer where its keys are (OpenID Connect Discovery; RFC 8414).
func (r *Remote) discover(ctx context.Context) (string, error) {
	at := strings.TrimRight(r.s.Issuer, "/") + "/.well-known/openid-configuration"
	body, _, err := r.read(ctx, at)
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return "", fmt.Errorf("%s: %w", at, err)
	}
	if document.Issuer != r.s.Issuer {
		return "", fmt.Errorf("%s is of the issuer %.200q", at, document.Issuer)
	}
	if ours, err := url.Parse(r.s.Issuer); err == nil {
		if keys, err := url.Parse(document.Keys); err != nil || keys.Host == "" || ours.Scheme == "https" && keys.Scheme != "https" {
			return "", fmt.Errorf("%s does not say where the keys are", at)
		}
	}
	return document.Keys, nil
}

func (r *Remote) read(ctx context.Context, at string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.s.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answers %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, Limit+1))
	return body, resp.Header, err
}

// lifetime is how long an answer counts (RFC 9111).
func (r *Remote) lifetime(header http.Header) time.Duration {
	for _, directive := range strings.Split(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age, _ := strconv.ParseUint(header.Get("Age"), 10, 31) // none is zero
				return max(0, time.Duration(seconds)*time.Second-time.Duration(age)*time.Second)
			}
		}
	}
	return r.s.Keep
}
