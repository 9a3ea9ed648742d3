package telemetry_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"cms.gov/ab2d/adapters/telemetry"
	"cms.gov/ab2d/domain"
)

// recorded has all spans of a test kept.
func recorded(t *testing.T) *tracetest.SpanRecorder {
	t.Helper()
	spans, was := tracetest.NewSpanRecorder(), otel.GetTracerProvider()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { otel.SetTracerProvider(was) })
	return spans
}

func TestARequestIsASpanOfItsRouteWithinTheCallersTrace(t *testing.T) {
	spans := recorded(t)
	app := fiber.New()
	app.Use(telemetry.Requests())
	app.Get("/Job/:id", func(c *fiber.Ctx) error { return fiber.ErrBadGateway })

	req := httptest.NewRequest("GET", "/Job/secret?token=secret", nil)
	req.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	res, err := app.Test(req)
	if err != nil || res.StatusCode != 502 {
		t.Fatal(res, err)
	}
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	s := ended[0]
	if s.Name() != "GET /Job/:id" || s.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || s.Status().Code != codes.Error {
		t.Errorf("span %q of trace %s, %v", s.Name(), s.SpanContext().TraceID(), s.Status())
	}
	for _, a := range s.Attributes() {
		if a.Value.String() == "secret" || a.Key == "url.full" {
			t.Errorf("the span tells %s = %s", a.Key, a.Value.String())
		}
	}
}

type failing struct{}

func (failing) Plan(context.Context, domain.JobID) error { return nil }
func (failing) Write(context.Context, domain.PartitionID) error {
	return domain.Errorf(domain.Unavailable, "patient 123 is not to be told")
}

func TestATaskIsASpanThatTellsNoMoreThanTheCode(t *testing.T) {
	spans := recorded(t)
	tasks := telemetry.NewTasks(failing{})
	if err := tasks.Plan(t.Context(), "j"); err != nil {
		t.Fatal(err)
	}
	if err := tasks.Write(t.Context(), domain.PartitionID{Job: "j", Seq: 3}); domain.CodeOf(err) != domain.Unavailable {
		t.Fatal(err)
	}
	ended := spans.Ended()
	if len(ended) != 2 || ended[0].Status().Code == codes.Error || ended[1].Status().Description != "unavailable" || len(ended[1].Events()) > 0 {
		t.Fatalf("%+v", ended)
	}
	if a := ended[1].Attributes(); len(a) != 2 || a[0] != attribute.String("ab2d.job", "j") || a[1] != attribute.Int("ab2d.partition", 3) {
		t.Errorf("attributes %v", a)
	}
}
