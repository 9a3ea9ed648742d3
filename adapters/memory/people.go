package memory

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// People implements ports.People with what is put into it, for either version.
type People struct {
	Claims *Claims // as of whose time the records stand

	mu      sync.Mutex
	records map[domain.PatientID][]string
	fails   map[domain.PatientID][]error
}

var _ ports.People = (*People)(nil)

// Put sets the records of a person, as JSON.
func (p *People) Put(id domain.PatientID, records ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.records == nil {
		p.records = map[domain.PatientID][]string{}
	}
	p.records[id] = records
}

// Fail has the next questions for a person fail, one after another.
func (p *People) Fail(id domain.PatientID, errs ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails == nil {
		p.fails = map[domain.PatientID][]error{}
	}
	p.fails[id] = errs
}

// Records implements ports.People.
func (p *People) Records(ctx context.Context, q ports.PeopleQuery) (r ports.Records, err error) {
	if r.AsOf, err = p.Claims.CompleteThrough(ctx); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return r, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if errs := p.fails[q.Patient]; len(errs) > 0 {
		p.fails[q.Patient] = errs[1:]
		return r, errs[0]
	}
	for _, t := range []domain.ResourceType{domain.Patient, domain.Coverage} {
		for _, raw := range p.records[q.Patient] {
			if typeOf(raw) == t && slices.Contains(q.Types, t) {
				r.Resources = append(r.Resources, []byte(raw))
			}
		}
	}
	return r, nil
}

// typeOf returns the type of a resource; what cannot be read passes for a Patient.
func typeOf(raw string) domain.ResourceType {
	var head struct{ ResourceType domain.ResourceType }
	if json.Unmarshal([]byte(raw), &head) != nil {
		return domain.Patient
	}
	return head.ResourceType
}
