package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// Process is a process of ours that runs. Its id is made anew at each start.
type Process struct{ ent.Schema }

// Fields of a process.
func (Process) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("host"),
		field.Int("pid"),
		field.String("version"),
		field.JSON("roles", []string{}).Optional(),
		field.Time("started_at"),
		field.Int64("seen_at").Comment("milliseconds of the database's clock"),
		field.JSON("state", domain.ProcessState{}),
	}
}
