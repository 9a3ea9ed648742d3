package entstore

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/hold"
)

// holds implements ports.Holds.
type holds struct{ unit }

func (s holds) Put(ctx context.Context, h domain.Hold) error {
	create := s.Hold.Create().SetID(h.ID).SetKind(h.Kind).SetContract(h.Contract).SetAt(kept(h.At)).SetReason(h.Reason).SetEnds(h.Ends).
		SetBefore(h.Before).SetDropped(h.Dropped).SetState(h.State).SetDecidedBy(h.By).SetNote(h.Note)
	if !h.Decided.IsZero() {
		create.SetDecided(kept(h.Decided))
	}
	return create.OnConflictColumns(hold.FieldID).UpdateNewValues().Exec(ctx)
}

func (s holds) Get(ctx context.Context, id string) (domain.Hold, error) {
	query := s.Hold.Query().Where(hold.ID(id))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return domain.Hold{}, missing(err, "there is nothing held as %s", id)
	}
	return holdFromRow(row), nil
}

func (s holds) Find(ctx context.Context, kind domain.HoldKind, state domain.HoldState) ([]domain.Hold, error) {
	query := s.Hold.Query()
	if kind != "" {
		query.Where(hold.Kind(kind))
	}
	if state != "" {
		query.Where(hold.State(state))
	}
	rows, err := query.Order(ent.Asc(hold.FieldAt, hold.FieldID)).All(ctx)
	return all(rows, holdFromRow), err
}
