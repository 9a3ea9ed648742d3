package bfd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Source is the claims of BFD. It is safe for concurrent use.
type Source struct {
	client  *client
	gate    *gate
	base    *url.URL
	buffers sync.Pool // of *buffers
	seen    floor
}

var _ ports.Claims = (*Source)(nil)

// DefaultProbe is the id of a synthetic beneficiary whom all of BFD's environments
// have (synthetic ids are negative); that BFD has nobody of that id is an answer too.
const DefaultProbe domain.PatientID = "-20140000000001"

// New returns the source of a server. It fails when the certificates cannot be
// read; whether the server answers is not tried.
func New(s Settings) (*Source, error) {
	s.Timeout, s.Renew = cmp.Or(s.Timeout, 30*time.Second), cmp.Or(s.Renew, 2*time.Minute)
	s.Connections, s.MaxClaim = cmp.Or(s.Connections, 100), cmp.Or(s.MaxClaim, 64<<20)
	s.Probe = cmp.Or(s.Probe, DefaultProbe)
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	base, err := url.Parse(s.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is no http or https address of BFD", s.URL)
	}
	c, err := newClient(s)
	if err != nil {
		return nil, err
	}
	src := &Source{client: c, base: base}
	src.gate = newGate(s.Connections, src.answers)
	src.gate.tell = s.Took
	if s.Fixed > 0 {
		src.gate.pace.fixed = true
		src.gate.bound(s.Fixed)
	}
	src.buffers.New = func() any { return &buffers{page: page{max: s.MaxClaim}} }
	return src, nil
}

// Bound sets how many calls this process may make at once: its share of what
// all may make.
func (s *Source) Bound(calls int) { s.gate.bound(min(calls, s.client.settings.Connections)) }

// Stats returns what was asked so far, and how many calls there may be at once.
func (s *Source) Stats() Stats { return s.gate.now() }

// buffers are what a call needs, and outlive it.
type buffers struct {
	page page
	z    *gzip.Reader // made when first needed
}

// headers identify on whose behalf we ask, as AB2D does.
func headers(contract domain.ContractNumber, job domain.JobID) http.Header {
	h := http.Header{"Accept": {"application/fhir+json"}, "Accept-Encoding": {"gzip"}, "User-Agent": {"AB2D"}}
	if contract != "" {
		h["Bulk-Clientid"] = []string{string(contract)}
	}
	if job != "" {
		h["Bulk-Jobid"] = []string{string(job)}
	}
	return h
}

// sharedTypes are the seven types of Part A and B claims; Part D events are not
// even asked for.
const sharedTypes = "carrier,dme,hha,hospice,inpatient,outpatient,snf"

// search is a question about one person, over all its pages.
type search struct {
	version domain.FHIRVersion
	kind    domain.ResourceType
	patient domain.PatientID
}

// about is the parameter that names the person.
func (q search) about() string {
	switch q.kind {
	case domain.Patient:
		return "_id"
	case domain.Coverage:
		return "beneficiary"
	}
	return "patient"
}

func (s *Source) resource(q search) *url.URL {
	if q.version == domain.STU3 {
		return s.base.JoinPath("v1/fhir", string(q.kind))
	}
	return s.base.JoinPath("v2/fhir", string(q.kind))
}

// instant is a time as BFD keeps them: to the millisecond, in UTC.
const instant = "2006-01-02T15:04:05.000Z"

// address asks for a person's claims. A bound is never closer than it was given:
// times between two milliseconds go outward.
func (s *Source) address(q *ports.ClaimsQuery) string {
	v := url.Values{"patient": {string(q.Patient)}, "type": {sharedTypes}, "excludeSAMHSA": {"true"}}
	if !q.UpdatedFrom.IsZero() {
		v.Add("_lastUpdated", "ge"+q.UpdatedFrom.UTC().Truncate(time.Millisecond).Format(instant))
	}
	if !q.UpdatedThrough.IsZero() {
		v.Add("_lastUpdated", "le"+q.UpdatedThrough.Add(time.Millisecond-1).UTC().Truncate(time.Millisecond).Format(instant))
	}
	if !q.ServedFrom.IsZero() {
		v.Add("service-date", "ge"+q.ServedFrom.String())
	}
	if n := s.client.settings.PageClaims; n > 0 {
		v.Add("_count", strconv.Itoa(n))
	}
	u := s.resource(claimsOf(q))
	u.RawQuery = v.Encode()
	return u.String()
}

func claimsOf(q *ports.ClaimsQuery) search {
	return search{q.Version, domain.ExplanationOfBenefit, q.Patient}
}

// follow makes an address of ours out of a page's link: only what is asked is
// taken from it. Servers behind others do not always know their own address, and
// nobody but the one whom we were told to ask gets our certificate.
func (s *Source) follow(q search, link string) (string, error) {
	l, err := url.Parse(link)
	if err != nil || path.Base(l.Path) != string(q.kind) || l.RawQuery == "" {
		return "", bad("its next page is nowhere")
	}
	if p := strings.TrimPrefix(l.Query().Get(q.about()), "Patient/"); p != string(q.patient) {
		return "", bad("its next page is about somebody else")
	}
	u := s.resource(q)
	u.RawQuery = l.RawQuery
	return u.String(), nil
}

// CompleteThrough asks BFD about nobody real and returns the time of its last
// load as the answering replica knows it. Where another replica answered as of
// before a moment ago, it is that: replicas lag, and what one does not have yet
// must not be vouched for.
func (s *Source) CompleteThrough(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	asOf, err := s.probe(ctx)
	if err != nil {
		return time.Time{}, errorOf(err)
	}
	return s.seen.floor(asOf, time.Now()), nil
}

// probing bounds a question that nobody waits for a patient's claims with.
const probing = 10 * time.Second

// answers reports whether BFD answers.
func (s *Source) answers(ctx context.Context) error {
	_, err := s.probe(ctx)
	return err
}

func (s *Source) probe(ctx context.Context) (asOf time.Time, err error) {
	bounded, cancel := context.WithTimeout(ctx, probing)
	defer cancel()
	u := s.resource(search{version: domain.R4, kind: domain.ExplanationOfBenefit})
	u.RawQuery = url.Values{"patient": {string(s.client.settings.Probe)}, "type": {sharedTypes}, "excludeSAMHSA": {"true"}, "_count": {"1"}}.Encode()
	b := s.buffers.Get().(*buffers)
	defer s.buffers.Put(b)
	c, err := s.client.do(bounded, u.String(), headers("", ""))
	if err == nil {
		defer c.close()
		if err = b.begin(c); err == nil {
			for err == nil {
				_, err = b.page.next()
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return asOf, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return asOf, errSlow
	case err != io.EOF:
		return asOf, err
	}
	return b.page.asOf, nil
}

// begin has the page read from a call.
func (b *buffers) begin(c *call) (err error) {
	body := c.body
	if c.gzip {
		if b.z == nil {
			b.z = new(gzip.Reader)
		}
		if err := b.z.Reset(body); err != nil {
			return err
		}
		body = b.z
	}
	b.page.reset(body)
	return nil
}

// outcomeOf says what a failed call says of the server.
func outcomeOf(err error) outcome {
	if s := (*statusError)(nil); errors.As(err, &s) {
		switch {
		case s.status == http.StatusTooManyRequests || s.status == http.StatusServiceUnavailable:
			return refused
		case s.status >= 500, s.status == http.StatusUnauthorized, s.status == http.StatusForbidden:
			return failed
		}
		return neither
	}
	return failed
}

func afterOf(err error) time.Duration {
	if s := (*statusError)(nil); errors.As(err, &s) {
		return s.after
	}
	return 0
}

// errorOf codes an error by what asking again may bring.
func errorOf(err error) error {
	if e := (*domain.Error)(nil); errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := domain.Errorf(domain.Unavailable, "the claims source did not answer as it should")
	s := (*statusError)(nil)
	switch {
	case errors.As(err, &s) && s.status == http.StatusNotFound:
		e = domain.Errorf(domain.NotFound, "the claims source does not know this person")
	case errors.As(err, &s) && (s.status == http.StatusUnauthorized || s.status == http.StatusForbidden):
		e = domain.Errorf(domain.Unavailable, "the claims source does not accept our certificate")
	case errors.As(err, &s) && s.status >= 400 && s.status < 500 && s.status != http.StatusTooManyRequests && s.status != http.StatusRequestTimeout:
		e = domain.Errorf(domain.Invalid, "The claims source refused the question as wrong (status %d).", s.status)
	case errors.As(err, &s):
		e = domain.Errorf(domain.Unavailable, "the claims source refused (status %d)", s.status)
	case errors.Is(err, errSlow):
		e = domain.Errorf(domain.Unavailable, "the claims source did not answer in time")
	}
	e.RetryAfter = afterOf(err)
	return e.Because(err)
}

// floor is the earliest time as of which answers stood lately.
type floor struct {
	mu            sync.Mutex
	began         time.Time // of the present half
	present, past time.Time // the earliest of each half; zero for none
}

// lately is how long an answer of a replica that lags is remembered, at least.
const lately = 20 * time.Second

func (f *floor) note(asOf, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	if f.present.IsZero() || asOf.Before(f.present) {
		f.present = asOf
	}
}

func (f *floor) turn(now time.Time) {
	switch age := now.Sub(f.began); {
	case age > 2*lately:
		f.past, f.present, f.began = time.Time{}, time.Time{}, now
	case age > lately:
		f.past, f.present, f.began = f.present, time.Time{}, now
	}
}

func (f *floor) floor(asOf, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	for _, t := range []time.Time{f.present, f.past} {
		if !t.IsZero() && t.Before(asOf) {
			asOf = t
		}
	}
	return asOf
}
