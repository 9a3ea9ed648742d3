package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// RateLimit is what was taken of something that is bounded in how often it may
// be done: the time from when on it is as if nothing had been.
type RateLimit struct{ ent.Schema }

// Fields of a limit.
func (RateLimit) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("key"),
		field.Int64("fresh").Comment("milliseconds, by the database's clock"),
	}
}

// Indexes of limits.
func (RateLimit) Indexes() []ent.Index {
	return []ent.Index{index.Fields("fresh")}
}
