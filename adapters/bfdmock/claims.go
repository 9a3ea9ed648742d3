package bfdmock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
	"cms.gov/ab2d/ports"
)

// defaultPage is BFD's page where only the start is given.
const defaultPage = 10

// claimSearch is a question about a person's claims.
type claimSearch struct {
	patient  string
	types    []string // nil for all
	noSAMHSA bool
	updated  []bound[time.Time]
	served   []bound[domain.Date]
	start    int
	count    int // 0 for everything at once
}

// bound is one end of a range, as BFD writes it: ge2020-01-01.
type bound[T any] struct {
	op string
	at T
}

func patientOf(q url.Values) string { return strings.TrimPrefix(q.Get("patient"), "Patient/") }

var claimTypes = []string{"carrier", "dme", "hha", "hospice", "inpatient", "outpatient", "pde", "snf"}

func parseClaims(q url.Values) (c claimSearch, no *refusal) {
	bad := func(format string, args ...any) *refusal {
		return &refusal{http.StatusBadRequest, "processing", fmt.Sprintf(format, args...)}
	}
	for name := range q {
		if !slices.Contains([]string{"patient", "type", "excludeSAMHSA", "_lastUpdated", "service-date", "_count", "startIndex", "_format", "includeTaxNumbers"}, name) {
			return c, bad("Invalid request: the server does not know how to handle a search of ExplanationOfBenefit with the parameter %q", name)
		}
	}
	if c.patient = patientOf(q); c.patient == "" {
		return c, bad("Invalid request: the parameter patient is required")
	}
	if t := q.Get("type"); t != "" && t != "*" {
		for _, one := range strings.Split(strings.ToLower(t), ",") {
			if !slices.Contains(claimTypes, one) {
				return c, bad("Unsupported claim type: %q", one)
			}
			c.types = append(c.types, one)
		}
	}
	c.noSAMHSA = q.Get("excludeSAMHSA") == "true"
	for _, v := range q["_lastUpdated"] {
		op, text := cutOp(v)
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || len(c.updated) == 2 {
			return c, bad("Invalid date/time format: %q", v)
		}
		c.updated = append(c.updated, bound[time.Time]{op, at})
	}
	for _, v := range q["service-date"] {
		op, text := cutOp(v)
		at, err := domain.ParseDate(text)
		if err != nil || len(c.served) == 2 {
			return c, bad("Invalid date/time format: %q", v)
		}
		c.served = append(c.served, bound[domain.Date]{op, at})
	}
	var err error
	if v := q.Get("startIndex"); v != "" {
		c.count = defaultPage
		if c.start, err = strconv.Atoi(v); err != nil || c.start < 0 {
			return c, bad("Value for startIndex cannot be less than zero or invalid: %s", v)
		}
	}
	if v := q.Get("_count"); v != "" {
		if c.count, err = strconv.Atoi(v); err != nil || c.count <= 0 {
			return c, bad("Value for pageSize cannot be zero or negative: %s", v)
		}
	}
	return c, nil
}

func cutOp(v string) (op, rest string) {
	if len(v) > 2 && slices.Contains([]string{"ge", "gt", "le", "lt", "eq"}, v[:2]) {
		return v[:2], v[2:]
	}
	return "eq", v
}

func within(op string, c int) bool {
	switch op {
	case "ge":
		return c >= 0
	case "gt":
		return c > 0
	case "le":
		return c <= 0
	case "lt":
		return c < 0
	}
	return c == 0
}

// allows reports whether a claim is among what is asked for. A claim without a
// time of update matches where there is no lower bound on it (BFD's RFC 0004).
func (c *claimSearch) allows(f *eob.Facts, asOf time.Time) bool {
	kind := strings.ToLower(f.Type.String())
	if c.types != nil && !slices.Contains(c.types, kind) || c.noSAMHSA && f.Restricted {
		return false
	}
	for _, b := range c.updated {
		if f.LastUpdated.IsZero() && (b.op == "le" || b.op == "lt") {
			continue
		}
		if f.LastUpdated.IsZero() || !within(b.op, f.LastUpdated.Truncate(time.Millisecond).Compare(b.at)) {
			return false
		}
	}
	for _, b := range c.served {
		if !within(b.op, int(f.Period.End)-int(b.at)) {
			return false
		}
	}
	return !f.LastUpdated.After(asOf)
}

func (s *Server) claims(q *question) (answer, *refusal) {
	search, no := parseClaims(q.URL.Query())
	if no != nil {
		return answer{}, no
	}
	if s.world.Encoded != nil {
		if body, ok := s.world.Encoded(q.version, domain.PatientID(search.patient)); ok {
			return answer{body: body, encoded: true}, nil
		}
	}
	found, err := s.find(q, &search)
	if domain.CodeOf(err) == domain.Invalid {
		return answer{}, &refusal{http.StatusBadRequest, "processing", "the people of the stand-in are of another version of FHIR"}
	} else if err != nil {
		return answer{}, &refusal{http.StatusInternalServerError, "exception", "the people of the stand-in cannot be read"}
	}
	page, links := cutPage(found, &search, s.faults.EmptyLast)
	if q.fate.wrong && len(page) > 0 {
		mixUp(page, search.patient, q.fate.place)
	}
	b := newBundle(q)
	b.total(len(found), q.fate.total)
	for _, l := range links {
		b.link(l.relation, claimsLink(q, l.start, search.count))
	}
	b.link("self", q.self())
	for _, claim := range page {
		b.entry(claim)
	}
	return answer{body: b.end()}, nil
}

// find returns all claims that match, as of the time of the question.
func (s *Server) find(q *question, search *claimSearch) (found [][]byte, err error) {
	r, err := s.world.Claims.Read(q.Context(), ports.ClaimsQuery{Version: q.version, Patient: domain.PatientID(search.patient)})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// The product's own reading of a claim tells what it is; what it cannot read
	// comes all the same, as from BFD.
	t, line := eob.NewTrimmer(q.version), []byte(nil)
	for {
		claim, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		var facts eob.Facts
		if line, facts, err = t.Trim(line[:0], claim, nil); err != nil || search.allows(&facts, q.asOf) {
			found = append(found, bytes.Clone(claim))
		}
	}
}

type pageLink struct {
	relation string
	start    int
}

// cutPage cuts the page that is asked for and says what it links to.
func cutPage(found [][]byte, c *claimSearch, emptyLast bool) (page [][]byte, links []pageLink) {
	if c.count == 0 {
		return found, nil
	}
	from, to := min(c.start, len(found)), min(c.start+c.count, len(found))
	links = append(links, pageLink{"first", 0})
	if to < len(found) || emptyLast && to > from && to-from == c.count {
		links = append(links, pageLink{"next", c.start + c.count})
	}
	if c.start > 0 {
		links = append(links, pageLink{"previous", max(c.start-c.count, 0)})
	}
	return found[from:to], append(links, pageLink{"last", max(len(found)-1, 0) / c.count * c.count})
}

// mixUp has one claim be of somebody else.
func mixUp(page [][]byte, patient string, place float64) {
	i := int(place * float64(len(page)))
	page[i] = bytes.ReplaceAll(page[i], []byte("Patient/"+patient+`"`), []byte("Patient/-10000099999999\""))
}

// claimsLink is the address of another page: BFD puts the place first.
func claimsLink(q *question, start, count int) string {
	rest := q.URL.Query()
	rest.Del("startIndex")
	rest.Del("_count")
	return fmt.Sprintf("%s?startIndex=%d&_count=%d&%s", q.base(), start, count, rest.Encode())
}
