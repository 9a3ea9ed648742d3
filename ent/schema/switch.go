package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
)

// RunSwitch is a setting that staff change while everything runs. (Switch is a
// word of the language.)
type RunSwitch struct{ ent.Schema }

// Annotations of switches.
func (RunSwitch) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("switches")}
}

// Fields of a switch.
func (RunSwitch) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("name"),
		field.String("value"),
		field.Time("changed_at"),
		field.String("changed_by"),
	}
}
