package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// SourceFigure is what came of the calls to a claims source in a stretch of time,
// of all processes together.
type SourceFigure struct{ ent.Schema }

// Fields of figures.
func (SourceFigure) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("source").Immutable(),
		field.Int("seconds").Immutable().Comment("how long the stretch is"),
		field.Time("begins_at").Immutable(),
		field.Int64("answered"),
		field.Int64("refused"),
		field.Int64("failed"),
		field.JSON("latencies", domain.Latencies{}).Optional(),
	}
}

// Indexes of figures.
func (SourceFigure) Indexes() []ent.Index {
	return []ent.Index{index.Fields("seconds", "begins_at", "source").Unique()}
}
