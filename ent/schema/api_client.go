package schema

import (
	"net/netip"

	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// APIClient is one credential of a sponsor. It holds no secret, only
// hashes. (Client is a name that the generated code keeps for itself.)
type APIClient struct{ ent.Schema }

// Fields of a client.
func (APIClient) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("sponsor_id"),
		field.String("name"),
		field.JSON("contracts", []domain.ContractNumber{}),
		field.Bool("enabled"),
		field.JSON("networks", []netip.Prefix{}),
		field.String("jwks_url").Default(""),
		field.Text("jwks").Default(""),
		field.JSON("secrets", []domain.ClientSecret{}).Optional().Sensitive(),
		field.Time("created_at"),
	}
}

// Edges of a client.
func (APIClient) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("sponsor", Sponsor.Type).Ref("clients").Field("sponsor_id").Unique().Required(),
	}
}
