package telemetry

import (
	"context"
	"iter"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Files measures a store of files, and makes a span of each file that is
// written, from its creation to its commit. What Open returns is the store's
// own file, so that sending it can still be left to the kernel.
func Files(store ports.Files) ports.Files {
	return &files{Files: store, tracer: otel.Tracer(name),
		duration: histogram("ab2d.files.duration", "Time that operations of the store of files took; that of write is from the creation of a file to its end, with what was waited for.", quick...)}
}

type files struct {
	ports.Files
	tracer   trace.Tracer
	duration metric.Float64Histogram
}

// took tells how long an operation took. That a file is not there is an answer
// and no failure.
func (f *files) took(ctx context.Context, operation string, seconds float64, err error) {
	f.duration.Record(ctx, seconds, metric.WithAttributes(attribute.String("ab2d.operation", operation), attribute.String("ab2d.outcome", outcomeOf(err))))
}

// Create implements ports.Files.
func (f *files) Create(ctx context.Context, key string) (ports.FileWriter, error) {
	ctx, span := f.tracer.Start(ctx, "write file", trace.WithSpanKind(trace.SpanKindClient))
	begin := time.Now()
	w, err := f.Files.Create(ctx, key)
	f.took(ctx, "create", since(begin), err)
	if err != nil {
		ended(span, err)
		return nil, err
	}
	return &fileWriter{FileWriter: w, store: f, ctx: ctx, span: span, begin: begin}, nil
}

// Open implements ports.Files.
func (f *files) Open(ctx context.Context, key string) (ports.File, error) {
	begin := time.Now()
	file, err := f.Files.Open(ctx, key)
	f.took(ctx, "open", since(begin), err)
	return file, err
}

// Delete implements ports.Files.
func (f *files) Delete(ctx context.Context, key string) error {
	begin := time.Now()
	err := f.Files.Delete(ctx, key)
	f.took(ctx, "delete", since(begin), err)
	return err
}

// List implements ports.Files.
func (f *files) List(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		begin := time.Now()
		var failed error
		defer func() { f.took(ctx, "list", since(begin), failed) }()
		for info, err := range f.Files.List(ctx, prefix) {
			failed = err
			if !yield(info, err) {
				return
			}
		}
	}
}

// fileWriter counts what is written to one file. It does not look at the clock
// for each write: packed bytes come in pieces of a few hundred, and that alone
// would cost a hundredth of the whole path.
type fileWriter struct {
	ports.FileWriter
	store  *files
	ctx    context.Context
	span   trace.Span
	begin  time.Time
	bytes  int64
	failed error // of the first write that did
	over   bool
}

func (w *fileWriter) Write(b []byte) (int, error) {
	n, err := w.FileWriter.Write(b)
	w.bytes += int64(n)
	if w.failed == nil {
		w.failed = err
	}
	return n, err
}

func (w *fileWriter) Commit() error {
	begin := time.Now()
	err := w.FileWriter.Commit()
	w.store.took(w.ctx, "commit", since(begin), err)
	w.end(err)
	return err
}

func (w *fileWriter) Abort() error {
	err := w.FileWriter.Abort()
	if !w.over {
		w.span.SetAttributes(attribute.Bool("ab2d.aborted", true))
	}
	w.end(w.failed)
	return err
}

func (w *fileWriter) end(err error) {
	if w.over {
		return
	}
	w.over = true
	w.store.took(w.ctx, "write", since(w.begin), w.failed)
	w.span.SetAttributes(attribute.Int64("ab2d.bytes", w.bytes))
	ended(w.span, err)
}

// ended ends a span with no more than the code of the error.
func ended(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(domain.CodeOf(err)))
	}
	span.End()
}
