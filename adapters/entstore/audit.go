package entstore

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/auditrecord"
)

// audit implements ports.Audit.
type audit struct{ unit }

func (s audit) Record(ctx context.Context, r domain.AuditRecord) error {
	create := s.AuditRecord.Create().SetAt(kept(r.At)).
		SetActorKind(r.Actor.Kind).SetActorID(r.Actor.ID).SetActorFrom(r.Actor.From).
		SetAction(r.Action).SetTarget(r.Target).SetOutcome(r.Outcome)
	if r.Detail != nil {
		create.SetDetail(r.Detail)
	}
	return create.Exec(ctx)
}

// Find implements ports.AuditLog.
func (s *Store) Find(ctx context.Context, action, target string, limit int) ([]domain.AuditRecord, error) {
	query := s.reader.AuditRecord.Query()
	if action != "" {
		query.Where(auditrecord.Action(action))
	}
	if target != "" {
		query.Where(auditrecord.Target(target))
	}
	rows, err := query.Order(ent.Desc(auditrecord.FieldAt, auditrecord.FieldID)).Limit(limit).All(ctx)
	return all(rows, auditFromRow), s.told(err)
}
