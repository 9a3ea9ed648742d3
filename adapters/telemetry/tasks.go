package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"cms.gov/ab2d/domain"
)

// handler does the work that tasks ask for.
type handler interface {
	Plan(ctx context.Context, id domain.JobID) error
	Write(ctx context.Context, id domain.PartitionID) error
}

// Tasks gives each task that a handler does a span.
type Tasks struct{ handler }

// NewTasks returns h with spans.
func NewTasks(h handler) Tasks { return Tasks{h} }

// Plan plans a job within a span.
func (t Tasks) Plan(ctx context.Context, id domain.JobID) error {
	return within(ctx, "plan export", func(ctx context.Context) error { return t.handler.Plan(ctx, id) },
		attribute.String("ab2d.job", string(id)))
}

// Write writes a partition within a span.
func (t Tasks) Write(ctx context.Context, id domain.PartitionID) error {
	return within(ctx, "write partition", func(ctx context.Context) error { return t.handler.Write(ctx, id) },
		attribute.String("ab2d.job", string(id.Job)), attribute.Int("ab2d.partition", id.Seq))
}

func within(ctx context.Context, what string, do func(context.Context) error, about ...attribute.KeyValue) error {
	ctx, span := otel.Tracer(name).Start(ctx, what, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(about...))
	defer span.End()
	err := do(ctx)
	if err != nil {
		// The code and no more: an error's text may come from the claims source.
		span.SetStatus(codes.Error, string(domain.CodeOf(err)))
	}
	return err
}
