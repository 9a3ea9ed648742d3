package telemetry

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/semconv/v1.37.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	"cms.gov/ab2d/domain"
)

// probes are asked for every few seconds and say nothing about the service.
var probes = []string{"/health", "/ready"}

// Requests returns a middleware that gives each request a span, under the trace
// that the caller's traceparent names, measures it, and counts what was refused.
// It tells the route, not the address: the address holds ids. The transfer of a
// file goes on after its request and is in neither. Probes are left alone.
func Requests() fiber.Handler {
	meter, tracer := otel.Meter(name), otel.Tracer(name)
	// The conventions name the bounds of this one.
	duration, err := httpconv.NewServerRequestDuration(meter,
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10))
	if err != nil {
		otel.Handle(err)
	}
	active, err := httpconv.NewServerActiveRequests(meter)
	if err != nil {
		otel.Handle(err)
	}
	refusals := counter("ab2d.refusals", "{request}", "Requests that were refused, by why.")

	return func(c *fiber.Ctx) error {
		if slices.Contains(probes, c.Path()) {
			return c.Next()
		}
		begin, method, scheme := time.Now(), httpconv.RequestMethodAttr(c.Method()), "http"
		if c.Context().IsTLS() { // what a proxy in front says is not looked at: anybody may say it
			scheme = "https"
		}
		ctx := under(c.UserContext(), c.Get(traceparent))
		ctx, span := tracer.Start(ctx, c.Method(), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		active.Add(ctx, 1, method, scheme)
		defer active.Add(ctx, -1, method, scheme)
		c.SetUserContext(ctx)

		err := c.Next()
		why := refusal(err)
		if err != nil {
			// Answered here, so that the span tells the status that is sent.
			if err = c.App().ErrorHandler(c, err); err != nil {
				return err
			}
		}
		route, status := c.Route().Path, c.Response().StatusCode()
		about := []attribute.KeyValue{semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status)}
		span.SetName(c.Method() + " " + route)
		span.SetAttributes(append(about, semconv.HTTPRequestMethodKey.String(c.Method()), semconv.URLScheme(scheme))...)
		if why == "" && status >= fiber.StatusBadRequest {
			why = "http_" + strconv.Itoa(status) // answered without an error
		}
		if status >= fiber.StatusInternalServerError {
			span.SetStatus(codes.Error, why)
			about = append(about, semconv.ErrorTypeKey.String(why))
		}
		duration.Record(ctx, since(begin), method, scheme, about...)
		if status >= fiber.StatusBadRequest {
			refusals.Add(ctx, 1, metric.WithAttributes(attribute.String("ab2d.code", why), semconv.HTTPRoute(route)))
		}
		return nil
	}
}

// refusal is why a request is refused: the code of the rule that refused it, or
// the status of what HTTP itself refuses.
func refusal(err error) string {
	if e := (*fiber.Error)(nil); errors.As(err, &e) {
		return "http_" + strconv.Itoa(e.Code)
	}
	return string(domain.CodeOf(err))
}
