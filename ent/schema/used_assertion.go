package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// UsedAssertion is a signed assertion that a client proved itself with. It is
// kept until it expires, so that it does not count again.
type UsedAssertion struct{ ent.Schema }

// Fields of a used assertion.
func (UsedAssertion) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").Comment("SHA-256 of its issuer and id"),
		field.Int64("until").Immutable().Comment("milliseconds"),
	}
}

// Indexes of used assertions.
func (UsedAssertion) Indexes() []ent.Index {
	return []ent.Index{index.Fields("until")}
}
