package bfdmock

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

const (
	hasContract = "_has:Coverage.extension"
	hasYear     = "_has:Coverage.rfrncyr"
	variables   = "https://bluebutton.cms.gov/resources/variables/"
)

var contractField = regexp.MustCompile(`^` + regexp.QuoteMeta(variables) + `ptdcntrct(0[1-9]|1[0-2])\|(.*)$`)

// patientSearch is a question who is enrolled in a contract in a month.
type patientSearch struct {
	contract domain.ContractNumber
	month    domain.Month
	year     string
	after    string // the last id of the page before
	count    int    // 0 for everybody at once
}

func (s *Server) parsePatients(q url.Values) (p patientSearch, no *refusal) {
	bad := func(format string, args ...any) *refusal {
		return &refusal{http.StatusBadRequest, "processing", fmt.Sprintf(format, args...)}
	}
	field := contractField.FindStringSubmatch(q.Get(hasContract))
	if field == nil {
		return p, bad("Unsupported query; the stand-in knows %s=%sptdcntrctMM|CONTRACT", hasContract, variables)
	}
	if p.contract = domain.ContractNumber(field[2]); len(field[2]) != 5 {
		return p, bad("Coverage id is not expected length; value %s is not expected length 5", field[2])
	}
	p.year = strings.TrimPrefix(q.Get(hasYear), variables+"rfrnc_yr|")
	if p.year == "" {
		p.year = strconv.Itoa(s.now().Year())
	}
	year, err := strconv.Atoi(p.year)
	if err != nil {
		return p, bad("Contract year must be a number: %s", p.year)
	}
	month, _ := strconv.Atoi(field[1]) // the pattern has digits there
	p.month = domain.NewMonth(year, time.Month(month))
	p.after = q.Get("cursor")
	if v := q.Get("_count"); v != "" {
		if p.count, err = strconv.Atoi(v); err != nil || p.count <= 0 {
			return p, bad("Value for pageSize cannot be zero or negative: %s", v)
		}
	}
	return p, nil
}

// patients answers with keyset paging: by the last id of the page before, with
// neither a total nor a link to the last page.
func (s *Server) patients(q *question) (answer, *refusal) {
	if !strings.Contains(q.Header.Get("IncludeIdentifiers"), "mbi") {
		return answer{}, &refusal{http.StatusBadRequest, "processing", "This endpoint requires the 'IncludeIdentifiers: mbi' header."}
	}
	if id := q.URL.Query().Get("_id"); id != "" {
		return s.about(q, domain.Patient, id)
	}
	search, no := s.parsePatients(q.URL.Query())
	if no != nil {
		return answer{}, no
	}
	all, err := s.enrollees(search.contract)
	if err != nil {
		return answer{}, &refusal{http.StatusInternalServerError, "exception", "the people of the stand-in cannot be read"}
	}
	from := 0
	if search.after != "" {
		from = sort.Search(len(all), func(i int) bool { return string(all[i].Patient) > search.after })
	}
	var page []domain.Enrollee
	more := false
	for _, e := range all[from:] {
		if !e.Months.Has(search.month) {
			continue
		}
		if more = search.count > 0 && len(page) == search.count; more {
			break
		}
		page = append(page, e)
	}
	b := newBundle(q)
	if search.count > 0 {
		first := q.URL.Query()
		first.Del("cursor")
		b.link("first", q.base()+"?"+first.Encode())
		// For STU3 BFD looks whether there is one more; for R4 a full page always
		// links to the next, which may be empty.
		if more || len(page) == search.count && (q.version == domain.R4 || s.faults.EmptyLast) {
			next := q.URL.Query()
			next.Set("cursor", string(page[len(page)-1].Patient))
			b.link("next", q.base()+"?"+next.Encode())
		}
	}
	b.link("self", q.self())
	var person []byte
	for _, e := range page {
		person = s.world.Patient(person[:0], q.version, e)
		b.entry(withYear(person, search.year))
	}
	return answer{body: b.end()}, nil
}

// withYear adds the reference year to a Patient, as BFD does. AB2D passes over
// people without it.
func withYear(person []byte, year string) []byte {
	last := len(person) - 1
	return append(person[:last], `,"extension":[{"url":"`+variables+`rfrnc_yr","valueDate":"`+year+`"}]}`...)
}

// enrollees returns those of a contract, read once.
func (s *Server) enrollees(n domain.ContractNumber) ([]domain.Enrollee, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all, ok := s.enrolled[n]; ok {
		return all, nil
	}
	var all []domain.Enrollee
	for e, err := range s.world.Enrollees(n) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	s.enrolled[n] = all
	return all, nil
}
