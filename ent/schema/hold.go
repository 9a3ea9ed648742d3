package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Hold is a change from upstream that waits for a person, or did.
type Hold struct{ ent.Schema }

// Fields of a hold.
func (Hold) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("kind").GoType(domain.HoldKind("")),
		field.String("contract").GoType(domain.ContractNumber("")),
		field.Time("at"),
		field.String("reason"),
		field.JSON("ends", []domain.ContractNumber{}).Optional(),
		field.Int("before"),
		field.Int("dropped"),
		field.String("state").GoType(domain.HoldState("")),
		field.Time("decided").Optional().Nillable(),
		field.JSON("decided_by", domain.Actor{}),
		field.String("note"),
	}
}

// Indexes of holds.
func (Hold) Indexes() []ent.Index {
	return []ent.Index{index.Fields("state", "at")}
}
