package bfd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var _ ports.People = (*Source)(nil)

// Records implements ports.People with a call a type: BFD finds a Patient by _id
// and Coverage by beneficiary. Of somebody whom it does not know it has none.
func (s *Source) Records(ctx context.Context, q ports.PeopleQuery) (r ports.Records, err error) {
	for _, kind := range q.Types {
		if err := s.records(ctx, search{q.Version, kind, q.Patient}, q, &r); err != nil {
			return ports.Records{}, err
		}
	}
	return r, ctx.Err()
}

func (s *Source) records(ctx context.Context, about search, q ports.PeopleQuery, to *ports.Records) (err error) {
	h := headers(q.Contract, q.Job)
	if about.kind == domain.Patient {
		h["Includeidentifiers"] = []string{"mbi"} // else it has hashes of them
	}
	u := s.resource(about)
	u.RawQuery = url.Values{about.about(): {string(about.patient)}}.Encode()
	r, err := s.ask(ctx, about, u.String(), h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		resource, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		to.Resources = append(to.Resources, bytes.Clone(resource))
	}
	if to.AsOf.IsZero() || r.AsOf().Before(to.AsOf) {
		to.AsOf = r.AsOf()
	}
	return nil
}
