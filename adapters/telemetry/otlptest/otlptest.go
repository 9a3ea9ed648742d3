// Package otlptest is an OTLP receiver for tests: an HTTP server that keeps the
// spans and metrics it is sent.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it was received.
type Span struct {
	Name, Trace, ID, Parent string
	Instance                string // service.instance.id of the process it is from
	Kind                    string
	Attributes              map[string]string
	Status                  string // the description of its status
	Failed                  bool
}

// Receiver keeps what it is sent. It is safe for concurrent use.
type Receiver struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	mu      sync.Mutex
	spans   []Span
	metrics map[string][]*metricspb.Metric // by instance
	bodies  []byte
	broken  []error
}

// Start starts a receiver that ends with the test, which fails when something
// was sent that is not OTLP.
func Start(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{metrics: map[string][]*metricspb.Metric{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", receive(r, &collectortrace.ExportTraceServiceResponse{}, r.traces))
	mux.HandleFunc("POST /v1/metrics", receive(r, &collectormetrics.ExportMetricsServiceResponse{}, r.measured))
	server := httptest.NewServer(mux)
	r.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, err := range r.broken {
			t.Errorf("not OTLP: %v", err)
		}
	})
	return r
}

func receive(r *Receiver, answer proto.Message, take func([]byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := read(req)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.bodies = append(r.bodies, body...)
			err = take(body)
		}
		if err != nil {
			r.broken = append(r.broken, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out, _ := proto.Marshal(answer) // an empty message
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(out) // the sender sees when it fails
	}
}

func read(req *http.Request) ([]byte, error) {
	if req.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(req.Body)
	}
	plain, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

func (r *Receiver) traces(body []byte) error {
	var sent collectortrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		return err
	}
	for _, from := range sent.ResourceSpans {
		instance := texts(from.Resource.GetAttributes())["service.instance.id"]
		for _, scope := range from.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, Span{Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Instance: instance, Kind: s.Kind.String(), Attributes: texts(s.Attributes), Status: s.Status.GetMessage(), Failed: s.Status.GetCode() == 2})
			}
		}
	}
	return nil
}

func (r *Receiver) measured(body []byte) error {
	var sent collectormetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		return err
	}
	for _, from := range sent.ResourceMetrics {
		instance := texts(from.Resource.GetAttributes())["service.instance.id"]
		var all []*metricspb.Metric
		for _, scope := range from.ScopeMetrics {
			all = append(all, scope.Metrics...)
		}
		r.metrics[instance] = all // sums go on from one to the next, so the last has everything
	}
	return nil
}

// texts returns attributes with their values as text.
func texts(attributes []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		if s, ok := a.Value.GetValue().(*commonpb.AnyValue_StringValue); ok {
			m[a.Key] = s.StringValue
		} else {
			m[a.Key] = a.Value.String()
		}
	}
	return m
}

// Spans returns the spans so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Bodies returns all that was sent so far, as it was sent.
func (r *Receiver) Bodies() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.bodies...)
}

// Sum returns what a metric last came to over all processes, for those of its
// points that have the attributes: of a histogram how many values it has.
func (r *Receiver) Sum(name string, attributes map[string]string) (sum float64, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, all := range r.metrics {
		for _, m := range all {
			if m.Name == name {
				n, ok := total(m, attributes)
				sum, found = sum+n, found || ok
			}
		}
	}
	return sum, found
}

func total(m *metricspb.Metric, attributes map[string]string) (sum float64, found bool) {
	points := append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...)
	for _, p := range points {
		if has(p.Attributes, attributes) {
			sum, found = sum+float64(p.GetAsInt())+p.GetAsDouble(), true
		}
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		if has(p.Attributes, attributes) {
			sum, found = sum+float64(p.Count), true
		}
	}
	return sum, found
}

func has(own []*commonpb.KeyValue, wanted map[string]string) bool {
	values := texts(own)
	for k, v := range wanted {
		if values[k] != v {
			return false
		}
	}
	return true
}
