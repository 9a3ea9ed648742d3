package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// GatheredEnrollee is a person whom a pass over a contract's enrollment has met
// so far. Rows go when the pass has come into force, or came to nothing. On
// Postgres the patient column has the collation "C", as that of coverage.
type GatheredEnrollee struct{ ent.Schema }

// Fields of a gathered enrollee.
func (GatheredEnrollee) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.String("patient").GoType(domain.PatientID("")).Immutable(),
		field.Bytes("months").Comment("one bit a month from January 2006"),
		field.String("mbi").Sensitive().Comment("the current one; empty when none is in force"),
		field.String("historic_mbis").Sensitive().Comment("separated by spaces"),
	}
}

// Indexes of gathered enrollees.
func (GatheredEnrollee) Indexes() []ent.Index {
	return []ent.Index{index.Fields("contract", "patient").Unique()}
}
