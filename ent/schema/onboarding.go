package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"cms.gov/ab2d/domain"
)

// Onboarding is how far a contract is on its way to production access, as far
// as staff have to say it. The id is the contract's number.
type Onboarding struct{ ent.Schema }

// Fields of an onboarding.
func (Onboarding) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("contract"),
		field.JSON("body", domain.Onboarding{}),
	}
}
