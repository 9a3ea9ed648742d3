package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// AttestationEvent is one entry of a contract's attestation history. Rows are
// only ever added. The number gives the order in which they were.
type AttestationEvent struct{ ent.Schema }

// Fields of an event.
func (AttestationEvent) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").StorageKey("number"),
		field.String("event_id").Unique().Immutable(),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.String("kind").GoType(domain.AttestationKind("")).Immutable(),
		field.String("attestor_name").Immutable(),
		field.String("attestor_office").Immutable(),
		field.Int32("effective").GoType(domain.Date(0)).Immutable().Comment("yyyymmdd, a civil date"),
		field.Int32("data_start").GoType(domain.Date(0)).Default(0).Immutable().Comment("as HPMS gives it; 0 where the rules decide"),
		field.Time("recorded").Immutable(),
		field.String("source").Immutable(),
		field.JSON("actor", domain.Actor{}).Immutable(),
		field.String("reason").Immutable(),
		field.String("corrects").Immutable(),
		field.String("corrected_kind").GoType(domain.AttestationKind("")).Immutable(),
	}
}

// Indexes of events.
func (AttestationEvent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("contract", "id")}
}
