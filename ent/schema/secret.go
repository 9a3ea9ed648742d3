package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// Secret is a random value that all processes of one installation share.
type Secret struct{ ent.Schema }

// Fields of a secret.
func (Secret) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("name"),
		field.Bytes("value").Sensitive().Immutable(),
	}
}
