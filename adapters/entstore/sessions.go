package entstore

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/predicate"
	"cms.gov/ab2d/ent/runswitch"
	"cms.gov/ab2d/ent/session"
	"cms.gov/ab2d/ports"
)

// sessions implements ports.Sessions.
type sessions struct{ unit }

func (s sessions) Put(ctx context.Context, v domain.Session) error {
	create := s.Session.Create().SetID(v.ID)
	sessionToRow(create.Mutation(), v)
	put := create.OnConflictColumns(session.FieldID).UpdateNewValues()
	if v.AgreedAt.IsZero() {
		put.ClearAgreedAt() // no new value, so it would keep the old one
	}
	return put.Exec(ctx)
}

func (s sessions) Get(ctx context.Context, id string) (domain.Session, error) {
	row, err := s.Session.Get(ctx, id)
	if err != nil {
		return domain.Session{}, missing(err, "there is no such session")
	}
	return sessionFromRow(row), nil
}

func (s sessions) Remove(ctx context.Context, m ports.SessionMatch) (int, error) {
	var match []predicate.Session
	if m.ID != "" {
		match = append(match, session.ID(m.ID))
	}
	if m.Staff != "" {
		match = append(match, session.Staff(m.Staff))
	}
	if m.Provider != "" {
		match = append(match, session.Provider(m.Provider))
	}
	if !m.EndedBefore.IsZero() {
		match = append(match, session.EndsAtLT(kept(m.EndedBefore)))
	}
	if len(match) == 0 {
		return 0, nil
	}
	return s.Session.Delete().Where(match...).Exec(ctx)
}

func (s sessions) List(ctx context.Context, endAfter time.Time) ([]domain.Session, error) {
	rows, err := s.Session.Query().Where(session.StaffNEQ(""), session.EndsAtGT(kept(endAfter))).
		Order(ent.Desc(session.FieldSeenAt, session.FieldID)).All(ctx)
	return all(rows, sessionFromRow), err
}

// switches implements ports.Switches.
type switches struct{ unit }

func (s switches) Put(ctx context.Context, v domain.Switch) error {
	return s.RunSwitch.Create().SetID(v.Name).SetValue(v.Value).SetChangedAt(kept(v.ChangedAt)).SetChangedBy(v.ChangedBy).
		OnConflictColumns(runswitch.FieldID).UpdateNewValues().Exec(ctx)
}

func (s switches) Get(ctx context.Context, name string) (domain.Switch, error) {
	row, err := s.RunSwitch.Get(ctx, name)
	if ent.IsNotFound(err) {
		return domain.Switch{Name: name}, nil
	} else if err != nil {
		return domain.Switch{}, err
	}
	return domain.Switch{Name: row.ID, Value: row.Value, ChangedAt: row.ChangedAt.UTC(), ChangedBy: row.ChangedBy}, nil
}
