package bfdmock

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults says how slow a server is and what goes wrong with it. Rates are shares
// from 0 to 1 of the requests. The zero Faults is a server that is quick and
// without fault.
type Faults struct {
	Seed uint64

	Latency Latency // from a request to the first byte of its answer

	// Capacity is how many requests the server bears at once; nobody is told.
	// Above it each takes longer by the square of how far it is above, so that
	// fewer are answered in the same time. Above RefuseAbove times the capacity
	// it answers 429. Zero is for no bound.
	Capacity    int
	RefuseAbove float64

	Error      float64       // answered with 500, 502 or 504
	Throttle   float64       // answered with 429, or 503
	RetryAfter time.Duration // what these say, in whole seconds; nothing when zero
	Slow       float64       // the body comes in pieces over SlowFor
	SlowFor    time.Duration
	Stall      float64 // the body stops in the middle until the client leaves, or for StallFor
	StallFor   time.Duration
	Cut        float64 // the connection is closed in the middle of the body
	Malformed  float64 // the body is no whole JSON, or no Bundle
	Wrong      float64 // one claim is another person's
	Total      float64 // the Bundle's total is not the number of claims
	Stale      float64 // a replica answers that lags, by up to Behind: without what it does not have yet
	Behind     time.Duration
	Poison     float64 // of the people, not of the requests: every request about them is answered with 500

	// EmptyLast has a full last page link to one more, which is empty, as BFD
	// does for R4.
	EmptyLast bool

	Outages []Outage // when connections are closed without an answer
}

// Outage is a time in a server's life.
type Outage struct{ After, For time.Duration }

func (f *Faults) outAt(age time.Duration) bool {
	return slices.ContainsFunc(f.Outages, func(o Outage) bool { return age >= o.After && age < o.After+o.For })
}

// ParseOutages reads outages as 20s+5s, that is 5 seconds from the 20th second
// of the server's life on, with commas between several.
func ParseOutages(s string) (all []Outage, err error) {
	for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) {
		after, length, _ := strings.Cut(one, "+")
		var o Outage
		if o.After, err = time.ParseDuration(after); err == nil {
			o.For, err = time.ParseDuration(length)
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no outage; write 20s+5s for 5 seconds from the 20th on", one)
		}
		all = append(all, o)
	}
	return all, nil
}

// Latency is a distribution of times: one time, any between two with the same
// chance, or a log-normal one, whose median and spread are given.
type Latency struct {
	From, To time.Duration
	Sigma    float64 // of a log-normal distribution with the median From; 0 for none
}

// ParseLatency reads 500ms, 100ms..900ms, or 500ms~0.4: a log-normal
// distribution with that median and the standard deviation of its logarithm.
func ParseLatency(s string) (l Latency, err error) {
	from, to, between := strings.Cut(s, "..")
	median, sigma, spread := strings.Cut(s, "~")
	switch {
	case between:
		if l.From, err = time.ParseDuration(from); err == nil {
			l.To, err = time.ParseDuration(to)
		}
	case spread:
		if l.From, err = time.ParseDuration(median); err == nil {
			l.Sigma, err = strconv.ParseFloat(sigma, 64)
		}
	default:
		l.From, err = time.ParseDuration(s)
	}
	if err != nil || l.From < 0 || between && l.To < l.From || l.Sigma < 0 {
		return Latency{}, fmt.Errorf("%q is no latency; write 500ms, 100ms..900ms, or 500ms~0.4 for a log-normal one", s)
	}
	return l, nil
}

func (l Latency) draw(r *rand.Rand) time.Duration {
	u := r.Float64()
	switch {
	case l.Sigma > 0:
		// The inverse of the error function gives the normal deviate of u, so that
		// a draw takes the same from the generator whatever the distribution.
		return time.Duration(float64(l.From) * math.Exp(l.Sigma*math.Sqrt2*math.Erfinv(2*min(max(u, 1e-9), 1-1e-9)-1)))
	case l.To > l.From:
		return l.From + time.Duration(u*float64(l.To-l.From))
	}
	return l.From
}

// degraded is a latency with n requests at once.
func (f *Faults) degraded(l time.Duration, n int64) time.Duration {
	if f.Capacity == 0 || n <= int64(f.Capacity) {
		return l
	}
	above := float64(n) / float64(f.Capacity)
	return time.Duration(float64(l) * above * above)
}

func (f *Faults) tooMany(n int64) bool {
	return f.Capacity > 0 && f.RefuseAbove > 0 && float64(n) > f.RefuseAbove*float64(f.Capacity)
}

// fate is what becomes of one request.
type fate struct {
	latency                                   time.Duration
	status                                    int // 0 for an answer
	slow, cut, stall, malformed, wrong, total bool
	place                                     float64 // where in the body, or in the list of claims
	lag                                       time.Duration
}

// draw gives a request its fate. Every fate takes the same number of draws, so
// that setting one rate does not change what else goes wrong.
func (s *Server) draw(r *http.Request) (t fate) {
	f := &s.faults
	key, person := keyOf(r)
	s.mu.Lock()
	n := s.asked[key]
	s.asked[key] = n + 1
	s.mu.Unlock()
	rnd := rand.New(rand.NewPCG(f.Seed, hash(key)+n*0x9e3779b97f4a7c15))
	hits := func(rate float64) bool { return rnd.Float64() < rate }
	t.latency = f.Latency.draw(rnd)
	errs := []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout}
	kind, refusal := errs[rnd.IntN(len(errs))], []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[rnd.IntN(2)]
	if hits(f.Error) {
		t.status = kind
	}
	if hits(f.Throttle) {
		t.status = refusal
	}
	t.slow, t.cut, t.stall = hits(f.Slow), hits(f.Cut), hits(f.Stall)
	t.malformed, t.wrong, t.total = hits(f.Malformed), hits(f.Wrong), hits(f.Total)
	lags, far := hits(f.Stale), rnd.Float64()
	if lags {
		t.lag = max(time.Duration(far*float64(f.Behind)), time.Second)
	}
	t.place = rnd.Float64()
	if person != "" && rand.New(rand.NewPCG(f.Seed, hash(person))).Float64() < f.Poison {
		t.status = http.StatusInternalServerError
	}
	return t
}

// keyOf is what a request asks, and about whom. Bounds of time are no part of
// it: they differ from one export to the next.
func keyOf(r *http.Request) (key, person string) {
	q := r.URL.Query()
	person = cmp.Or(patientOf(q), q.Get("_id"), strings.TrimPrefix(q.Get("beneficiary"), "Patient/"))
	return strings.Join([]string{r.URL.Path, person, q.Get("startIndex"), q.Get("cursor"), q.Get(hasContract), q.Get(hasYear)}, "\n"), person
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
