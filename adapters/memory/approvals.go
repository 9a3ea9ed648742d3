package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
)

// approvals implements ports.Approvals.
type approvals struct{ *unit }

func (s approvals) Put(ctx context.Context, a domain.Approval) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	if a.State == domain.ApprovalGiven && a.DecidedBy.ID == a.By.ID {
		return domain.Errorf(domain.Internal, "who asks for something cannot approve it")
	}
	s.approvals[a.ID] = a
	return nil
}

func (s approvals) Get(ctx context.Context, id string) (domain.Approval, error) {
	if err := s.reading(ctx); err != nil {
		return domain.Approval{}, err
	}
	return get(s.approvals, id, "request")
}

func (s approvals) Find(ctx context.Context, state domain.ApprovalState, limit int) ([]domain.Approval, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	found := slices.SortedFunc(maps.Values(s.approvals), func(a, b domain.Approval) int {
		return cmp.Or(b.AskedAt.Compare(a.AskedAt), cmp.Compare(b.ID, a.ID))
	})
	found = slices.DeleteFunc(found, func(a domain.Approval) bool { return state != "" && a.State != state })
	return found[:min(limit, len(found))], nil
}

// onboardings implements ports.Onboardings.
type onboardings struct{ *unit }

func (s onboardings) Put(ctx context.Context, o domain.Onboarding) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.onboardings[o.Contract] = o
	return nil
}

func (s onboardings) Get(ctx context.Context, n domain.ContractNumber) (domain.Onboarding, error) {
	o := s.onboardings[n]
	o.Contract = n
	return o, s.reading(ctx)
}

func (s onboardings) List(ctx context.Context) ([]domain.Onboarding, error) {
	return byKey(s.onboardings), s.reading(ctx)
}

// oneTimeLinks implements ports.OneTimeLinks.
type oneTimeLinks struct{ *unit }

func (s oneTimeLinks) Put(ctx context.Context, l domain.OneTimeLink, now time.Time) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	maps.DeleteFunc(s.links, func(_ string, l domain.OneTimeLink) bool { return !l.EndsAt.After(now) })
	s.links[l.ID] = l
	return nil
}

func (s oneTimeLinks) Take(ctx context.Context, id string, now time.Time) (domain.OneTimeLink, error) {
	if err := s.changing(ctx); err != nil {
		return domain.OneTimeLink{}, err
	}
	l, err := get(s.links, id, "link")
	if err == nil && !l.EndsAt.After(now) {
		return domain.OneTimeLink{}, domain.Errorf(domain.NotFound, "the link ended")
	}
	delete(s.links, id)
	return l, err
}
