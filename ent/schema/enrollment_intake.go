package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// EnrollmentIntake is how far the enrollment of a contract has been taken in
// from its source. Its id is the contract's number.
type EnrollmentIntake struct{ ent.Schema }

// Fields of an intake.
func (EnrollmentIntake) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("contract"),
		field.JSON("months", []domain.MonthIntake{}).Optional(),
		field.JSON("pass", &domain.Pass{}).Optional(),
	}
}
