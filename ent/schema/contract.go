package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
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
		field.String("type").GoType(domain.ContractType("")).Default(""),
		field.String("updates").GoType(domain.Updates("")).Default(""),
		field.Bool("listed").Default(false),
		field.Int32("ends").GoType(domain.Date(0)).Default(0).Comment("yyyymmdd, a civil date; 0 for none"),
		field.Int("enrolled").Default(0),
		field.Int("eligible").Default(0),
	}
}

// Edges of a contract.
func (Contract) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("sponsor", Sponsor.Type).Ref("contracts").Field("sponsor_id").Unique().Required(),
	}
}
