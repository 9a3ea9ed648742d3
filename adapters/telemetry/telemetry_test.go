package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/telemetry"
	"cms.gov/ab2d/adapters/telemetry/otlptest"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// started has everything told to a receiver. What was told is all there once
// sent has been called.
func started(t testing.TB) (r *otlptest.Receiver, told *telemetry.Telemetry, sent func()) {
	t.Helper()
	r = otlptest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	told, err := telemetry.Start(t.Context(), telemetry.Settings{Version: "test", Prometheus: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	over := false
	sent = func() {
		if over {
			return
		}
		over = true
		if err := told.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		otel.SetTracerProvider(nooptrace.NewTracerProvider())
		otel.SetMeterProvider(noopmetric.NewMeterProvider())
	}
	t.Cleanup(sent)
	return r, told, sent
}

// sum is a metric that must have been told.
func sum(t *testing.T, r *otlptest.Receiver, name string, attributes ...string) float64 {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		want[attributes[i]] = attributes[i+1]
	}
	n, ok := r.Sum(name, want)
	if !ok {
		t.Errorf("%s %v was not told", name, want)
	}
	return n
}

func only(t *testing.T, r *otlptest.Receiver, name string) otlptest.Span {
	t.Helper()
	var found []otlptest.Span
	for _, s := range r.Spans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans %q among %+v", len(found), name, r.Spans())
	}
	return found[0]
}

const (
	caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	trace  = "0af7651916cd43dd8448eb211c80319c"
)

func TestARequestIsASpanOfItsRouteWithinTheCallersTrace(t *testing.T) {
	r, _, sent := started(t)
	app := fiber.New()
	app.Use(telemetry.Requests())
	app.Get("/Job/:id", func(c *fiber.Ctx) error {
		if c.Params("id") == "teapot" {
			return c.SendStatus(418)
		}
		if c.Params("id") == "mine" {
			return domain.Errorf(domain.Forbidden, "patient secret")
		}
		return fiber.ErrBadGateway
	})
	app.Get("/ready", func(c *fiber.Ctx) error { return c.SendStatus(503) })
	for _, path := range []string{"/Job/secret?token=secret", "/Job/mine", "/Job/teapot", "/ready"} {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("traceparent", caller)
		req.Header.Set("X-Forwarded-Proto", "secret")
		if _, err := app.Test(req); err != nil {
			t.Fatal(err)
		}
	}
	sent()
	for _, s := range r.Spans() {
		if s.Name != "GET /Job/:id" || s.Trace != trace || s.Parent != "b7ad6b7169203331" {
			t.Errorf("span %+v", s)
		}
	}
	if len(r.Spans()) != 3 || !r.Spans()[0].Failed {
		t.Errorf("spans %+v", r.Spans())
	}
	if bytes.Contains(r.Bodies(), []byte("secret")) {
		t.Error("it tells what the request was about")
	}
	if n := sum(t, r, "http.server.request.duration", "http.route", "/Job/:id", "http.request.method", "GET"); n != 3 {
		t.Errorf("%g requests", n)
	}
	if n := sum(t, r, "http.server.active_requests"); n != 0 {
		t.Errorf("%g requests are still active", n)
	}
	for _, code := range []string{"http_502", "forbidden", "http_418"} {
		if n := sum(t, r, "ab2d.refusals", "ab2d.code", code, "http.route", "/Job/:id"); n != 1 {
			t.Errorf("%g refusals %s", n, code)
		}
	}
}

// work does exports as a test scripts it.
type work struct {
	taken  error
	result domain.PartitionResult
	err    error
	do     func(ctx context.Context)
}

func (w *work) TraceOf(context.Context, domain.JobID) (string, error) { return caller, nil }
func (w *work) Plan(context.Context, domain.JobID) error              { return w.err }
func (w *work) Take(context.Context) (produce.Work, error) {
	return produce.Work{Job: domain.ExportJobState{ID: "job", Trace: caller},
		Lease: domain.Lease{Attempt: 2, Partition: domain.Partition{ID: domain.PartitionID{Job: "job", Seq: 3}}}}, w.taken
}
func (w *work) Do(ctx context.Context, _ produce.Work) (domain.PartitionResult, error) {
	if w.do != nil {
		w.do(ctx)
	}
	return w.result, w.err
}

func TestTasksAreSpansOfTheirJobsTraceAndTellNoMoreThanCodes(t *testing.T) {
	r, _, sent := started(t)
	w := &work{}
	tasks := telemetry.NewTasks(w)
	write := func() { _ = tasks.Write(t.Context(), domain.PartitionID{}) }
	if err := tasks.Plan(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	w.result = domain.PartitionResult{Columns: domain.Columns{Exported: 4, NoClaims: 1}, Claims: 70, Excluded: map[string]int{"type": 2},
		Files: []domain.StoredFile{{Plain: domain.Content{Bytes: 1000}, Stored: domain.Content{Bytes: 100}}}}
	write()
	w.result = domain.PartitionResult{}
	write() // lost
	w.err = domain.Errorf(domain.Unavailable, "patient secret is not to be told")
	if err := tasks.Write(t.Context(), domain.PartitionID{}); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("the error became %v", err)
	}
	w.taken = domain.Errorf(domain.NotFound, "none")
	write()
	sent()

	plan := only(t, r, "plan export")
	if plan.Trace != trace || plan.Attributes["ab2d.job"] != "job" || plan.Failed {
		t.Errorf("plan %+v", plan)
	}
	failed := 0
	for _, s := range r.Spans() {
		if s.Trace != trace {
			t.Errorf("span %+v", s)
		}
		if s.Failed {
			failed++
			if s.Status != "unavailable" {
				t.Errorf("status %q", s.Status)
			}
		}
	}
	if len(r.Spans()) != 4 || failed != 1 {
		t.Errorf("%d spans, %d failed", len(r.Spans()), failed)
	}
	if bytes.Contains(r.Bodies(), []byte("secret")) {
		t.Error("the error's text is told")
	}
	for how, want := range map[string]float64{"done": 1, "lost": 1, "unavailable": 1} {
		if n := sum(t, r, "ab2d.partitions", "ab2d.outcome", how); n != want {
			t.Errorf("%g partitions %s", n, how)
		}
	}
	for about, want := range map[[3]string]float64{
		{"ab2d.enrollees", "ab2d.column", "exported"}: 4, {"ab2d.enrollees", "ab2d.column", "no_claims"}: 1,
		{"ab2d.claims.excluded", "ab2d.reason", "type"}: 2, {"ab2d.bytes.written", "ab2d.form", "plain"}: 1000, {"ab2d.bytes.written", "ab2d.form", "stored"}: 100,
	} {
		if n := sum(t, r, about[0], about[1], about[2]); n != want {
			t.Errorf("%v is %g, want %g", about, n, want)
		}
	}
	if n := sum(t, r, "ab2d.claims.exported"); n != 70 {
		t.Errorf("%g claims", n)
	}
}

// openly leaves it to who reads to find where a claim ends.
type openly struct{ ports.Claims }

func (s openly) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	r, err := s.Claims.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	return &openReader{ClaimReader: r}, nil
}

type openReader struct {
	ports.ClaimReader
	claim []byte
	err   error
}

func (r *openReader) Begun(int) []byte {
	if r.claim == nil && r.err == nil {
		r.claim, r.err = r.ClaimReader.Next()
	}
	return r.claim
}

func (r *openReader) Ended(int) { r.claim = nil }

func (r *openReader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.ClaimReader.Next()
}

// Of many reads of a partition few are spans; all are measured, whoever finds the
// ends of the claims.
func TestReadsAreMeasuredAndFewAreSpans(t *testing.T) {
	for name, wrap := range map[string]func(ports.Claims) ports.Claims{
		"cut by the source": func(s ports.Claims) ports.Claims { return s },
		"cut by the reader": func(s ports.Claims) ports.Claims { return openly{s} },
	} {
		t.Run(name, func(t *testing.T) { testReads(t, wrap) })
	}
}

func testReads(t *testing.T, wrap func(ports.Claims) ports.Claims) {
	r, _, sent := started(t)
	source := memory.NewClaims(time.Now())
	source.Put("secret-1", `{"id":"secret-a"}`, `{"id":"secret-b"}`)
	source.Script("secret-2", memory.Answer{Refused: domain.Errorf(domain.Unavailable, "secret")})
	claims := telemetry.Claims(wrap(source))
	w := &work{do: func(ctx context.Context) {
		for range 20 {
			reader, err := claims.Read(ctx, ports.ClaimsQuery{Version: domain.R4, Patient: "secret-1"})
			if err != nil {
				t.Fatal(err)
			}
			reader = porttest.Opened(reader)
			for err == nil {
				_, err = reader.Next()
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			_, _ = reader.Close(), reader.Close() // told once
		}
		for range 100 {
			_, _ = claims.Read(ctx, ports.ClaimsQuery{Version: domain.R4, Patient: "secret-2"})
		}
		reader, err := claims.Read(ctx, ports.ClaimsQuery{Version: domain.R4, Patient: "secret-1"})
		if err != nil {
			t.Fatal(err)
		}
		_ = reader.Close()
	}}
	if err := telemetry.NewTasks(w).Write(t.Context(), domain.PartitionID{}); err != nil {
		t.Fatal(err)
	}
	sent()
	partition, good, bad := only(t, r, "write partition"), 0, 0
	for _, s := range r.Spans() {
		if s.Name == "read claims" {
			if s.Parent != partition.ID {
				t.Errorf("span %+v", s)
			}
			if s.Failed {
				bad++
			} else {
				good++
			}
		}
	}
	if good != 1 || bad != 15 {
		t.Errorf("%d spans of good reads and %d of failed ones", good, bad)
	}
	for how, want := range map[string]float64{"done": 20, "unavailable": 100, "abandoned": 1} {
		if n := sum(t, r, "ab2d.source.duration", "ab2d.outcome", how); n != want {
			t.Errorf("%g reads %s", n, how)
		}
	}
	if n := sum(t, r, "ab2d.claims.read"); n != 40 {
		t.Errorf("%g claims", n)
	}
	if bytes.Contains(r.Bodies(), []byte("secret")) {
		t.Error("it tells about whom")
	}
}

func TestFilesAreSpansFromCreationToCommit(t *testing.T) {
	r, _, sent := started(t)
	files := telemetry.Files(memory.NewFiles())
	w, err := files.Create(t.Context(), "jobs/1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("12345"))
	if err := errors.Join(w.Commit(), w.Abort()); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(t.Context(), "jobs/none"); domain.CodeOf(err) != domain.NotFound {
		t.Error(err)
	}
	sent()
	if s := only(t, r, "write file"); s.Attributes["ab2d.bytes"] != "int_value:5" || s.Failed || s.Attributes["ab2d.aborted"] != "" {
		t.Errorf("span %+v", s)
	}
	for _, operation := range []string{"create", "write", "commit"} {
		if n := sum(t, r, "ab2d.files.duration", "ab2d.operation", operation, "ab2d.outcome", "done"); n != 1 {
			t.Errorf("%g times %s", n, operation)
		}
	}
	if n := sum(t, r, "ab2d.files.duration", "ab2d.operation", "open", "ab2d.outcome", "not_found"); n != 1 {
		t.Errorf("%g files not found", n)
	}
}

// What is measured is still what the port promises.
func TestMeasuredFilesAreFiles(t *testing.T) {
	started(t)
	porttest.Files(t, func(*testing.T) ports.Files { return telemetry.Files(memory.NewFiles()) })
}

type sends struct{ *download.UseCase }

func (sends) Sent(context.Context, download.Ask, domain.OutputFile, domain.ByteRange) error {
	return errors.New("not recorded")
}

func TestDownloadsAreCounted(t *testing.T) {
	r, _, sent := started(t)
	d := telemetry.NewDownloads(sends{})
	file := domain.OutputFile{StoredFile: domain.StoredFile{Stored: domain.Content{Bytes: 10}, Plain: domain.Content{Bytes: 100}}}
	for _, part := range []domain.ByteRange{{End: 4}, {Start: 4, End: 10}} {
		if err := d.Sent(t.Context(), download.Ask{Form: domain.GzipForm}, file, part); err == nil {
			t.Error("the error is lost")
		}
	}
	sent()
	form := string(domain.GzipForm)
	if n := sum(t, r, "ab2d.download.bytes", "ab2d.form", form); n != 10 {
		t.Errorf("%g bytes", n)
	}
	for _, complete := range []string{"bool_value:true", "bool_value:false"} {
		if n := sum(t, r, "ab2d.downloads", "ab2d.form", form, "ab2d.complete", complete); n != 1 {
			t.Errorf("%g transfers of which complete is %s", n, complete)
		}
	}
}

func TestWhatWaitsIsTold(t *testing.T) {
	r, told, sent := started(t)
	if err := telemetry.Backlog(memory.NewStore(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	res := httptest.NewRecorder()
	told.Metrics.ServeHTTP(res, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ab2d_queue_depth", "ab2d_queue_wait_seconds", "ab2d_build_info", "go_goroutine_count", "process_resident_memory_bytes", "target_info"} {
		if families[name] == nil {
			t.Errorf("Prometheus is not told %s", name)
		}
	}
	sent()
	for _, state := range []string{"waiting", "held"} {
		if n := sum(t, r, "ab2d.queue.depth", "ab2d.state", state); n != 0 {
			t.Errorf("%g %s", n, state)
		}
	}
}

func TestLogLinesHaveTheIdsOfTheirTrace(t *testing.T) {
	_, _, _ = started(t)
	var out bytes.Buffer
	log := slog.New(telemetry.Logs(slog.NewJSONHandler(&out, nil))).With("a", "b")
	app := fiber.New()
	app.Use(telemetry.Requests())
	var parent string
	app.Get("/", func(c *fiber.Ctx) error {
		parent = telemetry.Traceparent(c.UserContext())
		log.InfoContext(c.UserContext(), "within")
		return nil
	})
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("traceparent", caller)
	if _, err := app.Test(req); err != nil {
		t.Fatal(err)
	}
	var line struct {
		A    string
		Span string `json:"span_id"`
		In   string `json:"trace_id"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if want := "00-" + trace + "-" + line.Span + "-01"; line.A != "b" || line.In != trace || parent != want {
		t.Errorf("%s, in %s", out.String(), parent)
	}
	log.Info("without")
	if strings.Count(out.String(), "trace_id") != 1 {
		t.Errorf("a line outside of any span has one: %s", out.String())
	}
}

func TestWithoutVariablesNothingIsSentAndNothingBreaks(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	told, err := telemetry.Start(t.Context(), telemetry.Settings{Log: slog.New(slog.DiscardHandler)})
	if err != nil || told.Metrics != nil || telemetry.Traceparent(t.Context()) != "" {
		t.Fatal(told, err)
	}
	if err := telemetry.NewTasks(&work{}).Write(t.Context(), domain.PartitionID{}); err != nil {
		t.Error(err)
	}
	if err := told.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
