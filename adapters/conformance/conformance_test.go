package conformance_test

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"cms.gov/ab2d/adapters/clientkey"
	"cms.gov/ab2d/adapters/conformance"
)

// peer is a small Bulk Data server that is right in everything but one.
type peer struct {
	wrong string // what is wrong; empty for nothing
	base  string
	key   *ecdsa.PublicKey // of the client, for private_key_jwt; a secret otherwise

	mu   sync.Mutex
	jobs []job // by number
}

type job struct {
	request string
	polls   int
	deleted bool
}

func newPeer(t *testing.T, wrong string) *peer {
	t.Helper()
	p := &peer{wrong: wrong}
	s := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(s.Close)
	p.base = s.URL
	return p
}

func (p *peer) is(wrong string) bool { return p.wrong == wrong }

// or is what is wrong if that is what is wrong, and what is right otherwise.
func or[T any](p *peer, wrong string, instead, right T) T {
	if p.is(wrong) {
		return instead
	}
	return right
}

func reply(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

type object = map[string]any

func (p *peer) refuse(w http.ResponseWriter, status int) {
	if p.is("text errors") {
		http.Error(w, "no", status)
		return
	}
	reply(w, status, "application/fhir+json", object{"resourceType": "OperationOutcome", "issue": []object{{"severity": "error", "code": "invalid"}}})
}

func (p *peer) serve(w http.ResponseWriter, q *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := q.Header.Get("Authorization") != "Bearer t"
	var n int
	switch {
	case q.URL.Path == "/fhir/metadata":
		export := []object{{"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"}}
		reply(w, 200, "application/fhir+json", object{"resourceType": "CapabilityStatement",
			"instantiates": or(p, "instantiates", []string{}, []string{"http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"}),
			"rest":         []object{{"resource": []object{{"type": "Group", "operation": or(p, "no operations", nil, export)}, {"type": "ExplanationOfBenefit"}}}}})
	case q.URL.Path == "/fhir/.well-known/smart-configuration":
		reply(w, 200, or(p, "smart type", "text/plain", "application/json"), object{"token_endpoint": or(p, "smart endpoint", "/token", p.base+"/token"),
			"grant_types_supported": []string{"client_credentials"}, "code_challenge_methods_supported": or(p, "smart pkce", nil, []string{"S256"}),
			"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
			"token_endpoint_auth_signing_alg_values_supported": or(p, "smart algorithms", []string{"RS256"}, []string{"RS384", "ES384"}),
			"capabilities": []string{"client-confidential-asymmetric"}})
	case q.URL.Path == "/token":
		p.token(w, q)
	case open && !p.is("no token needed"):
		w.Header().Set("WWW-Authenticate", "Bearer")
		p.refuse(w, 401)
	case q.URL.Path == "/fhir/Group" || q.URL.Path == "/fhir/Group/g":
		kind := or(p, "group", "Nothing", map[string]string{"/fhir/Group": "Bundle", "/fhir/Group/g": "Group"}[q.URL.Path])
		reply(w, 200, "application/fhir+json", object{"resourceType": kind})
	case q.URL.Path == "/fhir/Group/g/$export":
		p.export(w, q)
	case scan(q.URL.Path, "/fhir/status/%d", &n) && n < len(p.jobs):
		p.status(w, q, n)
	case scan(q.URL.Path, "/fhir/file/%d", &n) && n < len(p.jobs):
		p.file(w, q)
	default:
		p.refuse(w, 404)
	}
}

func scan(s, format string, n *int) bool {
	got, err := fmt.Sscanf(s, format, n)
	return err == nil && got == 1
}

func (p *peer) token(w http.ResponseWriter, q *http.Request) {
	_ = q.ParseForm()
	id, secret, _ := q.BasicAuth()
	known := id == "me" && secret == "s3cret"
	if p.key != nil {
		_, err := jwt.Parse(q.Form.Get("client_assertion"), func(t *jwt.Token) (any, error) { return p.key, nil }, jwt.WithValidMethods([]string{"ES384"}),
			jwt.WithAudience(p.base+"/token"), jwt.WithIssuer("me"), jwt.WithSubject("me"), jwt.WithExpirationRequired())
		known = err == nil
	}
	switch {
	case !known && !p.is("any secret"):
		reply(w, 401, "application/json", object{"error": or(p, "token error", "no", "invalid_client")})
	case q.Form.Get("grant_type") != "client_credentials":
		reply(w, or(p, "grant status", 403, 400), "application/json", object{"error": "unsupported_grant_type"})
	default:
		life := any(or(p, "long token", 3600, 300))
		reply(w, 200, "application/json", object{"access_token": "t", "token_type": "bearer", "scope": "system/*.read",
			"expires_in": or(p, "token life", any("300"), life)})
	}
}

func (p *peer) export(w http.ResponseWriter, q *http.Request) {
	query := q.URL.Query()
	bad := query.Get("_since") == "not an instant" && !p.is("any since") || slices.Contains(query["_type"], "StructureMap") && !p.is("any type") ||
		query.Has("_noSuchParameter") && !p.is("any parameter") && !strings.Contains(q.Header.Get("Prefer"), "lenient") ||
		len(query["_type"]) > 1 && p.is("repeated") || query.Get("_outputFormat") == "ndjson" && p.is("format") || strings.Contains(query.Get("_since"), "-05:00") && p.is("offset")
	switch {
	case q.Method == "POST" && !p.is("post fails"):
		p.refuse(w, 405)
	case q.Method == "POST":
		p.refuse(w, 500)
	case bad:
		p.refuse(w, 400)
	case query.Has("_elements") && p.is("elements crash"):
		panic(http.ErrAbortHandler)
	default:
		p.jobs = append(p.jobs, job{request: p.base + q.URL.String()})
		at := fmt.Sprintf("/fhir/status/%d", len(p.jobs)-1)
		w.Header().Set("Content-Location", or(p, "location", at, p.base+at))
		if strings.Contains(q.Header.Get("Prefer"), "separate") && p.is("separate") {
			w.Header().Set("Preference-Applied", "respond-async, separate-export-status")
		}
		w.WriteHeader(or(p, "kick-off status", 200, 202))
		_, _ = io.WriteString(w, or(p, "kick-off text", "ok", ""))
	}
}

func (p *peer) status(w http.ResponseWriter, q *http.Request, n int) {
	j := &p.jobs[n]
	switch {
	case j.deleted && !p.is("deleted lives"):
		p.refuse(w, 404)
	case q.Method == "DELETE":
		j.deleted = true
		w.WriteHeader(or(p, "delete status", 204, 202))
	case j.polls == 1 && p.is("429 alone"):
		j.polls++
		p.refuse(w, 429)
	case j.polls == 1:
		j.polls++
		w.Header().Set("Retry-After", "0")
		p.refuse(w, 429)
	case j.polls == 0 || p.is("never ends"):
		j.polls++
		w.Header().Set("Retry-After", or(p, "retry-after", "soon", "0"))
		w.Header().Set("X-Progress", or(p, "progress", strings.Repeat("x", 200), "50% complete"))
		w.WriteHeader(202)
	case p.is("manifest garbage"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"transactionTime": [[[[`)
	default:
		w.Header().Set("Expires", or(p, "expires", "2026-11-26 11:04:42", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)))
		file := object{"type": "ExplanationOfBenefit", "url": or(p, "file url", "file/1", fmt.Sprintf("%s/fhir/file/%d", p.base, n)), "count": or(p, "count", 3, 2)}
		if p.is("other type") {
			file["type"] = "Coverage"
		}
		m := object{"transactionTime": or(p, "time", "2026-11-25", "2026-11-25T00:00:00Z"), "request": or(p, "request", "x", j.request),
			"requiresAccessToken": or(p, "requires", any("yes"), any(true)), "output": []any{file}, "error": []any{}, "deleted": or(p, "deleted", any("none"), any([]any{}))}
		if p.is("no error list") {
			delete(m, "error")
		}
		if p.is("odd items") {
			m["output"] = []any{nil, 7, "x", []any{}, object{"type": 1}}
		}
		reply(w, 200, or(p, "manifest type", "text/html", "application/json"), m)
	}
}

func (p *peer) file(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Type", or(p, "file type", "text/plain", "application/fhir+ndjson"))
	body := `{"resourceType":"ExplanationOfBenefit","id":"1","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}` + "\n" +
		or(p, "twice", `{"resourceType":"ExplanationOfBenefit","id":"1"}`, `{"resourceType":"ExplanationOfBenefit","id":"2"}`) + "\n"
	body = or(p, "late", strings.Replace(body, "2026-01", "2027-01", 1), body)
	body = or(p, "mixed", strings.Replace(body, "ExplanationOfBenefit", "Patient", 1), body)
	body = or(p, "array", "["+body+"]", body)
	if q.Header.Get("Accept-Encoding") != "gzip" && !p.is("always gzip") {
		_, _ = io.WriteString(w, body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	if p.is("not gzip") {
		_, _ = io.WriteString(w, body)
		return
	}
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
}

func (p *peer) check(t *testing.T, change ...func(*conformance.Settings)) conformance.Report {
	t.Helper()
	s := conformance.Settings{Base: p.base + "/fhir/", Group: "g", Auth: conformance.Auth{ClientID: "me", Secret: "s3cret"}, Wait: time.Minute}
	for _, c := range change {
		c(&s)
	}
	r, err := conformance.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func failures(r conformance.Report) (ids []string) {
	for _, f := range r.Findings {
		if f.Result == conformance.Fail {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// Each fault of a server fails the requirement that it breaks, and a server
// without one fails nothing.
func TestEachFaultIsFound(t *testing.T) {
	for wrong, want := range map[string]string{
		"": "", "no operations": "C1", "instantiates": "C2", "smart type": "A1", "smart endpoint": "A1", "smart pkce": "A2b", "smart algorithms": "A2",
		"group": "K6", "no token needed": "S3", "any secret": "A8", "token error": "A8", "grant status": "A8b", "token life": "A9",
		"any since": "K14", "text errors": "K14", "any type": "O3", "any parameter": "K16", "repeated": "K3", "format": "O1", "offset": "O2",
		"post fails": "K2", "elements crash": "O6", "location": "K13", "kick-off status": "K1", "kick-off text": "K13", "separate": "K12",
		"deleted lives": "D3", "delete status": "D1", "429 alone": "P4", "never ends": "P8", "retry-after": "P3", "progress": "P2", "manifest garbage": "P8", "manifest type": "P8",
		"expires": "P9", "time": "M1", "request": "M2", "requires": "M3", "file url": "M4", "odd items": "M4", "count": "M5", "no error list": "M6", "deleted": "M7", "late": "M8",
		"other type": "O4", "file type": "F1", "always gzip": "F4", "not gzip": "F4", "twice": "F5", "array": "F5", "mixed": "F6",
	} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			r := newPeer(t, wrong).check(t, func(s *conformance.Settings) {
				if wrong == "never ends" {
					s.Wait = time.Second
				}
			})
			got := failures(r)
			if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
				t.Errorf("%v failed, want %q: %+v", got, want, r.Findings)
			}
			if len(got) > 4 && wrong != "location" { // one fault is not everything's
				t.Errorf("%d requirements failed: %v", len(got), got)
			}
		})
	}
}

// Nothing is left behind at the server, and every requirement is told of.
func TestItCleansUp(t *testing.T) {
	p := newPeer(t, "")
	r := p.check(t)
	if len(r.Findings) != len(conformance.Requirements) {
		t.Errorf("%d findings of %d requirements", len(r.Findings), len(conformance.Requirements))
	}
	for i, j := range p.jobs {
		if !j.deleted {
			t.Errorf("export %d is still there", i)
		}
	}
}

func TestAssertionsWithAKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "k1", Algorithm: "ES384"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "long token"} {
		p := newPeer(t, wrong)
		p.key = &key.PublicKey
		r := p.check(t, func(s *conformance.Settings) {
			if s.Auth.Key, err = clientkey.Parse(text); err != nil {
				t.Fatal(err)
			}
		})
		if got := strings.Join(failures(r), " "); got != map[string]string{"": "", "long token": "A10"}[wrong] {
			t.Errorf("%q: %s failed: %+v", wrong, got, r.Findings)
		}
	}
	for _, bad := range []string{"", "{}", "x", `{"keys":[]}`} {
		if _, err := clientkey.Parse([]byte(bad)); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}

// Servers that are no such servers at all fail, and break nothing.
func TestStrangeServers(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"empty":  func(w http.ResponseWriter, q *http.Request) {},
		"teapot": func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(418) },
		"null":   func(w http.ResponseWriter, q *http.Request) { _, _ = io.WriteString(w, "null") },
		"list":   func(w http.ResponseWriter, q *http.Request) { _, _ = io.WriteString(w, `[{"resourceType":1}]`) },
		"odd": func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.WriteString(w, `{"resourceType":"CapabilityStatement","rest":[1,{"resource":{"a":1},"operation":[null]}],"instantiates":{}}`)
		},
		"redirect": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, q.URL.Path, http.StatusFound) },
		"everything is accepted": func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Location", "http://"+q.Host+"/again")
			w.Header().Set("Retry-After", "-5")
			w.WriteHeader(202)
		},
		"endless": func(w http.ResponseWriter, q *http.Request) {
			for _, err := w.Write(make([]byte, 1<<20)); err == nil; _, err = w.Write(make([]byte, 1<<20)) {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(serve)
			defer s.Close()
			r, err := conformance.Run(t.Context(), conformance.Settings{Base: s.URL, Group: "../x?y", Auth: conformance.Auth{Token: "t"}, Wait: 2 * time.Second})
			if shall, _ := r.Failures(); err == nil && shall == 0 {
				t.Errorf("it passed: %+v", r.Findings)
			}
		})
	}
	if _, err := conformance.Run(t.Context(), conformance.Settings{Base: "http://127.0.0.1:1/fhir"}); err == nil {
		t.Error("nobody was asked, and there is a report")
	}
}

func TestAKnownFailureNeedsAReason(t *testing.T) {
	r := newPeer(t, "smart pkce").check(t, func(s *conformance.Settings) { s.Accept = map[string]string{"A2b": "nobody signs in here"} })
	i := slices.IndexFunc(r.Findings, func(f conformance.Finding) bool { return f.ID == "A2b" })
	if f := r.Findings[i]; f.Result != conformance.Accepted || !strings.Contains(f.Detail, "nobody signs in here") {
		t.Errorf("%+v", f)
	}
	if _, err := conformance.Run(t.Context(), conformance.Settings{Base: "http://127.0.0.1:1", Accept: map[string]string{"X9": "?"}}); err == nil {
		t.Error("a requirement that does not exist was accepted")
	}
}
