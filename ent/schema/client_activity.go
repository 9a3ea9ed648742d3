package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// ClientActivity tells when a client was last let in and when not.
type ClientActivity struct{ ent.Schema }

// Fields of an activity.
func (ClientActivity) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("client_id"),
		field.Time("last_used").Optional().Nillable(),
		field.String("last_from").Default(""),
		field.Int("failures").Default(0),
		field.Time("last_failed").Optional().Nillable(),
	}
}
