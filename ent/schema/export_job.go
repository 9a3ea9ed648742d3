package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// ExportJob is an export job.
type ExportJob struct{ ent.Schema }

// Fields of a job.
func (ExportJob) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").GoType(domain.JobID("")),
		field.String("sponsor").GoType(domain.SponsorID("")),
		field.String("client").GoType(domain.ClientID("")),
		field.JSON("contracts", []domain.ContractNumber{}),
		field.JSON("skipped", []domain.SkippedContract{}),
		field.Enum("fhir_version").GoType(domain.FHIRVersion("")),
		field.Text("request"),
		field.Time("since").Optional().Nillable(),
		field.Time("until").Optional().Nillable(),
		field.String("state").GoType(domain.JobState("")).Comment("jobs with terms have a mark behind it, which hides them from programs that do not know terms"),
		field.JSON("terms", domain.Terms{}).Optional(),
		field.Int("weight").Default(0),
		field.String("trace").Default(""),
		field.Time("created_at"),
		field.Time("started_at").Optional().Nillable(),
		field.Time("completed_at").Optional().Nillable(),
		field.Time("expires_at").Optional().Nillable(),
		field.Time("transaction_time").Optional().Nillable(),
		field.JSON("plans", []domain.ContractPlan{}),
		field.JSON("accounts", []domain.Account{}),
		field.JSON("failure", domain.Failure{}),
		field.JSON("partials", domain.Partials{}).Optional(),
		field.Int64("exported_bytes").Default(0).Comment("of its files, inflated; summed up as they are added, so that figures over many jobs need not look at them"),
	}
}

// Edges of a job.
func (ExportJob) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("held_contracts", JobContract.Type),
		edge.To("partitions", Partition.Type),
		edge.To("files", OutputFile.Type),
	}
}

// Indexes of jobs.
func (ExportJob) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("state", "created_at"),
		index.Fields("sponsor", "created_at"),
		index.Fields("created_at"),
		index.Fields("state", "expires_at"),
		index.Fields("completed_at"),
	}
}
