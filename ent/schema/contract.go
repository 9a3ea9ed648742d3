package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// Contract is a Part D contract. Its id is its number. Kick-offs lock its row
// while they count the contract's running jobs.
type Contract struct{ ent.Schema }

// Fields of a contract.
func (Contract) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("number"),
		field.String("name"),
		field.String("sponsor_id"),
	}
}

// Edges of a contract.
func (Contract) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("sponsor", Sponsor.Type).Ref("contracts").Field("sponsor_id").Unique().Required(),
	}
}
