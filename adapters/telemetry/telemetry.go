// Package telemetry tells what a process does, as OpenTelemetry traces: a span
// for each request and for each task, sent by OTLP when the standard variables
// (OTEL_EXPORTER_OTLP_ENDPOINT and its like) say where to. Nothing in it names a
// person: neither claims nor identifiers of enrollees become attributes.
package telemetry

import (
	"context"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

// name is what this instrumentation goes by.
const name = "cms.gov/ab2d"

// Start has the process's spans sent, and returns a function that sends the last
// of them. Where the variables name no endpoint it does nothing, and spans cost
// nothing.
func Start(ctx context.Context, version string) (stop func(context.Context) error, err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	own, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("ab2d"), semconv.ServiceVersion(version)))
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(own))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider.Shutdown, nil
}
