// Package telemetry tells what a process does: OpenTelemetry traces and metrics,
// sent by OTLP where the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT and its
// like) say where to, the same metrics for Prometheus, and the ids of the trace
// in the lines of the log.
//
// One trace goes from the request that starts an export to the files that came
// of it, through whatever processes that took.
//
// Nothing in it names a person or opens a door: neither claims nor ids of
// enrollees, neither tokens nor addresses with what they ask for become
// attributes, and of an error no more than its code is told.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	goruntime "go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
)

// name is what this instrumentation goes by.
const name = "cms.gov/ab2d"

// Settings say what is told, and of which program.
type Settings struct {
	Version    string
	Prometheus bool         // metrics are kept for Prometheus to fetch
	Log        *slog.Logger // is told when something could not be sent
}

// Telemetry is what Start started. What is made with the functions of this
// package after Start tells what it does, and costs next to nothing where
// nobody listens.
type Telemetry struct {
	// Metrics answers Prometheus; nil without Settings.Prometheus.
	Metrics http.Handler

	stops []func(context.Context) error
}

// Start begins to send spans and metrics as the standard variables say. Where
// they name no endpoint, none are sent.
func Start(ctx context.Context, s Settings) (*Telemetry, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		s.Log.Warn("telemetry", "error", err)
	}))
	// The environment comes last, so that OTEL_SERVICE_NAME and
	// OTEL_RESOURCE_ATTRIBUTES have the last word.
	own, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(semconv.ServiceName("ab2d"),
		semconv.ServiceVersion(s.Version), semconv.ServiceInstanceID(uuid.NewString()), semconv.ProcessPID(os.Getpid())), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	t := &Telemetry{}
	if err := errors.Join(t.trace(ctx, own), t.measure(ctx, own, s)); err != nil {
		return nil, errors.Join(err, t.Stop(ctx))
	}
	return t, nil
}

// endpoint reports whether the variables say where a signal is sent.
func endpoint(signal string) bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func (t *Telemetry) trace(ctx context.Context, own *resource.Resource) error {
	if !endpoint("TRACES") {
		return nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(own))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

func (t *Telemetry) measure(ctx context.Context, own *resource.Resource, s Settings) error {
	options := []metric.Option{metric.WithResource(own)}
	if endpoint("METRICS") {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return err
		}
		options = append(options, metric.WithReader(metric.NewPeriodicReader(exporter)))
	}
	if s.Prometheus {
		registry := prometheus.NewRegistry()
		if err := registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})); err != nil {
			return err
		}
		exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
		if err != nil {
			return err
		}
		options = append(options, metric.WithReader(exporter))
		t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)})
	}
	if len(options) == 1 {
		return nil // nobody would ever read them
	}
	provider := metric.NewMeterProvider(options...)
	otel.SetMeterProvider(provider)
	t.stops = append(t.stops, provider.Shutdown)
	return errors.Join(build(s.Version), goruntime.Start())
}

// build tells which build runs, as a gauge that is always 1.
func build(version string) error {
	about := api.WithAttributes(attribute.String("version", version), attribute.String("go", runtime.Version()))
	_, err := otel.Meter(name).Int64ObservableGauge("ab2d.build.info", api.WithDescription("The build that runs; always 1."),
		api.WithInt64Callback(func(_ context.Context, o api.Int64Observer) error {
			o.Observe(1, about)
			return nil
		}))
	return err
}

// Stop sends what is left. It is for the end of the process: nothing is told
// afterwards.
func (t *Telemetry) Stop(ctx context.Context) error {
	var errs []error
	for _, stop := range t.stops {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

// since returns the seconds since t.
func since(t time.Time) float64 { return time.Since(t).Seconds() }
