package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
)

// exports does the work of exports; see produce.UseCase.
type exports interface {
	TraceOf(ctx context.Context, id domain.JobID) (string, error)
	Plan(ctx context.Context, id domain.JobID) error
	Take(ctx context.Context) (produce.Work, error)
	Do(ctx context.Context, w produce.Work) (domain.PartitionResult, error)
}

// Tasks does what tasks ask for, each within a span of the trace that began
// with the request for the export, and counts what came of it.
type Tasks struct {
	exports exports
	tracer  trace.Tracer

	planned    metric.Float64Histogram
	duration   metric.Float64Histogram
	partitions metric.Int64Counter
	enrollees  metric.Int64Counter
	exported   metric.Int64Counter
	excluded   metric.Int64Counter
	written    metric.Int64Counter
}

// NewTasks returns the handler of tasks that has e do them.
func NewTasks(e exports) *Tasks {
	return &Tasks{exports: e, tracer: otel.Tracer(name),
		planned:    histogram("ab2d.plan.duration", "Time that planning an export took.", long...),
		duration:   histogram("ab2d.partition.duration", "Time that an attempt at a partition took.", long...),
		partitions: counter("ab2d.partitions", "{partition}", "Attempts at partitions by what came of them; lost ones bound nothing."),
		enrollees:  counter("ab2d.enrollees", "{enrollee}", "Enrollees of bound partitions, each in one column."),
		exported:   counter("ab2d.claims.exported", "{claim}", "Claims in the files of bound partitions."),
		excluded:   counter("ab2d.claims.excluded", "{claim}", "Claims that the rules kept out of bound partitions, by rule; a total of this process only."),
		written:    counter("ab2d.bytes.written", "By", "Bytes of bound files, in each form."),
	}
}

// Plan plans a job.
func (t *Tasks) Plan(ctx context.Context, id domain.JobID) error {
	// A job that cannot be read is for planning to tell.
	if parent, err := t.exports.TraceOf(ctx, id); err == nil {
		ctx = under(ctx, parent)
	}
	begin := time.Now()
	ctx, span := t.tracer.Start(ctx, "plan export", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(jobKey.String(string(id))))
	err := t.exports.Plan(ctx, id)
	t.planned.Record(ctx, since(begin), metric.WithAttributes(outcomeKey.String(outcomeOf(err))))
	ended(span, err)
	return err
}

// Write writes the partition whose turn it is; for which one the task was
// queued does not matter. That there is none is not told.
func (t *Tasks) Write(ctx context.Context, _ domain.PartitionID) error {
	begin := time.Now()
	w, err := t.exports.Take(ctx)
	if err != nil {
		return err
	}
	id := w.Lease.Partition.ID
	ctx, span := t.tracer.Start(withReads(under(ctx, w.Job.Trace)), "write partition", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(begin),
		trace.WithAttributes(jobKey.String(string(id.Job)), attribute.Int("ab2d.partition", id.Seq), attribute.Int("ab2d.attempt", w.Lease.Attempt)))
	result, err := t.exports.Do(ctx, w)
	t.count(ctx, since(begin), result, err)
	span.SetAttributes(attribute.Int("ab2d.enrollees", result.Columns.Enrollees()), attribute.Int("ab2d.claims", result.Claims))
	ended(span, err)
	return err
}

const (
	jobKey     = attribute.Key("ab2d.job")
	outcomeKey = attribute.Key("ab2d.outcome")
)

// lost is the outcome of an attempt that bound nothing, since the partition
// went to another or was no longer wanted.
const lost = "lost"

func (t *Tasks) count(ctx context.Context, seconds float64, r domain.PartitionResult, err error) {
	how := outcomeOf(err)
	bound := r.Columns.Enrollees() > 0 // no partition is without enrollees
	switch {
	case bound:
		how = done // an error after that is of completing the job
	case err == nil:
		how = lost
	}
	outcome := metric.WithAttributes(outcomeKey.String(how))
	t.duration.Record(ctx, seconds, outcome)
	t.partitions.Add(ctx, 1, outcome)
	if !bound {
		return
	}
	for column, n := range map[string]int{"exported": r.Columns.Exported, "no_claims": r.Columns.NoClaims, "opted_out": r.Columns.OptedOut, "failed": r.Columns.Failed} {
		t.enrollees.Add(ctx, int64(n), metric.WithAttributes(attribute.String("ab2d.column", column)))
	}
	t.exported.Add(ctx, int64(r.Claims))
	for reason, n := range r.Excluded {
		t.excluded.Add(ctx, int64(n), metric.WithAttributes(attribute.String("ab2d.reason", reason)))
	}
	var plain, stored int64
	for _, f := range r.Files {
		plain, stored = plain+f.Plain.Bytes, stored+f.Stored.Bytes
	}
	t.written.Add(ctx, plain, metric.WithAttributes(formKey.String("plain")))
	t.written.Add(ctx, stored, metric.WithAttributes(formKey.String("stored")))
}

const formKey = attribute.Key("ab2d.form")
