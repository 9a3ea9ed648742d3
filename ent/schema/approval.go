package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Approval is something that one person asked for and another has to approve.
type Approval struct{ ent.Schema }

// Annotations of approvals: the database itself refuses that one person is both.
func (Approval) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"approved_by_another": "state <> 'approved' OR decided_by <> asked_by"})}
}

// Fields of an approval.
func (Approval) Fields() []ent.Field {
	return []ent.Field{
		field.String("id"),
		field.String("state").GoType(domain.ApprovalState("")),
		field.String("asked_by"),
		field.String("decided_by").Default(""),
		field.Time("asked_at"),
		field.JSON("body", domain.Approval{}),
	}
}

// Indexes of approvals.
func (Approval) Indexes() []ent.Index {
	return []ent.Index{index.Fields("state", "asked_at"), index.Fields("asked_at")}
}
