package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// Sponsor is a Part D plan sponsor.
type Sponsor struct{ ent.Schema }

// Fields of a sponsor.
func (Sponsor) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("name"),
		field.String("parent").Default(""),
		field.String("updates").GoType(domain.Updates("")).Default(""),
		field.Bool("inactive").Default(false),
		field.String("merged_into").Default(""),
	}
}

// Edges of a sponsor.
func (Sponsor) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("contracts", Contract.Type),
		edge.To("clients", APIClient.Type),
	}
}
