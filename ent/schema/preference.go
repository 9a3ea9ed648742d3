package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Preference is what a beneficiary said about sharing claims, under one MBI.
// Rows are only ever added.
type Preference struct{ ent.Schema }

// Fields of a preference.
func (Preference) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("mbi").Sensitive().Immutable(),
		field.Bool("shares").Immutable(),
		field.Int32("effective").GoType(domain.Date(0)).Immutable().Comment("yyyymmdd, a civil date"),
		field.Time("recorded").Immutable(),
		field.String("source").Immutable(),
	}
}

// Indexes of preferences.
func (Preference) Indexes() []ent.Index {
	return []ent.Index{index.Fields("mbi", "effective", "recorded", "shares", "source").Unique()}
}
