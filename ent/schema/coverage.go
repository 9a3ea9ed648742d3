package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Coverage is one enrollee of a contract as it stood from one version of the
// enrollment up to, and without, another. These rows, those of GatheredEnrollee
// on their way here, and those of Preference hold Medicare Beneficiary Identifiers.
//
// On Postgres the patient column has the collation "C" (see
// adapters/entstore/migrations), so that both databases put people in the byte
// order of their ids.
type Coverage struct{ ent.Schema }

// Annotations of coverage.
func (Coverage) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("coverage")}
}

// Fields of coverage.
func (Coverage) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.String("patient").GoType(domain.PatientID("")).Immutable(),
		field.Int64("from_version").GoType(domain.EnrollmentVersion(0)).Immutable(),
		field.Int64("until_version").GoType(domain.EnrollmentVersion(0)).Optional().Nillable().Comment("null while in force"),
		field.Bytes("months").Immutable().Comment("one bit a month from January 2006"),
		field.String("mbi").Immutable().Sensitive().Comment("the current one; empty when none is in force"),
		field.String("historic_mbis").Immutable().Sensitive().Comment("separated by spaces"),
	}
}

// Indexes of coverage.
func (Coverage) Indexes() []ent.Index {
	return []ent.Index{index.Fields("contract", "patient", "from_version").Unique()}
}
