package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Partition is the slice of a job that one worker writes. The lease and the
// result stand in the row itself, so that publishing is one row change.
type Partition struct{ ent.Schema }

// Fields of a partition.
func (Partition) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("job_id").GoType(domain.JobID("")).Immutable(),
		field.Int("seq").Immutable(),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.String("key_from").GoType(domain.PatientID("")).Immutable(),
		field.String("key_to").GoType(domain.PatientID("")).Immutable(),
		field.Int("members").Immutable(),
		field.Enum("state").GoType(domain.PartitionState("")),
		field.Int("attempt").Default(0),
		field.Int("processed").Default(0),
		field.JSON("result", domain.PartitionResult{}).Optional(),
		field.String("lease_token").Optional().Nillable().Comment("null when nobody holds it"),
		field.Int64("lease_until").Optional().Nillable().Comment("milliseconds of the database's clock"),
		field.Int64("queued_at").Default(0).Comment("milliseconds of the database's clock"),
	}
}

// Edges of a partition.
func (Partition) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("job", ExportJob.Type).Ref("partitions").Field("job_id").Unique().Required().Immutable(),
	}
}

// Indexes of partitions.
func (Partition) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("job_id", "seq").Unique(),
		index.Fields("state", "queued_at"),
		index.Fields("job_id", "state", "seq"),
		index.Fields("lease_until"),
	}
}
