package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// OneTimeLink holds a secret, sealed with a key that only the link has, until it
// is opened. The id is the digest of that key.
type OneTimeLink struct{ ent.Schema }

// Fields of a link.
func (OneTimeLink) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("client"),
		field.Bytes("sealed").Sensitive(),
		field.Time("ends_at"),
	}
}

// Indexes of links.
func (OneTimeLink) Indexes() []ent.Index {
	return []ent.Index{index.Fields("ends_at")}
}
