package ndjson

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var _ ports.People = (*Source)(nil)

// Records implements ports.People with the folder's Patient and Coverage. Those do
// not say of which version of FHIR they are: they are of that of the folder's
// claims, and a folder with claims in both cannot be asked.
func (s *Source) Records(ctx context.Context, q ports.PeopleQuery) (r ports.Records, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	switch held := s.index.catalog.Versions; {
	case len(held) > 1:
		return r, domain.Errorf(domain.Invalid, "The claims source is a folder of claims in STU3 and R4, whose Patient and Coverage do not say which they are.").
			WithNext("Ask for ExplanationOfBenefit alone.")
	case len(held) == 1 && held[q.Version].Claims == 0:
		return r, s.refuse(q.Version)
	}
	all, err := s.index.recordsOf(q.Patient)
	if err != nil {
		return r, domain.Errorf(domain.Unavailable, "The index of claims cannot be read.").Because(err)
	}
	for _, raw := range all {
		var l line
		_ = l.read(raw) // it was read when it was indexed
		if slices.Contains(q.Types, domain.ResourceType(l.kind)) {
			r.Resources = append(r.Resources, raw)
		}
	}
	r.AsOf = s.completeThrough()
	return r, nil
}
