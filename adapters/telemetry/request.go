package telemetry

import (
	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// Requests returns a middleware that gives each request a span, under the trace
// that the caller's traceparent names. It tells the route, not the address: the
// address holds ids.
func Requests() fiber.Handler {
	tracer := otel.Tracer(name)
	return func(c *fiber.Ctx) error {
		from := propagation.HeaderCarrier{}
		for _, k := range otel.GetTextMapPropagator().Fields() {
			from.Set(k, c.Get(k))
		}
		ctx := otel.GetTextMapPropagator().Extract(c.UserContext(), from)
		ctx, span := tracer.Start(ctx, c.Method(), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		c.SetUserContext(ctx)

		err := c.Next()
		if err != nil {
			// Answered here, so that the span tells the status that is sent.
			if err = c.App().ErrorHandler(c, err); err != nil {
				return err
			}
		}
		route, status := c.Route().Path, c.Response().StatusCode()
		span.SetName(c.Method() + " " + route)
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(c.Method()), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status))
		if status >= fiber.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		return nil
	}
}
