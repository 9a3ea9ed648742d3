package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// JobContract finds the jobs of a contract. The job's own list is the one that
// counts and gives the order.
type JobContract struct{ ent.Schema }

// Fields of the entry.
func (JobContract) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("job_id").GoType(domain.JobID("")).Immutable(),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
	}
}

// Edges of the entry.
func (JobContract) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("job", ExportJob.Type).Ref("held_contracts").Field("job_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entries.
func (JobContract) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("contract", "job_id").Unique(),
		index.Fields("job_id"),
	}
}
