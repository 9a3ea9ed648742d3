package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// Sponsor is a Part D plan sponsor.
type Sponsor struct{ ent.Schema }

// Fields of a sponsor.
func (Sponsor) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("name"),
		field.String("parent").Default(""),
	}
}

// Edges of a sponsor.
func (Sponsor) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("contracts", Contract.Type),
		edge.To("clients", APIClient.Type),
	}
}
