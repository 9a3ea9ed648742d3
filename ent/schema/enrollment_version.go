package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// EnrollmentVersion names one state of a contract's enrollment. Versions count
// from 1 within their contract.
type EnrollmentVersion struct{ ent.Schema }

// Fields of a version.
func (EnrollmentVersion) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.Int64("version").GoType(domain.EnrollmentVersion(0)).Immutable(),
		field.Time("recorded_at").Immutable(),
		field.Time("confirmed_at").Optional().Nillable().Comment("when a later load last changed nothing"),
	}
}

// Indexes of versions.
func (EnrollmentVersion) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("contract", "version").Unique(),
		index.Fields("contract", "recorded_at"),
	}
}
