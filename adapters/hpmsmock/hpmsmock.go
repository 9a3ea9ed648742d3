// Package hpmsmock stands in for HPMS: organizations, the standing of contracts
// and counts of enrollment over its interface, from a list that may change while
// it runs, with failures on demand.
package hpmsmock

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// KeyID and Secret are the key of the sandbox's stand-in. They open nothing else.
const (
	KeyID  = "ab2d-sandbox"
	Secret = "not-a-secret"
)

// Contract is one contract of the list, in the words of HPMS's interface.
type Contract struct {
	ContractID       string `json:"contractId"`
	ContractName     string `json:"contractName"`
	ParentOrgID      int    `json:"parentOrgId"`
	ParentOrgName    string `json:"parentOrgName"`
	OrgMarketingName string `json:"orgMarketingName"`
	Attested         bool   `json:"attested"`
	AttestationDate  string `json:"attestationDate,omitempty"` // 2020-03-01 00:00:00
	EndDate          string `json:"endDate,omitempty"`
	TotalEnrollment  int    `json:"totalEnrollment"`
	MedicareEligible int    `json:"medicareEligible"`
}

// ReadFile reads a list from a JSON file.
func ReadFile(path string) ([]Contract, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []Contract
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// Faults says how slow a server is and what goes wrong with it. Rates are shares
// of the requests, from 0 to 1.
type Faults struct {
	Seed      uint64
	Latency   func(*rand.Rand) time.Duration // nil for none
	Error     float64                        // answered with 500, 502 or 503
	Throttle  float64                        // answered with 429
	Empty     float64                        // answered with an empty list
	Nothing   float64                        // answered with 200 and no body
	Malformed float64                        // the body is no whole JSON
	Cut       float64                        // the connection is closed in the middle of the body
	Short     float64                        // lists of organizations that end in the middle, as if that were all
	Silent    float64                        // contracts about whose standing nothing is said
}

// Server implements http.Handler.
type Server struct {
	list   func() ([]Contract, error)
	keyID  string
	secret func() string
	life   time.Duration
	faults Faults
	mux    *http.ServeMux

	mu     sync.Mutex
	tokens map[string]time.Time
	asked  map[string]uint64
}

// New returns a server of a list, which is asked for at each request. Tokens are
// given for a key and its secret, and live for the time given.
func New(list func() ([]Contract, error), keyID string, secret func() string, life time.Duration, f Faults) *Server {
	s := &Server{list: list, keyID: keyID, secret: secret, life: life, faults: f, mux: http.NewServeMux(), tokens: map[string]time.Time{}, asked: map[string]uint64{}}
	s.mux.HandleFunc("POST /api/idm/OAuth/AMMtoken", s.token)
	s.mux.HandleFunc("GET /api/cda_v2/v2/orgs/info", s.answer(s.organizations))
	s.mux.HandleFunc("GET /api/cda_v2/v2/contracts/status", s.answer(s.standings))
	s.mux.HandleFunc("GET /api/cda_v2/v2/enrollments", s.answer(s.counts))
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Forget ends all tokens before their time.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

const cookie = "HPMSSESSION"

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var ask struct{ UserName, KeyID, KeySecret, Scopes string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&ask); err != nil || ask.UserName == "" || ask.Scopes == "" {
		http.Error(w, "the sign-in cannot be read", http.StatusBadRequest)
		return
	}
	if ask.KeyID != s.keyID || ask.KeySecret != s.secret() {
		http.Error(w, "the key is not known", http.StatusInternalServerError) // as HPMS does
		return
	}
	if d := s.draw(r); !d.pass(w, r) {
		return
	}
	s.mu.Lock()
	token := fmt.Sprintf("token-%d", len(s.tokens)+1)
	s.tokens[token] = time.Now().Add(s.life)
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: token})
	send(w, map[string]any{"accessToken": token, "expires": max(int(s.life/time.Second), 1)})
}

func (s *Server) signedIn(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := r.Header.Get("Authorization")
	c, err := r.Cookie(cookie)
	return err == nil && c.Value == token && r.Header.Get("X-API-CONSUMER-ID") == s.keyID && time.Now().Before(s.tokens[token])
}

func (s *Server) answer(rows func(*rand.Rand, []Contract) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.signedIn(r) {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		d := s.draw(r)
		if !d.pass(w, r) {
			return
		}
		all, err := s.list()
		if err != nil {
			http.Error(w, "the list cannot be read: "+err.Error(), http.StatusInternalServerError)
			return
		}
		if asked := r.URL.Query()["contractId"]; asked != nil {
			all = slices.DeleteFunc(all, func(c Contract) bool { return !slices.Contains(asked, c.ContractID) })
		}
		switch {
		case d.nothing:
			return
		case d.empty:
			all = nil
		}
		body, err := json.Marshal(rows(d.rnd, all))
		if err != nil {
			panic(err) // nothing in it that has no JSON form
		}
		w.Header().Set("Content-Type", "application/json")
		if d.malformed {
			body = body[:len(body)/2]
		}
		if d.cut {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
			_, _ = w.Write(body[:len(body)/2])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body) // who went away needs no answer
	}
}

func (s *Server) organizations(rnd *rand.Rand, all []Contract) any {
	if rnd.Float64() < s.faults.Short {
		all = all[:len(all)/2]
	}
	rows := []map[string]any{}
	for _, c := range all {
		rows = append(rows, map[string]any{"parentOrgName": c.ParentOrgName, "parentOrgId": c.ParentOrgID, "contractId": c.ContractID,
			"contractName": c.ContractName, "orgMarketingName": c.OrgMarketingName})
	}
	return rows
}

func (s *Server) standings(rnd *rand.Rand, all []Contract) any {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	rows := []map[string]any{}
	for _, c := range all {
		if rnd.Float64() < s.faults.Silent {
			continue
		}
		rows = append(rows, map[string]any{"contractId": c.ContractID, "attested": c.Attested, "attestationDate": orNull(c.AttestationDate), "endDate": orNull(c.EndDate)})
	}
	return rows
}

func (s *Server) counts(_ *rand.Rand, all []Contract) any {
	now, rows := time.Now(), []map[string]any{}
	for _, c := range all {
		rows = append(rows, map[string]any{"enrollmentYear": strconv.Itoa(now.Year()), "enrollmentMonth": strconv.Itoa(int(now.Month())), "contractId": c.ContractID,
			"totalEnrollment": strconv.Itoa(c.TotalEnrollment), "medicareEligible": strconv.Itoa(c.MedicareEligible)})
	}
	return rows
}

// fate is what becomes of one request.
type fate struct {
	rnd                            *rand.Rand
	latency                        time.Duration
	status                         int // 0 for an answer
	empty, nothing, malformed, cut bool
}

// draw gives a request its fate, by the seed, what is asked, and how often that
// was asked before.
func (s *Server) draw(r *http.Request) fate {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.URL.String())) // never fails
	s.mu.Lock()
	n := s.asked[r.URL.String()]
	s.asked[r.URL.String()]++
	s.mu.Unlock()
	f := s.faults
	d := fate{rnd: rand.New(rand.NewPCG(f.Seed, h.Sum64()+n*0x9e3779b97f4a7c15))}
	hits := func(rate float64) bool { return d.rnd.Float64() < rate }
	errs := []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable}
	kind := errs[d.rnd.IntN(len(errs))]
	if hits(f.Error) {
		d.status = kind
	}
	if hits(f.Throttle) {
		d.status = http.StatusTooManyRequests
	}
	d.empty, d.nothing, d.malformed, d.cut = hits(f.Empty), hits(f.Nothing), hits(f.Malformed), hits(f.Cut)
	if f.Latency != nil {
		d.latency = f.Latency(d.rnd)
	}
	return d
}

// pass waits, and reports whether there is to be an answer.
func (d fate) pass(w http.ResponseWriter, r *http.Request) bool {
	select {
	case <-time.After(d.latency):
	case <-r.Context().Done():
		return false
	}
	if d.status != 0 {
		http.Error(w, "an injected fault", d.status)
		return false
	}
	return true
}

func send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who went away needs no answer
}
