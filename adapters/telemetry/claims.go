package telemetry

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"cms.gov/ab2d/ports"
)

// Claims measures a source of claims.
//
// How long each enrollee's claims took goes into a histogram. A span for each
// would make millions of spans of a large export, which collectors charge for
// and nobody reads. So the first read of each partition is a span, which shows
// where in the trace the source is, and beside it what somebody may look for:
// reads that failed or were slow. Even of those there is a bound, for when the
// source is away as a whole; the histogram has them all.
func Claims(source ports.Claims) ports.Claims {
	return &claims{Claims: source, tracer: otel.Tracer(name),
		duration: histogram("ab2d.source.duration", "Time from asking for an enrollee's claims to the end of the answer, with what was done to each claim meanwhile.", quick...),
		read:     counter("ab2d.claims.read", "{claim}", "Claims that came from the source, before any rule."),
		whole:    []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(outcomeKey.String(done)))},
	}
}

const (
	slowRead     = time.Second
	spansOfReads = 16 // of one partition
)

// reads counts the spans of reads in one partition.
type reads struct{ spans atomic.Int32 }

type readsKey struct{}

// withReads returns the context of a partition.
func withReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, readsKey{}, &reads{})
}

// wanted reports whether a read is to be a span.
func (r *reads) wanted(notable bool) bool {
	if r == nil {
		return false
	}
	limit := int32(1)
	if notable {
		limit = spansOfReads
	}
	return r.spans.Load() < limit && r.spans.Add(1) <= limit
}

type claims struct {
	ports.Claims
	tracer   trace.Tracer
	duration metric.Float64Histogram
	read     metric.Int64Counter
	whole    []metric.RecordOption // of a read that did not fail, made once: it is made use of for every enrollee
}

// Read implements ports.Claims.
func (c *claims) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	begin := time.Now()
	r, err := c.Claims.Read(ctx, q)
	if err != nil {
		c.over(ctx, begin, 0, err)
		return nil, err
	}
	counted := claimReader{ClaimReader: r, source: c, ctx: ctx, begin: begin, end: errAbandoned}
	if open, ok := r.(ports.OpenClaimReader); ok {
		return &openClaimReader{counted, open}, nil
	}
	return &counted, nil
}

// over tells of a read that is over.
func (c *claims) over(ctx context.Context, begin time.Time, n int64, err error) {
	end, how := time.Now(), outcomeOf(err)
	if errors.Is(err, errAbandoned) || err != nil && ctx.Err() != nil {
		how = abandoned
	}
	about := c.whole
	if how != done {
		about = []metric.RecordOption{metric.WithAttributes(outcomeKey.String(how))}
	}
	c.duration.Record(ctx, end.Sub(begin).Seconds(), about...)
	c.read.Add(ctx, n)
	r, _ := ctx.Value(readsKey{}).(*reads)
	if !r.wanted(how != done && how != abandoned || end.Sub(begin) > slowRead) {
		return
	}
	_, span := c.tracer.Start(ctx, "read claims", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(begin),
		trace.WithAttributes(outcomeKey.String(how), attribute.Int64("ab2d.claims", n)))
	if how != done && how != abandoned {
		span.SetStatus(codes.Error, how)
	}
	span.End(trace.WithTimestamp(end))
}

// abandoned is the outcome of a read that nobody wanted to the end.
const abandoned = "abandoned"

var errAbandoned = errors.New("closed before the end")

// claimReader counts what it reads. It is told of when it is closed.
type claimReader struct {
	ports.ClaimReader
	source *claims
	ctx    context.Context
	begin  time.Time
	n      int64
	end    error // what Next returned instead of a claim, or that it never did
}

func (r *claimReader) Next() ([]byte, error) {
	claim, err := r.ClaimReader.Next()
	if err != nil {
		r.end = err
	} else {
		r.n++
	}
	return claim, err
}

// openClaimReader counts what who reads finds the end of, too.
type openClaimReader struct {
	claimReader
	open ports.OpenClaimReader
}

func (r *openClaimReader) Begun(beyond int) []byte { return r.open.Begun(beyond) }

func (r *openClaimReader) Ended(n int) {
	r.n++
	r.open.Ended(n)
}

func (r *claimReader) Close() error {
	err := r.ClaimReader.Close()
	if r.source == nil {
		return err // closed again
	}
	source, how := r.source, r.end
	r.source = nil
	if errors.Is(how, io.EOF) {
		how = err
	}
	source.over(r.ctx, r.begin, r.n, how)
	return err
}
