package telemetry

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"cms.gov/ab2d/domain"
)

// Each decorator makes its instruments once, from the provider that Start put in
// place. An error can only mean a name or unit that is malformed.

func counter(about, unit, description string) metric.Int64Counter {
	c, err := otel.Meter(name).Int64Counter(about, metric.WithUnit(unit), metric.WithDescription(description))
	if err != nil {
		otel.Handle(err)
	}
	return c
}

func histogram(about, description string, seconds ...float64) metric.Float64Histogram {
	h, err := otel.Meter(name).Float64Histogram(about, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(seconds...))
	if err != nil {
		otel.Handle(err)
	}
	return h
}

// quick are the buckets of what takes milliseconds, long those of what takes
// seconds to hours.
var (
	quick = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	long  = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
)

// done is the outcome of what did not fail.
const done = "done"

// outcomeOf is what is told of how something ended: the code of its error and
// no more, since an error's text may come from the claims source.
func outcomeOf(err error) string {
	if err == nil {
		return done
	}
	return string(domain.CodeOf(err))
}
