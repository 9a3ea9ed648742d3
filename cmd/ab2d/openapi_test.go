package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	pgserver "cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/openapi"
	"cms.gov/ab2d/adapters/openapi/truth"
	"cms.gov/ab2d/adapters/sandboxauth"
)

// described is a sandbox in this process whose every answer is checked against
// the document that it serves.
type described struct {
	*walker
	t       *testing.T
	dir     string
	process *host.Process
}

func startDescribed(t *testing.T, c *truth.Checker, settings ...string) *described {
	t.Helper()
	d := &described{t: t, dir: t.TempDir()}
	d.process = startInProcess(t, d.dir, settings...)
	base := "http://" + d.process.Listener.Addr().String()
	d.walker = &walker{base: base, tokenURL: base + sandboxauth.TokenPath, say: func(string, ...any) {}}
	// Neither asking for gzip nor inflating it by itself, so that what is checked is what came.
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	d.http = http.Client{Transport: truth.Transport{RoundTripper: transport, Checker: c, Report: func(err error) { t.Error(err) }}}
	return d
}

// startInProcess starts a sandbox on dir in this process.
func startInProcess(t *testing.T, dir string, settings ...string) *host.Process {
	t.Helper()
	cfg, _, err := config.Load(append([]string{"--data-dir", dir, "--listen", "127.0.0.1:0", "--log", "error"}, settings...), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p, done, err := ab2d.Initialize(ctx, cfg)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		done()
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal("it did not start")
	}
	return p
}

// as signs in as the sponsor of a contract.
func (d *described) as(contract string) *described {
	d.t.Helper()
	one := *d
	one.walker = &walker{base: d.base, tokenURL: d.tokenURL, say: d.say}
	one.http.Transport = d.http.Transport
	if err := one.signIn(patience(d.t), sponsorOf(d.t, contract)); err != nil {
		d.t.Fatal(err)
	}
	return &one
}

// send sends a request and returns the answer with its body read.
func (d *described) send(method, address string, header ...string) (*http.Response, string) {
	d.t.Helper()
	return d.sendBody(method, address, "", header...)
}

// sendBody is send with a body.
func (d *described) sendBody(method, address, content string, header ...string) (*http.Response, string) {
	d.t.Helper()
	if !strings.HasPrefix(address, "http") {
		address = d.base + address
	}
	req, err := http.NewRequestWithContext(patience(d.t), method, address, strings.NewReader(content))
	if err != nil {
		d.t.Fatal(err)
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res, string(body)
}

// want sends a request that must be answered with a status.
func (d *described) want(status int, method, address string, header ...string) *http.Response {
	d.t.Helper()
	res, body := d.send(method, address, header...)
	if res.StatusCode != status {
		d.t.Errorf("%s %s answered %d, want %d: %.300s", method, address, res.StatusCode, status, body)
	}
	return res
}

// started starts an export and returns the address of its status.
func (d *described) started(path string) string {
	d.t.Helper()
	return d.want(http.StatusAccepted, "GET", path).Header.Get("Content-Location")
}

func (d *described) complete(job string) manifest {
	d.t.Helper()
	m, err := d.follow(patience(d.t), job)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// change writes to the process's database past it, to bring about what would
// take an operator or a day.
func (d *described) change(statement string, args ...any) {
	d.t.Helper()
	db := databaseForWriting(d.t, d.dir)
	defer db.Close()
	done, err := db.ExecContext(patience(d.t), statement, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		d.t.Fatalf("%s changed nothing: %v", statement, err)
	}
}

// pages are for people: nobody writes a program against them.
var pages = regexp.MustCompile(`^(/|/start\.css|/swagger-ui.*|/docs.*|/console.*|/assets.*)$`)

// The document, the server's routes and the server's answers agree: every route
// and every query parameter is in it, every operation of it is there, each of
// its answers can be had, and no answer is other than it says.
func TestTheAPIDescriptionIsTrue(t *testing.T) {
	document, err := openapi.NewDocument("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := truth.New(document.YAML)
	if err != nil {
		t.Fatal(err)
	}
	if fromJSON, err := truth.New(document.JSON); err != nil || !slices.Equal(fromJSON.Operations(), c.Operations()) {
		t.Errorf("the JSON form is another document: %v", err)
	}
	d := startDescribed(t, c, "--export-rate", "0", "--export-address-rate", "0", "--token-rate", "0")
	compareRoutes(t, c, d)
	provokeService(d)
	provokeTokens(d)
	for _, base := range []string{"/api/v1/fhir", "/api/v2/fhir"} {
		provokeParameters(d, c, base)
		provokeGroups(d, base)
		provokeJobs(d, base)
		provokeExport(d, base)
	}
	provokeStrangers(d)
	provokeFailure(startDescribed(t, c, "--claims-faults", "lose=1", "--fetch-tries", "1", "--partition-tries", "1"))
	provokeMaintenance(startDescribed(t, c, "--maintenance", "A new disk.", "--claims-faults", "refuse=1"))
	provokePace(startDescribed(t, c, "--token-rate", "1/1h", "--export-rate", "1/1h"))
	provokeOutage(t, c)
	provokeCrowd(startDescribed(t, c, "--requests", "1", "--transfers", "1", "--downloads", "0"))
	if left := c.Unseen(); len(left) > 0 {
		t.Errorf("the document tells of answers that no request of this test had:\n%s", strings.Join(left, "\n"))
	}
}

func compareRoutes(t *testing.T, c *truth.Checker, d *described) {
	param := regexp.MustCompile(`:([A-Za-z]+)`)
	var served []string
	for _, r := range d.process.App.GetRoutes(true) {
		if !pages.MatchString(r.Path) {
			served = append(served, r.Method+" "+param.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	told := c.Operations()
	for _, s := range served {
		if path, head := strings.CutPrefix(s, "HEAD "); !slices.Contains(told, s) && !(head && slices.Contains(told, "GET "+path)) {
			t.Errorf("the server has %s, the document has not", s)
		}
	}
	for _, s := range told {
		if !slices.Contains(served, s) {
			t.Errorf("the document has %s, the server has not", s)
		}
	}
}

func provokeService(d *described) {
	for _, path := range []string{"/health", "/ready", "/status", "/openapi.yaml", "/openapi.json", sandboxauth.Path + "/v1/keys",
		sandboxauth.Path + "/.well-known/oauth-authorization-server", sandboxauth.Path + "/.well-known/openid-configuration",
		"/api/v1/fhir/metadata", "/api/v2/fhir/metadata", "/.well-known/smart-configuration", "/api/v1/fhir/.well-known/smart-configuration",
		"/api/v1/fhir/OperationDefinition/export", "/api/v2/fhir/OperationDefinition/group-export"} {
		get, head := d.want(200, "GET", path), d.want(200, "HEAD", path)
		for name := range get.Header {
			if _, ok := head.Header[name]; !ok {
				d.t.Errorf("HEAD %s lacks %s", path, name)
			}
		}
		if tag := get.Header.Get("ETag"); tag != "" {
			d.want(304, "GET", path, "If-None-Match", tag)
		}
		d.want(405, "DELETE", path)
	}
	d.want(404, "GET", "/api/v2/fhir/nothing")
	d.want(404, "GET", "/api/v2/fhir/OperationDefinition/nothing")
}

// goodForm is what a token is asked for with.
var goodForm = url.Values{"grant_type": {"client_credentials"}, "scope": {"clientCreds"}}

// askToken asks for a token as the first sponsor of the guide.
func (d *described) askToken(status int, form url.Values, secret string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(patience(d.t), "POST", d.tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	req.SetBasicAuth(string(sandboxauth.Guide[0].Client), secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != status {
		d.t.Errorf("%v answered %d, want %d", form, res.StatusCode, status)
	}
}

func provokeTokens(d *described) {
	post, good := d.askToken, goodForm
	post(200, good, sandboxauth.Guide[0].Secret)
	post(200, url.Values{"grant_type": {"client_credentials"}, "scope": {""}}, sandboxauth.Guide[0].Secret)
	post(401, good, "wrong")
	post(400, url.Values{}, sandboxauth.Guide[0].Secret)
	post(400, url.Values{"grant_type": {"password"}}, sandboxauth.Guide[0].Secret)
	post(400, url.Values{"grant_type": {"client_credentials"}, "scope": {"all"}}, sandboxauth.Guide[0].Secret)

	client := sandboxauth.Guide[0].Client
	d.change(`UPDATE api_clients SET networks = '["192.0.2.0/24"]' WHERE id = ?`, client)
	post(403, good, sandboxauth.Guide[0].Secret)
	d.change("UPDATE api_clients SET networks = '[]' WHERE id = ?", client)
}

// provokePace asks for tokens and exports more often than a client may.
func provokePace(d *described) {
	d.askToken(200, goodForm, sandboxauth.Guide[0].Secret)
	d.askToken(429, goodForm, sandboxauth.Guide[0].Secret)
	own := d.as("S0001")
	for _, path := range []string{"/Group/S0001/$export", "/Patient/$export", "/$export"} {
		for _, method := range []string{"GET", "POST"} {
			if res, body := own.send(method, "/api/v2/fhir"+path); res.StatusCode != 202 && (res.StatusCode != 429 || !strings.Contains(body, "too often")) {
				d.t.Errorf("%s %s answered %d: %s", method, path, res.StatusCode, body)
			}
		}
	}
}

// provokeOutage asks for a token while the database is away.
func provokeOutage(t *testing.T, c *truth.Checker) {
	pg, err := pgserver.Own()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Close)
	d := startDescribed(t, c, "--database-url", pg.URL(), "--roles", "api")
	d.askToken(200, goodForm, sandboxauth.Guide[0].Secret)
	pg.Stop(pgserver.Immediate)
	d.askToken(503, goodForm, sandboxauth.Guide[0].Secret)
	if err := pg.Start(); err != nil { // a process that stops has things to write down
		t.Fatal(err)
	}
}

// guideParameters are all parameters of the Bulk Data guide in any version and
// of AB2D, with a value that is fine where the parameter is supported.
var guideParameters = map[string]string{
	"_outputFormat": "ndjson", "_since": "2026-09-01T00:00:00Z", "_until": "2026-09-01T00:00:00Z", "_type": "ExplanationOfBenefit",
	"_elements": "ExplanationOfBenefit.id", "_typeFilter": "ExplanationOfBenefit?service-date=ge2024-01-01", "patient": "Patient/1",
	"includeAssociatedData": "LatestProvenanceResources", "organizeOutputBy": "Patient", "allowPartialManifests": "true",
	"_minimumFileSize": "1", "_maximumFileSize": "1000000000", "sinceLastExport": "false", "_pretty": "true", "_format": "json", "_count": "1",
}

// provokeParameters holds the parameters that the document tells of against
// those that the server knows.
func provokeParameters(d *described, c *truth.Checker, base string) {
	own := d.as("S0001")
	for id, path := range map[string]string{"exportGroup": "/Group/S0001/$export", "exportPatient": "/Patient/$export", "exportSystem": "/$export"} {
		told := c.Parameters(id)
		for name, value := range guideParameters {
			res, body := own.send("GET", base+path+"?"+name+"="+url.QueryEscape(value))
			switch {
			case strings.Contains(body, `"`+name+`\" is not supported`) || strings.Contains(body, name+" is not supported"):
				if slices.Contains(told, name) {
					d.t.Errorf("the document tells of %s for %s, the server does not support it", name, id)
				}
			case !slices.Contains(told, name):
				d.t.Errorf("the server answers %d to %s for %s, the document does not tell of it: %s", res.StatusCode, name, id, body)
			case res.StatusCode == http.StatusAccepted:
				own.want(202, "DELETE", res.Header.Get("Content-Location"))
			default:
				d.t.Errorf("%s=%s answered %d: %s", name, value, res.StatusCode, body)
			}
		}
		for _, name := range told {
			if _, ok := guideParameters[name]; !ok {
				d.t.Errorf("this test has no value for %s", name)
			}
		}
		for _, method := range []string{"GET", "POST"} {
			own.want(400, method, base+path+"?_since=yesterday")
		}
		const json = "application/fhir+json"
		res, body := own.sendBody("POST", base+path, `{"resourceType":"Parameters","parameter":[{"name":"_since","valueInstant":"2026-09-01T00:00:00Z"}]}`,
			"Content-Type", json, "Prefer", "respond-async, handling=lenient")
		if res.StatusCode != http.StatusAccepted {
			d.t.Errorf("a POST with parameters answered %d: %s", res.StatusCode, body)
		}
		own.want(202, "DELETE", res.Header.Get("Content-Location"))
		res, body = own.sendBody("POST", base+path, `{"resourceType":"Parameters","parameter":[{"name":"color","valueString":"blue"}]}`, "Content-Type", json)
		if res.StatusCode != http.StatusAccepted || !strings.Contains(body, "color") {
			d.t.Errorf("a parameter that no standard knows was answered %d: %s", res.StatusCode, body)
		}
		own.want(202, "DELETE", res.Header.Get("Content-Location"))
		if res, body := own.sendBody("POST", base+path, "<x/>", "Content-Type", "application/xml"); res.StatusCode != http.StatusUnsupportedMediaType {
			d.t.Errorf("a POST of XML answered %d: %s", res.StatusCode, body)
		}
		own.want(405, "PUT", base+path)
	}
}

func provokeGroups(d *described, base string) {
	own := d.as("S0000")
	for _, path := range []string{"/Group", "/Group?_id=S0000,S0001&_count=1", "/Group?identifier=S0000", "/Group/S0000"} {
		own.want(200, "GET", base+path)
		own.want(200, "HEAD", base+path)
		d.want(401, "GET", base+path)
	}
	own.want(400, "GET", base+"/Group?name=x")
	own.want(400, "GET", base+"/Group/S0000?name=x")
	own.want(200, "GET", base+"/Group?_format=json", "Prefer", "handling=lenient")
	own.want(403, "GET", base+"/Group/S0001")
}

// provokeJobs asks for the list of exports, and starts one under a key.
func provokeJobs(d *described, base string) {
	own := d.as("S0001")
	path := base + "/Group/S0001/$export"
	job := own.want(202, "GET", path, "Idempotency-Key", base).Header.Get("Content-Location")
	if again := own.want(202, "GET", path, "Idempotency-Key", base).Header.Get("Content-Location"); again != job {
		d.t.Errorf("the same key starts %s, and again %s", job, again)
	}
	for _, other := range []string{"/Patient/$export", "/$export", "/Group/S0001/$export?_type=ExplanationOfBenefit"} {
		own.want(422, "GET", base+other, "Idempotency-Key", base)
		own.want(422, "POST", base+other, "Idempotency-Key", base)
	}
	for _, query := range []string{"", "?_status=submitted,in_progress", "?_count=1", "?_format=json"} {
		own.want(200, "GET", base+"/Job"+query, "Prefer", "handling=lenient")
		own.want(200, "HEAD", base+"/Job"+query)
	}
	own.want(400, "GET", base+"/Job?_status=done")
	own.want(400, "GET", base+"/Job?status=failed")
	d.want(401, "GET", base+"/Job")
	own.want(202, "DELETE", job)
}

// provokeExport goes through an export, and asks for all that may not be.
func provokeExport(d *described, base string) {
	small, large := d.as("S0000"), d.as("S0030")
	job := small.started(base + "/Group/S0000/$export")
	m := small.complete(job)
	file := m.Output[0].URL

	whole := small.want(200, "HEAD", file)
	small.want(304, "HEAD", file, "If-None-Match", whole.Header.Get("ETag"))
	small.want(304, "GET", file, "If-None-Match", whole.Header.Get("ETag"))
	small.want(206, "GET", file, "Range", "bytes=0-99", "Accept-Encoding", "gzip")
	small.want(416, "GET", file, "Range", "bytes=999999999999-")
	small.want(405, "DELETE", file)
	small.want(405, "PUT", job)
	for _, address := range []string{job, file} {
		d.want(401, "GET", address)
		large.want(404, "GET", address)
	}
	d.want(401, "HEAD", file)
	large.want(404, "HEAD", file)
	d.want(401, "DELETE", job)
	large.want(404, "DELETE", job)
	small.want(200, "GET", file)
	small.want(410, "GET", file)
	small.want(410, "HEAD", file)
	d.change("UPDATE export_jobs SET expires_at = '2020-01-01 00:00:00+00:00' WHERE id = ?", idOf(job))
	small.want(410, "GET", job)
	small.want(202, "DELETE", job)

	for _, path := range []string{"/Group/S0030/$export", "/Patient/$export", "/$export"} {
		d.want(401, "GET", base+path)
		d.want(401, "POST", base+path)
		var running []string
		for range 3 {
			running = append(running, large.started(base+path))
		}
		full := large.want(429, "GET", base+path)
		large.want(429, "POST", base+path)
		for _, r := range running {
			if !strings.Contains(full.Header.Get("Content-Location"), r) {
				d.t.Errorf("a full queue names %s", full.Header.Get("Content-Location"))
			}
		}
		large.want(202, "GET", running[0])
		large.want(429, "GET", running[0])
		for _, r := range running {
			large.want(202, "DELETE", r)
			large.want(404, "GET", r)
		}
	}
	small.want(403, "GET", base+"/Group/S0030/$export")
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

func idOf(address string) string { return uuid.FindString(address) }

// provokeStrangers has a client that was disabled ask for everything.
func provokeStrangers(d *described) {
	const base = "/api/v2/fhir"
	off := d.as("S0002")
	d.change("UPDATE api_clients SET enabled = false WHERE id = ?", sponsorOf(d.t, "S0002").Client)
	job := base + "/Job/0b5f8f3e-8d3c-4f0e-9a61-3f0f1d2c4b5a"
	for _, r := range []string{"GET /Group/S0002/$export", "GET /Patient/$export", "GET /$export",
		"POST /Group/S0002/$export", "POST /Patient/$export", "POST /$export", "GET /Group", "GET /Group/S0002", "GET /Job"} {
		method, path, _ := strings.Cut(r, " ")
		off.want(403, method, base+path)
	}
	for _, r := range []string{"GET /$status", "DELETE /$status", "GET /file/S0002_0001.ndjson", "HEAD /file/S0002_0001.ndjson"} {
		method, path, _ := strings.Cut(r, " ")
		off.want(403, method, job+path)
	}
}

// provokeFailure exports from a source that answers for nobody.
func provokeFailure(d *described) {
	own := d.as("S0000")
	_, err := own.follow(patience(d.t), own.started("/api/v2/fhir/Patient/$export"))
	if err == nil || !strings.Contains(err.Error(), "500") {
		d.t.Errorf("an export from a source that is lost ended with %v", err)
	}
}

// provokeMaintenance asks for exports while there is maintenance, which the
// source of claims has too.
func provokeMaintenance(d *described) {
	d.want(503, "GET", "/ready")
	own := d.as("S0000")
	for _, path := range []string{"/Group/S0000/$export", "/Patient/$export", "/$export"} {
		own.want(503, "GET", "/api/v1/fhir"+path)
		own.want(503, "POST", "/api/v1/fhir"+path)
	}
}

// provokeCrowd asks for more at once than a process answers.
func provokeCrowd(d *described) {
	own := d.as("S0000") // whose file is larger, without gzip, than what connections hold by themselves
	m := own.complete(own.started("/api/v2/fhir/Patient/$export"))
	file := m.Output[0].URL
	req, err := http.NewRequestWithContext(patience(d.t), "GET", file, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+own.token)
	res, err := own.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	own.want(503, "GET", file) // the other transfer waits for its reader
	_ = res.Body.Close()

	job := "/api/v2/fhir/Job/" + idOf(file)
	for _, r := range []string{"GET /api/v2/fhir/metadata", "HEAD /api/v2/fhir/metadata", "GET /api/v2/fhir/OperationDefinition/export",
		"GET /api/v2/fhir/.well-known/smart-configuration", "GET /api/v2/fhir/Group", "GET /api/v2/fhir/Group/S0000", "GET /api/v2/fhir/Job", "GET " + job + "/$status", "DELETE " + job + "x/$status", "HEAD " + file} {
		method, address, _ := strings.Cut(r, " ")
		until(d.t, "a process to be too busy for "+r, func() bool { return slices.Contains(crowd(own, method, address), 503) })
	}
}

// crowd sends the same request many times at once and returns the statuses.
func crowd(d *described, method, address string) (statuses []int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			res, _ := d.send(method, address)
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, res.StatusCode)
		})
	}
	all.Wait()
	return statuses
}

// The served document is the one for this server: in production nobody gets a
// token from a sandbox.
func TestTheAPIDescriptionOfProductionHasNoSandbox(t *testing.T) {
	const issuer = "https://idp.example.test/oauth2/x/v1/token"
	d, err := openapi.NewDocument(issuer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := truth.New(d.YAML)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range c.Operations() {
		if strings.Contains(op, "oauth2") {
			t.Errorf("it tells of %s", op)
		}
	}
	var parsed struct {
		Components struct {
			SecuritySchemes map[string]struct {
				Flows map[string]struct{ TokenURL string }
			}
		}
	}
	if err := json.Unmarshal(d.JSON, &parsed); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(parsed.Components.SecuritySchemes["clientCredentials"].Flows["clientCredentials"].TokenURL); got != issuer {
		t.Errorf("tokens are to be had at %s", got)
	}
}
