package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// IdempotencyKey is the job that a key of a client stands for. The job may be
// gone while the key is still there, and so it is no edge.
type IdempotencyKey struct{ ent.Schema }

// Fields of a key.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("client").GoType(domain.ClientID("")).Immutable(),
		field.String("key").Immutable(),
		field.String("request"),
		field.String("job_id").GoType(domain.JobID("")),
		field.Time("at"),
	}
}

// Indexes of keys.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("client", "key").Unique(), index.Fields("at")}
}
