package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// OutputFile is a file of a successful job under its public name. Its id gives
// the order in which files were added.
type OutputFile struct{ ent.Schema }

// Fields of a file.
func (OutputFile) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("job_id").GoType(domain.JobID("")).Immutable(),
		field.String("name").Immutable(),
		field.String("contract").GoType(domain.ContractNumber("")).Immutable(),
		field.Enum("kind").GoType(domain.FileKind("")).Immutable(),
		field.String("key").Immutable(),
		field.Int("lines").Immutable(),
		field.Int64("plain_bytes").Immutable(),
		field.String("plain_sha256").Immutable(),
		field.Int64("stored_bytes").Immutable(),
		field.String("stored_sha256").Immutable(),
		field.Bytes("index").Optional().Immutable(),
		field.Bool("continues").Optional().Immutable(),
	}
}

// Edges of a file.
func (OutputFile) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("job", ExportJob.Type).Ref("files").Field("job_id").Unique().Required().Immutable(),
	}
}

// Indexes of files.
func (OutputFile) Indexes() []ent.Index {
	return []ent.Index{index.Fields("job_id", "name").Unique()}
}
