package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// Errand is something that one process at a time does again and again. Its id
// is its name.
type Errand struct{ ent.Schema }

// Fields of an errand.
func (Errand) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("name"),
		field.String("token").Default("").Comment("empty when nobody has it"),
		field.Int64("held_until").Default(0).Comment("milliseconds of the database's clock"),
		field.Int64("rests_until").Default(0).Comment("milliseconds of the database's clock"),
		field.JSON("last", &domain.ErrandRun{}).Optional().Comment("what came of it the last time"),
	}
}
