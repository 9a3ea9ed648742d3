package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Session is a browser that a person uses the console with. Its id is the
// digest of the key that the browser holds.
type Session struct{ ent.Schema }

// Fields of a session.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("staff").Comment("empty before the person has signed in"),
		field.String("name"),
		field.JSON("roles", []domain.Role{}),
		field.String("address"),
		field.String("request"),
		field.String("form_token").Sensitive(),
		field.Time("created_at"),
		field.Time("seen_at"),
		field.Time("ends_at"),
		field.Time("agreed_at").Optional().Nillable(),
		field.String("provider"),
		field.JSON("notes", map[string]string{}).Optional().Sensitive(),
	}
}

// Indexes of sessions.
func (Session) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("ends_at"),
		index.Fields("staff"),
		index.Fields("provider"),
	}
}
