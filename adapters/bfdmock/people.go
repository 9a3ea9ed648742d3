package bfdmock

import (
	"net/http"
	"strings"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// coverage answers what covers a person.
func (s *Server) coverage(q *question) (answer, *refusal) {
	id := strings.TrimPrefix(q.URL.Query().Get("beneficiary"), "Patient/")
	if id == "" {
		return answer{}, &refusal{http.StatusBadRequest, "processing", "Missing required field beneficiary"}
	}
	return s.about(q, domain.Coverage, id)
}

// about answers with what there is of one type about a person, on one page. In
// whose contract the person is, the header tells.
func (s *Server) about(q *question, t domain.ResourceType, id string) (answer, *refusal) {
	if s.world.People == nil {
		return answer{}, &refusal{http.StatusNotFound, "not-found", "the stand-in has no " + string(t) + " of single people"}
	}
	r, err := s.world.People.Records(q.Context(), ports.PeopleQuery{Version: q.version, Patient: domain.PatientID(id),
		Types: []domain.ResourceType{t}, Contract: domain.ContractNumber(q.Header.Get("BULK-CLIENTID"))})
	if err != nil {
		return answer{}, &refusal{http.StatusInternalServerError, "exception", "the people of the stand-in cannot be read"}
	}
	if q.fate.wrong && len(r.Resources) > 0 {
		mixUp(r.Resources, id, q.fate.place)
	}
	b := newBundle(q)
	b.total(len(r.Resources), q.fate.total)
	b.link("self", q.self())
	for _, resource := range r.Resources {
		b.entry(resource)
	}
	return answer{body: b.end()}, nil
}
