package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// AuditRecord tells of one thing that was done or refused. Rows are only ever
// added.
type AuditRecord struct{ ent.Schema }

// Fields of a record.
func (AuditRecord) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.Time("at").Immutable(),
		field.String("actor_kind").Immutable(),
		field.String("actor_id").Immutable(),
		field.String("actor_from").Immutable(),
		field.String("action").Immutable(),
		field.String("target").Immutable(),
		field.String("outcome").Immutable(),
		field.JSON("detail", map[string]string{}).Optional().Immutable(),
	}
}

// What of the trail is not just done is little, and what people look for in it:
// so it has indexes that hold nothing else. A query has to say these very words.
const (
	NotDone = "outcome <> 'done'"
	Refused = "outcome <> 'done' AND outcome <> 'repeated'"
)

// Indexes of records.
func (AuditRecord) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("outcome", "id").Annotations(entsql.IndexWhere(NotDone)),
		index.Fields("id").StorageKey("auditrecord_refused").Annotations(entsql.IndexWhere(Refused)),
		index.Fields("at"),
		index.Fields("target", "at"),
		index.Fields("action", "at"),
		index.Fields("actor_id", "at"),
	}
}
