package entstore

import (
	"context"
	"strings"

	"entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/auditrecord"
	"cms.gov/ab2d/ent/predicate"
	"cms.gov/ab2d/ent/schema"
	"cms.gov/ab2d/ports"
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

// worded is a condition in its own words, by which a partial index is known to hold.
func worded(condition string) predicate.AuditRecord {
	return func(s *sql.Selector) { s.Where(sql.ExprP(condition)) }
}

// Search implements ports.AuditLog.
func (s *Store) Search(ctx context.Context, q ports.AuditQuery) ([]ports.AuditEntry, error) {
	query := s.reader.AuditRecord.Query()
	if q.Actor != "" {
		query.Where(auditrecord.ActorID(q.Actor))
	}
	if strings.HasSuffix(q.Action, ".") {
		query.Where(auditrecord.ActionHasPrefix(q.Action))
	} else if q.Action != "" {
		query.Where(auditrecord.Action(q.Action))
	}
	if q.Target != "" { // '0' is the character behind '/'
		query.Where(auditrecord.Or(auditrecord.Target(q.Target), auditrecord.And(auditrecord.TargetGT(q.Target+"/"), auditrecord.TargetLT(q.Target+"0"))))
	}
	switch q.Outcome {
	case "":
	case "done":
		query.Where(auditrecord.Outcome(q.Outcome))
	case "refused":
		query.Where(worded(schema.Refused))
	default:
		query.Where(worded(schema.NotDone), auditrecord.Outcome(q.Outcome))
	}
	if !q.From.IsZero() {
		query.Where(auditrecord.AtGTE(kept(q.From)))
	}
	if !q.To.IsZero() {
		query.Where(auditrecord.AtLT(kept(q.To)))
	}
	if q.Before > 0 {
		query.Where(auditrecord.IDLT(q.Before))
	}
	if q.Limit <= 0 {
		q.Limit = listed
	}
	order := auditrecord.OrderOption(ent.Desc(auditrecord.FieldID))
	if q.Target != "" { // an expression, so that the index of targets is gone by, and not all records from the last on
		order = func(s *sql.Selector) { s.OrderExpr(sql.Expr("id + 0 DESC")) }
	}
	rows, err := query.Order(order).Limit(q.Limit).All(ctx)
	return all(rows, func(r *ent.AuditRecord) ports.AuditEntry {
		return ports.AuditEntry{Number: r.ID, AuditRecord: auditFromRow(r)}
	}), s.told(err)
}
