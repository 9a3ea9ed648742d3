package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/adapters/telemetry/otlptest"
)

// watched is a process that tells a receiver what it does and of which all
// that it writes is kept.
type watched struct {
	*server
	admin    string
	out, err written
}

// written keeps what is written to it.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *written) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(b)
}

func (k *written) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.String()
}

var readyLine = regexp.MustCompile(`FHIR R4 +(http://\S+)/api/v2/fhir|is ready as`)

// watch starts a process with everything on.
func watch(t *testing.T, r *otlptest.Receiver, dir string, settings ...string) *watched {
	t.Helper()
	w := &watched{admin: freeAddress(t)}
	cmd := exec.Command(program, append([]string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", w.admin,
		"--log", "debug", "--log-format", "json"}, settings...)...)
	cmd.Env = append(cmd.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, "OTEL_METRIC_EXPORT_INTERVAL=500", "OTEL_BSP_SCHEDULE_DELAY=100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = &w.out, &w.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.server = &server{&walker{say: t.Logf}, cmd, dir}
	t.Cleanup(w.kill)
	until(t, "the process to be ready", func() bool {
		found := readyLine.FindStringSubmatch(w.out.String())
		if found != nil {
			w.base, w.tokenURL = found[1], found[1]+sandboxauth.TokenPath
		}
		return found != nil
	})
	return w
}

// end stops the process and has it send what is left.
func (w *watched) end(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("stopped with %v\n%s", err, w.err.String())
	}
}

// page returns a page of the admin address.
func (w *watched) page(ctx context.Context, t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s %s, %v", path, res.Status, body, err)
	}
	return string(body)
}

// One process answers and another works. What an export took is one trace
// through both, and both can be asked how they do.
func TestAnExportIsOneTraceThroughAllProcesses(t *testing.T) {
	ctx := patience(t)
	r, dir, url := otlptest.Start(t), t.TempDir(), pgtest.URL(t)
	settings := []string{"--database-url", url, "--partition-members", "50"}
	api := watch(t, r, dir, append(settings, "--roles", "api")...)
	worker := watch(t, r, dir, append(settings, "--roles", "worker")...)
	if err := api.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := api.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.fetchAll(ctx, m); err != nil {
		t.Fatal(err)
	}
	for w, families := range map[*watched][]string{
		api:    {"http_server_request_duration_seconds", "http_server_active_requests", "ab2d_downloads_total", "db_client_connection_count"},
		worker: {"ab2d_queue_depth", "ab2d_queue_wait_seconds", "ab2d_partitions_total", "ab2d_source_duration_seconds", "ab2d_files_duration_seconds", "ab2d_bytes_written_total"},
	} {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		told, err := parser.TextToMetricFamilies(strings.NewReader(w.page(ctx, t, "/metrics")))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(families, "go_goroutine_count", "process_cpu_seconds_total", "ab2d_build_info", "target_info") {
			if told[name] == nil {
				t.Errorf("Prometheus is not told %s", name)
			}
		}
		if ready := w.page(ctx, t, "/ready"); !strings.Contains(ready, `"ready":true`) {
			t.Error(ready)
		}
		w.page(ctx, t, "/version")
		w.end(t)
	}

	byName := map[string][]otlptest.Span{}
	var request otlptest.Span
	for _, s := range r.Spans() {
		if s.Name == "GET /api/v2/fhir/Group/:contract/$export" {
			request = s
		}
	}
	for _, s := range r.Spans() {
		if s.Trace == request.Trace {
			byName[s.Name] = append(byName[s.Name], s)
		}
	}
	partitions := map[string]bool{}
	for _, s := range byName["write partition"] {
		partitions[s.ID] = true
	}
	for _, name := range []string{"plan export", "write partition", "read claims", "write file"} {
		if len(byName[name]) == 0 {
			t.Errorf("the trace has no %q", name)
		}
		for _, s := range byName[name] {
			if s.Instance == request.Instance || s.Failed {
				t.Errorf("%+v", s)
			}
			if below := partitions[s.Parent]; below != (name == "read claims" || name == "write file") || !below && s.Parent != request.ID {
				t.Errorf("%q is below %s", name, s.Parent)
			}
		}
	}
	if len(partitions) != 2 || request.Parent != "" {
		t.Errorf("%d partitions, request %+v", len(partitions), request)
	}
	for _, tc := range []struct {
		metric, key, value string
		want               float64
	}{
		{"ab2d.partitions", "ab2d.outcome", "done", 2}, {"ab2d.downloads", "ab2d.form", "gzip", float64(len(m.Output))},
		{"ab2d.source.duration", "ab2d.outcome", "done", 100}, {"ab2d.claims.exported", "", "", float64(linesOf(m))},
	} {
		attributes := map[string]string{tc.key: tc.value}
		if tc.key == "" {
			attributes = nil
		}
		if n, _ := r.Sum(tc.metric, attributes); n != tc.want {
			t.Errorf("%s %s is %g, want %g", tc.metric, tc.value, n, tc.want)
		}
	}
}

func linesOf(m manifest) (n int) {
	for _, o := range m.Output {
		n += o.Count
	}
	return n
}

// A whole export and what goes wrong beside it, with everything told that can
// be told: none of it names a person or holds what opens a door.
func TestNothingThatIsToldIsSecret(t *testing.T) {
	ctx := patience(t)
	r := otlptest.Start(t)
	// A source with faults, so that enrollees fail too and that is told.
	s := watch(t, r, t.TempDir(), "--claims-faults", "seed=7,refuse=0.05,break=0.05,wrong=0.05,stale=0.05,lose=0.02", "--fetch-tries", "1", "--failed-share", "1")
	sponsor := sponsorOf(t, "S0000")
	secrets := map[string]string{}
	plant := func(what string, values ...string) {
		for _, v := range values {
			secrets[v] = what
		}
	}
	basic := func(id, secret string) string { return base64.StdEncoding.EncodeToString([]byte(id + ":" + secret)) }

	if err := s.signIn(ctx, sponsor); err != nil {
		t.Fatal(err)
	}
	token := s.token
	plant("a token", token, token[strings.LastIndexByte(token, '.')+1:])
	plant("a client secret", sponsor.Secret, basic(string(sponsor.Client), sponsor.Secret))
	m, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Output {
		plant("the id of a claim", s.claimIDs(ctx, t, o.URL)...)
	}
	if len(secrets) < 100 {
		t.Fatalf("only %d values are planted", len(secrets))
	}
	for e := range synthetic.New(synthetic.DefaultSeed).Enrollees("S0000") {
		plant("the id of a patient", string(e.Patient))
		for _, mbi := range e.Identifiers.All() {
			plant("an MBI", string(mbi))
		}
	}

	// What is refused.
	wrong := sponsor
	wrong.Secret = "planted-wrong-secret"
	plant("a wrong client secret", wrong.Secret, basic(string(wrong.Client), wrong.Secret))
	if err := s.signIn(ctx, wrong); err == nil {
		t.Error("a wrong secret opens")
	}
	s.token = token
	const query = "plantedquery"
	plant("a query", query)
	plant("a wrong token", "planted.wrong.token")
	for _, tc := range []struct {
		token, path string
		status      int
	}{
		{"planted.wrong.token", "/api/v2/fhir/Patient/$export", 401},
		{token[:len(token)-8] + "AAAAAAAA", "/api/v2/fhir/Patient/$export?x=" + query, 401},
		{token, "/api/v2/fhir/Group/S9999/$export?x=" + query, 403},
		{token, "/api/v1/fhir/Patient/$export?_since=" + query, 400},
		{token, "/api/v2/fhir/Job/not-a-job/$status?x=" + query, 404},
		{token, strings.TrimPrefix(m.Output[0].URL, s.base) + "?x=" + query, 410},
		{token, "/nowhere?x=" + query, 404},
	} {
		s.token = tc.token
		res, err := s.get(ctx, s.base+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tc.status {
			t.Errorf("%s answers %s", tc.path, res.Status)
		}
	}

	told := map[string]string{}
	for _, path := range []string{"/metrics", "/ready", "/health", "/version", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1"} {
		told["the admin page "+path] = s.page(ctx, t, path)
	}
	s.end(t)
	told["standard output"], told["the log"] = withoutBanner(s.out.String(), sponsor.Secret), s.err.String()
	told["spans and metrics"] = string(r.Bodies())
	told["the audit records"] = s.audit(t)
	for where, what := range told {
		if len(what) == 0 && where != "standard output" {
			t.Errorf("%s: nothing was told, so nothing was looked at", where)
		}
		for secret, kind := range secrets {
			if secret == query && where == "the audit records" {
				continue // who asked for what is what they are for
			}
			if i := strings.Index(what, secret); i >= 0 {
				t.Errorf("%s: %s, in …%q…", where, kind, what[max(0, i-80):min(len(what), i+len(secret)+20)])
			}
		}
	}
	for _, what := range [][2]string{{"spans and metrics", "write partition"}, {"spans and metrics", "read claims"}, {"spans and metrics", "write file"},
		{"spans and metrics", "ab2d.refusals"}, {"the log", "enrollee failed"}} {
		if !strings.Contains(told[what[0]], what[1]) {
			t.Errorf("%s: no %q was looked at", what[0], what[1])
		}
	}
}

// withoutBanner leaves out the lines with the sandbox's sample credential, which
// is public and shown on purpose.
func withoutBanner(out, sample string) string {
	var rest []string
	for _, line := range strings.Split(out, "\n") {
		if !strings.Contains(line, "Sponsor") && !strings.Contains(line, "curl") || !strings.Contains(line, sample) {
			rest = append(rest, line)
		}
	}
	return strings.Join(rest, "\n")
}

// claimIDs downloads a file and returns the ids of every tenth of its claims.
func (s *server) claimIDs(ctx context.Context, t *testing.T, url string) (ids []string) {
	t.Helper()
	res, err := s.get(ctx, url, http.Header{"Accept-Encoding": {"gzip"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	plain, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, 16<<20)
	for n := 0; lines.Scan(); n++ {
		if n%10 != 0 {
			continue
		}
		var claim struct{ ID string }
		if err := json.Unmarshal(lines.Bytes(), &claim); err != nil || len(claim.ID) < 6 {
			t.Fatal(claim.ID, err)
		}
		ids = append(ids, claim.ID)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// audit returns all audit records as text.
func (s *server) audit(t *testing.T) string {
	t.Helper()
	db := database(t, s.dir)
	defer db.Close()
	rows, err := db.Query("SELECT * FROM audit_records")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			switch v := (*v.(*any)).(type) {
			case []byte:
				fmt.Fprintf(&all, "%s ", v)
			default:
				fmt.Fprintf(&all, "%v ", v)
			}
		}
		all.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// What stands in the alert rules and the dashboard is told by a process that did
// some work: every metric, and every label that is chosen or grouped by.
func TestDashboardAndAlertsAskForWhatThereIs(t *testing.T) {
	ctx := patience(t)
	admin := freeAddress(t)
	s := start(t, t.TempDir(), "127.0.0.1:0", "--admin-listen", admin)
	if res, err := s.get(ctx, s.base+"/api/v2/fhir/Group/S0000/$export", nil); err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%v, %v", res, err)
	}
	if err := s.signIn(ctx, sponsorOf(t, "S0000")); err != nil {
		t.Fatal(err)
	}
	m, err := s.export(ctx, "/api/v2/fhir/Group/S0000/$export")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.fetchAll(ctx, m); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{"le": true, "instance": true} // Prometheus's own labels
	until(t, "the download to be counted", func() bool {
		res, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		for name, family := range families {
			told[name] = true
			for _, metric := range family.Metric {
				if metric.Histogram != nil {
					told[name+"_bucket"], told[name+"_count"], told[name+"_sum"] = true, true, true
				}
				for _, label := range metric.Label {
					told[label.GetName()] = true
				}
			}
		}
		return told["ab2d_downloads_total"]
	})

	var asked []string
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct {
				Expr         string
				LegendFormat string `yaml:"legendFormat"`
			}
		}
	}
	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	for file, into := range map[string]any{"../../deploy/grafana/ab2d.json": &dashboard, "../../deploy/prometheus/alerts.yaml": &alerts} {
		content, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(content, into) // JSON is YAML too
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			asked = append(asked, target.Expr, target.LegendFormat)
		}
	}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			asked = append(asked, r.Expr)
		}
	}
	// Names are what is left of an expression without texts and ranges; those with
	// an underscore or before a parenthesis or brace are metrics, labels or functions.
	names := regexp.MustCompile(`\b(?:ab2d|http|db|go|process)_[a-z0-9_]+|\b(?:instance|version|le)\b`)
	texts := regexp.MustCompile(`"[^"]*"`)
	found := map[string]bool{}
	for _, expr := range asked {
		for _, name := range names.FindAllString(texts.ReplaceAllString(expr, ""), -1) {
			if found[name] = true; !told[name] {
				t.Errorf("%s is asked for in %s, and nothing tells it", name, expr)
			}
		}
	}
	if len(found) < 25 {
		t.Errorf("only %d names were found", len(found))
	}
}
