package synthetic

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var _ ports.People = (*Claims)(nil)

// Records implements ports.People: of somebody who is in several contracts it
// tells the coverage by the one that is asked for.
func (c *Claims) Records(ctx context.Context, q ports.PeopleQuery) (r ports.Records, err error) {
	if r.AsOf, err = c.CompleteThrough(ctx); err != nil {
		return r, err
	}
	e, found := c.people.FindIn(q.Contract, q.Patient)
	if !found {
		return r, ctx.Err()
	}
	if slices.Contains(q.Types, domain.Patient) {
		r.Resources = append(r.Resources, c.people.AppendPatient(nil, q.Version, e))
	}
	if slices.Contains(q.Types, domain.Coverage) {
		r.Resources = slices.AppendSeq(r.Resources, Coverage(q.Version, e, q.Contract))
	}
	return r, ctx.Err()
}
