package bfd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/bfd"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

func read(ctx context.Context, src *bfd.Source, q ports.ClaimsQuery) (claims []string, asOf time.Time, err error) {
	return readBy(ctx, src, q, func(r ports.ClaimReader) ports.ClaimReader { return r })
}

// readBy reads through what by makes of the reader.
func readBy(ctx context.Context, src *bfd.Source, q ports.ClaimsQuery, by func(ports.ClaimReader) ports.ClaimReader) (claims []string, asOf time.Time, err error) {
	r, err := src.Read(ctx, q)
	if err != nil {
		return nil, asOf, err
	}
	defer r.Close()
	r = by(r)
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return claims, r.AsOf(), nil
		} else if err != nil {
			return claims, asOf, err
		}
		claims = append(claims, string(claim))
	}
}

// scripted answers the pages of patient 1 with the given bodies, in turn.
func scripted(t *testing.T, pages ...string) *bfd.Source {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = io.WriteString(w, pages[min(n, len(pages))-1])
	}))
	t.Cleanup(s.Close)
	return source(t, bfd.Settings{URL: s.URL})
}

const (
	head = `{"resourceType":"Bundle","id":"x","meta":{"lastUpdated":"2026-01-02T03:04:05.678-05:00"},"type":"searchset"`
	one  = `{"resource":{"resourceType":"ExplanationOfBenefit","id":"1"}}`
	two  = `{"fullUrl":"u","resource":{"resourceType":"ExplanationOfBenefit","id":"2","x":["}",{"a\"":"\\"}]},"search":{"mode":"match"}}`
)

func next(start string) string {
	return `,"link":[{"relation":"first","url":"https://elsewhere/v2/fhir/ExplanationOfBenefit?patient=1"},{"relation":"next","url":"https://elsewhere/v2/fhir/ExplanationOfBenefit?patient=1&startIndex=` + start + `"}]`
}

func TestAnswersThatAreBelieved(t *testing.T) {
	outcome := `{"resource":{"resourceType":"OperationOutcome","issue":[]},"search":{"mode":"outcome"}}`
	for name, c := range map[string]struct {
		pages  []string
		claims int
	}{
		"nobody":                          {[]string{head + `,"total":0}`}, 0},
		"no total":                        {[]string{head + `,"entry":[` + one + `]}`}, 1},
		"an empty list":                   {[]string{head + `,"total":0,"entry":[]}`}, 0},
		"members in another order":        {[]string{`{"entry":[` + one + `,` + two + `],"total":2,` + head[1:] + `}`}, 2},
		"two pages, addresses of another": {[]string{head + `,"total":2` + next("1") + `,"entry":[` + one + `]}`, head + `,"total":2,"entry":[` + two + `]}`}, 2},
		"an empty last page":              {[]string{head + `,"total":1` + next("1") + `,"entry":[` + one + `]}`, head + `,"total":1}`}, 1},
		"what the server has to say":      {[]string{head + `,"total":1,"entry":[` + outcome + `,` + one + `]}`}, 1},
		"what we do not know":             {[]string{head + `,"extension":[{"a":{"b":[1,-2.5e3,null]}}],"entry":[` + one + `],"signature":"\""}`}, 1},
		"pretty":                          {[]string{strings.NewReplacer(",", " ,\r\n\t", ":{", ": {\n", "[", "[ ", "}", "\n}").Replace(head+`,"entry":[`+one+`,`+one+`]}`) + " \n"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			claims, asOf, err := read(t.Context(), scripted(t, c.pages...), ports.ClaimsQuery{Version: domain.R4, Patient: "1"})
			if err != nil || len(claims) != c.claims {
				t.Fatalf("%d claims, %v; want %d", len(claims), err, c.claims)
			}
			if !asOf.Equal(time.Date(2026, 1, 2, 8, 4, 5, 678e6, time.UTC)) {
				t.Errorf("as of %v", asOf)
			}
			if same, _, err := readBy(t.Context(), scripted(t, c.pages...), ports.ClaimsQuery{Version: domain.R4, Patient: "1"}, porttest.Opened); err != nil || !slices.Equal(same, claims) {
				t.Errorf("who finds the ends gets %d claims, %v", len(same), err)
			}
			for _, claim := range claims {
				if strings.ContainsAny(claim, "\n\r") {
					t.Errorf("a claim on several lines: %q", claim)
				}
			}
		})
	}
}

// An answer that is not whole or contradicts itself is an error that may pass,
// never an end.
func TestAnswersThatAreNot(t *testing.T) {
	for name, pages := range map[string][]string{
		"nothing":                    {``},
		"no JSON":                    {`<html>`},
		"another resource":           {`{"resourceType":"OperationOutcome"}`},
		"another kind of Bundle":     {strings.Replace(head, "searchset", "history", 1) + `}`},
		"no kind of resource":        {strings.Replace(head, `"resourceType":"Bundle",`, "", 1) + `}`},
		"no time":                    {`{"resourceType":"Bundle","type":"searchset","entry":[` + one + `]}`},
		"a time that is none":        {strings.Replace(head, "2026-01-02T", "2026-13-02T", 1) + `}`},
		"two totals":                 {head + `,"total":1,"total":1,"entry":[` + one + `]}`},
		"two lists":                  {head + `,"entry":[` + one + `],"entry":[` + two + `]}`},
		"a total that is none":       {head + `,"total":"1","entry":[` + one + `]}`},
		"fewer than told":            {head + `,"total":2,"entry":[` + one + `]}`},
		"more than told":             {head + `,"total":1,"entry":[` + one + `,` + two + `]}`},
		"none of what was told":      {head + `,"total":3}`},
		"an entry without a claim":   {head + `,"entry":[{"fullUrl":"u"}]}`},
		"a claim that is no object":  {head + `,"entry":[{"resource":"x"}]}`},
		"two claims in an entry":     {head + `,"entry":[{"resource":{},"resource":{}}]}`},
		"the end is missing":         {head + `,"entry":[` + one + `]`},
		"cut in a claim":             {head + `,"entry":[{"resource":{"resourceType":"Expl`},
		"something follows":          {head + `,"entry":[` + one + `]}` + "{}"},
		"brackets do not match":      {head + `,"entry":[{"resource":{"a":[}]}}]}`},
		"a comma too much":           {head + `,"entry":[` + one + `,]}`},
		"a comma is missing":         {head + `,"entry":[` + one + one + `]}`},
		"a name with escapes":        {head + `,"to\u0074al":5,"entry":[` + one + `]}`},
		"pages disagree":             {head + `,"total":2` + next("1") + `,"entry":[` + one + `]}`, head + `,"total":3,"entry":[` + two + `]}`},
		"a page without its total":   {head + `,"total":2` + next("1") + `,"entry":[` + one + `]}`, head + `,"entry":[` + two + `]}`},
		"pages lead in a circle":     {head + next("1") + `,"entry":[` + one + `]}`},
		"pages go on without claims": {head + next("1") + `}`, head + next("2") + `}`, head + next("1") + `}`, head + next("2") + `}`, head + next("2") + `}`},
		"the next page is another's": {head + strings.ReplaceAll(next("1"), "patient=1&", "patient=2&") + `,"entry":[` + one + `]}`},
		"the next page is no claims": {head + strings.ReplaceAll(next("1"), "ExplanationOfBenefit", "Patient") + `,"entry":[` + one + `]}`},
		"nested too deep":            {head + `,"entry":[{"resource":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t.Context(), scripted(t, pages...), ports.ClaimsQuery{Version: domain.R4, Patient: "1"})
			if domain.CodeOf(err) != domain.Unavailable {
				t.Errorf("%v; want it to be %s", err, domain.Unavailable)
			}
			if name == "nested too deep" { // within a claim, so the affair of who finds its end
				return
			}
			_, _, err = readBy(t.Context(), scripted(t, pages...), ports.ClaimsQuery{Version: domain.R4, Patient: "1"}, porttest.Opened)
			if domain.CodeOf(err) != domain.Unavailable {
				t.Errorf("%v for who finds the ends; want it to be %s", err, domain.Unavailable)
			}
		})
	}
}

// The bytes of a claim are those that came, however they came: here byte for
// byte, with claims far larger than what is read at once.
func TestClaimsAreCutWhereverTheAnswerIs(t *testing.T) {
	large := `{"resourceType":"ExplanationOfBenefit","id":"` + strings.Repeat(`\\\"é{[`, 50_000) + `"}`
	body := head + `,"total":3,"entry":[` + one + `,{"resource":` + large + `},` + two + `]}`
	for _, piece := range []int{1, 7, 1000, len(body)} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for rest := []byte(body); len(rest) > 0; {
				n := min(piece, len(rest))
				_, _ = w.Write(rest[:n])
				if rest = rest[n:]; len(rest)%97 == 0 {
					_ = http.NewResponseController(w).Flush()
				}
			}
		}))
		src := source(t, bfd.Settings{URL: s.URL})
		claims, _, err := read(t.Context(), src, ports.ClaimsQuery{Version: domain.R4, Patient: "1"})
		same, _, err2 := readBy(t.Context(), src, ports.ClaimsQuery{Version: domain.R4, Patient: "1"}, porttest.Opened)
		s.Close()
		if err = errors.Join(err, err2); err != nil || len(claims) != 3 || claims[1] != large || !slices.Equal(same, claims) {
			t.Errorf("in pieces of %d: %d claims, and %d for who finds the ends, %v", piece, len(claims), len(same), err)
		}
	}
}

func TestAClaimThatIsTooLong(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, head+`,"entry":[{"resource":{"a":"`)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 300<<10))
		_, _ = io.WriteString(w, `"}}]}`)
	}))
	defer s.Close()
	if _, _, err := read(t.Context(), source(t, bfd.Settings{URL: s.URL, MaxClaim: 200 << 10}), ports.ClaimsQuery{Version: domain.R4, Patient: "1"}); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestStatusesAreToldApart(t *testing.T) {
	for status, want := range map[int]domain.Code{400: domain.Invalid, 401: domain.Unavailable, 403: domain.Unavailable, 404: domain.NotFound,
		406: domain.Invalid, 429: domain.Unavailable, 500: domain.Unavailable, 502: domain.Unavailable, 503: domain.Unavailable, 302: domain.Unavailable} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		}))
		_, _, err := read(t.Context(), source(t, bfd.Settings{URL: s.URL}), ports.ClaimsQuery{Version: domain.R4, Patient: "1"})
		s.Close()
		e := (*domain.Error)(nil)
		if !errors.As(err, &e) || e.Code != want || e.RetryAfter != 7*time.Second {
			t.Errorf("%d: %v, want %s after 7s", status, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "patient=") {
			t.Errorf("%d: the error names the person: %v", status, err)
		}
	}
}

// What is asked is what BFD understands, with bounds that cut nothing off.
func TestWhatIsAsked(t *testing.T) {
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, head+`}`)
	}))
	defer s.Close()
	east := time.FixedZone("", -5*3600)
	_, _, err := read(t.Context(), source(t, bfd.Settings{URL: s.URL, PageClaims: 50}), ports.ClaimsQuery{Version: domain.STU3, Patient: "-12", Contract: "S1234", Job: "j-1",
		UpdatedFrom: time.Date(2026, 1, 2, 3, 4, 5, 6_700_000, east), UpdatedThrough: time.Date(2026, 2, 2, 3, 4, 5, 6_700_000, east), ServedFrom: 2020_03_01})
	if err != nil {
		t.Fatal(err)
	}
	q := got.URL.Query()
	for name, want := range map[string]string{"patient": "-12", "type": "carrier,dme,hha,hospice,inpatient,outpatient,snf", "excludeSAMHSA": "true",
		"service-date": "ge2020-03-01", "_count": "50"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if u := fmt.Sprint(q["_lastUpdated"]); u != "[ge2026-01-02T08:04:05.006Z le2026-02-02T08:04:05.007Z]" {
		t.Errorf("_lastUpdated is %s", u)
	}
	if got.URL.Path != "/v1/fhir/ExplanationOfBenefit" || got.Header.Get("BULK-CLIENTID") != "S1234" || got.Header.Get("BULK-JOBID") != "j-1" || got.Header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("asked %s with %v", got.URL.Path, got.Header)
	}
}

// A body that trickles, and an answer that never begins, are ended.
func TestNoCallLastsForEver(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"never begins": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"trickles": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, head)
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
		},
	} {
		s := httptest.NewServer(h)
		_, _, err := read(t.Context(), source(t, bfd.Settings{URL: s.URL, Timeout: 50 * time.Millisecond}), ports.ClaimsQuery{Version: domain.R4, Patient: "1"})
		s.Close()
		if domain.CodeOf(err) != domain.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
