package entstore

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/approval"
	"cms.gov/ab2d/ent/onboarding"
	"cms.gov/ab2d/ent/onetimelink"
)

// approvals implements ports.Approvals.
type approvals struct{ unit }

func (s approvals) Put(ctx context.Context, a domain.Approval) error {
	return s.Approval.Create().SetID(a.ID).SetState(a.State).SetAskedBy(a.By.ID).SetDecidedBy(a.DecidedBy.ID).SetAskedAt(kept(a.AskedAt)).SetBody(a).
		OnConflictColumns(approval.FieldID).UpdateNewValues().Exec(ctx)
}

func (s approvals) Get(ctx context.Context, id string) (domain.Approval, error) {
	query := s.Approval.Query().Where(approval.ID(id))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return domain.Approval{}, missing(err, "there is no request %s", id)
	}
	return row.Body, nil
}

func (s approvals) Find(ctx context.Context, state domain.ApprovalState, limit int) ([]domain.Approval, error) {
	query := s.Approval.Query()
	if state != "" {
		query.Where(approval.State(state))
	}
	rows, err := query.Order(ent.Desc(approval.FieldAskedAt, approval.FieldID)).Limit(limit).All(ctx)
	return all(rows, func(r *ent.Approval) domain.Approval { return r.Body }), err
}

// onboardings implements ports.Onboardings.
type onboardings struct{ unit }

func (s onboardings) Put(ctx context.Context, o domain.Onboarding) error {
	return s.Onboarding.Create().SetID(string(o.Contract)).SetBody(o).OnConflictColumns(onboarding.FieldID).UpdateNewValues().Exec(ctx)
}

func (s onboardings) Get(ctx context.Context, n domain.ContractNumber) (domain.Onboarding, error) {
	row, err := s.Onboarding.Get(ctx, string(n))
	if ent.IsNotFound(err) {
		return domain.Onboarding{Contract: n}, nil
	} else if err != nil {
		return domain.Onboarding{}, err
	}
	return row.Body, nil
}

func (s onboardings) List(ctx context.Context) ([]domain.Onboarding, error) {
	rows, err := s.Onboarding.Query().All(ctx)
	return sortedBy(all(rows, func(r *ent.Onboarding) domain.Onboarding { return r.Body }), func(o domain.Onboarding) domain.ContractNumber { return o.Contract }), err
}

// oneTimeLinks implements ports.OneTimeLinks.
type oneTimeLinks struct{ unit }

func (s oneTimeLinks) Put(ctx context.Context, l domain.OneTimeLink, now time.Time) error {
	if _, err := s.OneTimeLink.Delete().Where(onetimelink.EndsAtLTE(kept(now))).Exec(ctx); err != nil {
		return err
	}
	return s.OneTimeLink.Create().SetID(l.ID).SetClient(string(l.Client)).SetSealed(l.Sealed).SetEndsAt(kept(l.EndsAt)).Exec(ctx)
}

func (s oneTimeLinks) Take(ctx context.Context, id string, now time.Time) (domain.OneTimeLink, error) {
	row, err := s.OneTimeLink.Query().Where(onetimelink.ID(id), onetimelink.EndsAtGT(kept(now))).Only(ctx)
	if err != nil {
		return domain.OneTimeLink{}, missing(err, "there is no such link")
	}
	// Of two who take it at once one finds nothing left to delete.
	n, err := s.OneTimeLink.Delete().Where(onetimelink.ID(id)).Exec(ctx)
	if err == nil && n == 0 {
		err = domain.Errorf(domain.NotFound, "there is no such link")
	}
	return domain.OneTimeLink{ID: row.ID, Client: domain.ClientID(row.Client), Sealed: row.Sealed, EndsAt: row.EndsAt.UTC()}, err
}
