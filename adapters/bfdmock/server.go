package bfdmock

import (
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// World is the people that a server knows.
type World struct {
	// Claims answers for the claims of everybody.
	Claims ports.Claims
	// Enrollees yields who was ever enrolled in a contract, in ascending byte
	// order of their ids.
	Enrollees func(domain.ContractNumber) iter.Seq2[domain.Enrollee, error]
	// Patient appends an enrollee as BFD serves a person.
	Patient func(b []byte, v domain.FHIRVersion, e domain.Enrollee) []byte
	// People answers for what there is about a person beside claims; nil for a
	// server that does not tell.
	People ports.People
	// Encoded, when set, has the whole answer to a question about a person's
	// claims ready: gzip, without paging and bounds. For benchmarks, so that the
	// server costs next to nothing.
	Encoded func(v domain.FHIRVersion, id domain.PatientID) ([]byte, bool)
}

// Server implements http.Handler.
type Server struct {
	world  World
	faults Faults
	now    func() time.Time
	begun  time.Time
	mux    *http.ServeMux
	down   atomic.Bool
	inUse  atomic.Int64
	stats  counters

	mu       sync.Mutex
	asked    map[string]uint64 // how often each question was asked
	enrolled map[domain.ContractNumber][]domain.Enrollee
}

// New returns a server of a world with faults.
func New(w World, f Faults, now func() time.Time) *Server {
	s := &Server{world: w, faults: f, now: now, begun: now(), mux: http.NewServeMux(),
		asked: map[string]uint64{}, enrolled: map[domain.ContractNumber][]domain.Enrollee{}}
	for prefix, v := range map[string]domain.FHIRVersion{"/v1/fhir/": domain.STU3, "/v2/fhir/": domain.R4} {
		s.handle(prefix+"ExplanationOfBenefit", v, s.claims)
		s.handle(prefix+"Patient", v, s.patients)
		s.handle(prefix+"Coverage", v, s.coverage)
		s.handle(prefix+"metadata", v, s.metadata)
	}
	s.mux.HandleFunc("GET /mock/stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Stats()) // who went away needs no answer
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "not-found", "Unknown resource type '"+strings.TrimPrefix(r.URL.Path, "/")+"'")
	})
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// SetDown takes the server down, or up again: meanwhile every connection on
// which something is asked is closed without an answer.
func (s *Server) SetDown(down bool) { s.down.Store(down) }

// handler answers one kind of question, or returns what is wrong with it.
type handler func(q *question) (answer, *refusal)

// question is a request that is being answered.
type question struct {
	*http.Request
	version domain.FHIRVersion
	fate    fate
	asOf    time.Time
}

// answer is a body that goes out whole: plain, or already as gzip.
type answer struct {
	body    []byte
	encoded bool
}

type refusal struct {
	status int
	code   string
	text   string
}

func (s *Server) handle(path string, v domain.FHIRVersion, h handler) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		s.stats.asked.Add(1)
		n := s.inUse.Add(1)
		defer s.inUse.Add(-1)
		s.stats.most(n)
		if s.down.Load() || s.faults.outAt(s.now().Sub(s.begun)) {
			s.stats.unanswered.Add(1)
			panic(http.ErrAbortHandler)
		}
		q := &question{Request: r, version: v, fate: s.draw(r)}
		if strings.HasSuffix(path, "metadata") {
			q.fate = fate{latency: min(q.fate.latency, 10*time.Millisecond)}
		} else if s.faults.tooMany(n) {
			q.fate.status = http.StatusTooManyRequests
			q.fate.latency = 0
		}
		if !s.pause(r, s.faults.degraded(q.fate.latency, n)) {
			return
		}
		if q.fate.status != 0 {
			s.fail(w, q.fate.status)
			return
		}
		var err error
		if q.asOf, err = s.world.Claims.CompleteThrough(r.Context()); err != nil {
			refuse(w, http.StatusInternalServerError, "exception", "the people of the stand-in cannot be read")
			return
		}
		q.asOf = q.asOf.Add(-q.fate.lag).Truncate(time.Millisecond)
		a, no := h(q)
		if no != nil {
			s.stats.rejected.Add(1)
			refuse(w, no.status, no.code, no.text)
			return
		}
		s.send(w, q, a)
	})
}

// pause waits, and reports whether the client is still there.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (s *Server) fail(w http.ResponseWriter, status int) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		s.stats.refused.Add(1)
		if s.faults.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(max(int(s.faults.RetryAfter/time.Second), 1)))
		}
	} else {
		s.stats.failed.Add(1)
	}
	refuse(w, status, "transient", "Failed to call access method: an injected fault")
}

// refuse answers as HAPI does, with an OperationOutcome.
func refuse(w http.ResponseWriter, status int, code, text string) {
	body, err := json.Marshal(map[string]any{"resourceType": "OperationOutcome",
		"issue": []any{map[string]any{"severity": "error", "code": code, "diagnostics": text}}})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	w.Header().Set("Content-Type", "application/fhir+json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who went away needs no answer
}

// counters are of the server's whole life.
type counters struct {
	asked, answered, refused, failed, rejected, unanswered, broken atomic.Int64
	bytes, peak                                                    atomic.Int64
}

func (c *counters) most(n int64) {
	for {
		peak := c.peak.Load()
		if n <= peak || c.peak.CompareAndSwap(peak, n) {
			return
		}
	}
}

// Stats says what a server was asked and answered.
type Stats struct {
	Asked      int64 `json:"asked"`      // requests, of which were
	Answered   int64 `json:"answered"`   // answered whole,
	Refused    int64 `json:"refused"`    // refused with 429 or 503,
	Failed     int64 `json:"failed"`     // failed with another 5xx,
	Rejected   int64 `json:"rejected"`   // rejected with 4xx, since they were wrong,
	Unanswered int64 `json:"unanswered"` // not answered at all, in an outage,
	Broken     int64 `json:"broken"`     // or broken off
	Bytes      int64 `json:"bytes"`      // of bodies, before compression
	Peak       int64 `json:"peak"`       // most requests at once
	InUse      int64 `json:"inUse"`      // requests now
}

// Stats returns what was asked and answered so far.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{c.asked.Load(), c.answered.Load(), c.refused.Load(), c.failed.Load(), c.rejected.Load(), c.unanswered.Load(), c.broken.Load(),
		c.bytes.Load(), c.peak.Load(), s.inUse.Load()}
}
