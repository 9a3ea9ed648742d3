package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"cms.gov/ab2d/domain"
)

// Poll is the last answered status request of a client for a job.
type Poll struct{ ent.Schema }

// Fields of a poll.
func (Poll) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("job_id").GoType(domain.JobID("")).Immutable(),
		field.String("client").GoType(domain.ClientID("")).Immutable(),
		field.Time("at"),
		field.Int64("retry_after").Comment("nanoseconds"),
	}
}

// Indexes of polls.
func (Poll) Indexes() []ent.Index {
	return []ent.Index{index.Fields("job_id", "client").Unique()}
}
