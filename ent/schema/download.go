package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Download is what one client was sent of one file in one form.
type Download struct{ ent.Schema }

// Fields of a download.
func (Download) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("job_id").GoType(domain.JobID("")).Immutable(),
		field.String("file").Immutable(),
		field.String("client").GoType(domain.ClientID("")).Immutable(),
		field.String("form").GoType(domain.Form("")).Immutable(),
		field.JSON("sent", []domain.ByteRange{}).Optional(),
		field.Int("fetches").Default(0),
		field.Time("fetched_at").Optional().Nillable(),
		field.Time("last").Optional().Nillable(),
	}
}

// Indexes of downloads.
func (Download) Indexes() []ent.Index {
	return []ent.Index{index.Fields("job_id", "file", "client", "form").Unique()}
}
