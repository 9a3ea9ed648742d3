package fiberapi_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/fiberapi"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/smartauth"
	"cms.gov/ab2d/application/access"
	"cms.gov/ab2d/application/cancel"
	"cms.gov/ab2d/application/contracts"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/jobs"
	"cms.gov/ab2d/application/refusals"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// sandbox is the API over the real use cases, with everything behind them in
// memory, and tokens from the sandbox's issuer.
type sandbox struct {
	*world
	clock  *memory.Clock
	store  *memory.Store
	files  ports.Files
	export *export.UseCase
	jobs   int

	packing ports.Packing
	plain   []byte // of the file that a successful job has
}

// The clients of the sandbox, all with the secret "secret".
const (
	ours    = "ours"    // of the sponsor PDP-1, for S0000, S0001 and S0003
	sibling = "sibling" // of the sponsor PDP-1, for S0001 alone
	theirs  = "theirs"  // of the sponsor PDP-2, for S0002
	off     = "off"     // disabled
	far     = "far"     // may only call from 192.0.2.0/24
	lapsed  = "lapsed"  // of the sponsor PDP-1, for S0003, which nobody attested for
)

// newIssuer returns an issuer that lets in everybody named, whatever the API may
// think of them.
func newIssuer(t *testing.T, clock *memory.Clock, secrets ports.Secrets, known ...domain.ClientID) *smartauth.Issuer {
	t.Helper()
	store, bounds, all := memory.NewStoreAt(clock.Now), &memory.Bounds{}, credentials.Settings{}
	err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: "s"}); err != nil {
			return err
		}
		for _, id := range known {
			all.Public = append(all.Public, credentials.Public{ID: string(id), Secret: "secret"})
			if err := tx.Clients.Put(ctx, domain.Client{ID: id, Sponsor: "s", Enabled: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := sandboxauth.New(t.Context(), public, nil, secrets, &credentials.UseCase{Store: store, Clock: clock, Assertions: bounds, Limits: bounds, Settings: all}, clock)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	return newSandboxOn(t, memory.NewFiles(), memory.Packing{})
}

func newSandboxOn(t *testing.T, files ports.Files, packing ports.Packing) *sandbox {
	t.Helper()
	s := &sandbox{clock: memory.NewClock(noon), files: files, packing: packing, plain: claims}
	s.store = memory.NewStoreAt(s.clock.Now)
	s.seed(t)

	issuer := newIssuer(t, s.clock, s.store, ours, sibling, theirs, off, far, lapsed, "unregistered")
	told := &refusals.Recorder{Store: s.store, Clock: s.clock}
	s.export = &export.UseCase{Store: s.store, Clock: s.clock, Settings: export.Settings{JobsPerContract: 3}}
	logs := &syncBuffer{}
	app := fiberapi.New(fiberapi.Config{PublicURL: public, TokenURL: public + sandboxauth.TokenPath,
		TokenAuth: fiberapi.TokenAuth{Methods: smartauth.Methods, Algorithms: smartauth.Algorithms, Scopes: domain.KnownScopes()}, Log: slog.New(slog.NewTextHandler(logs, nil))},
		fiberapi.UseCases{
			Access:    refusals.Access{UseCase: &access.UseCase{Tokens: issuer, Store: s.store}, Refusals: told},
			Contracts: refusals.Contracts{UseCase: &contracts.UseCase{Store: s.store, Clock: s.clock}, Refusals: told},
			Export:    refusals.Export{UseCase: s.export, Refusals: told},
			Jobs:      &jobs.UseCase{Store: s.store, Clock: s.clock},
			Status:    refusals.Status{UseCase: &status.UseCase{Store: s.store, Clock: s.clock}, Refusals: told},
			Download: refusals.Download{UseCase: &download.UseCase{Store: s.store, Files: s.files, Packing: packing, Clock: s.clock,
				Limits: domain.DownloadLimits{Fetches: 1, ResumeGrace: 15 * time.Minute}}, Refusals: told},
			Cancel: refusals.Cancel{UseCase: &cancel.UseCase{Store: s.store, Files: s.files, Clock: s.clock}, Refusals: told},
		})
	issuer.Mount(app)
	s.world = &world{t: t, app: app, logs: logs, base: serve(t, app)}
	return s
}

func (s *sandbox) seed(t *testing.T) {
	t.Helper()
	contracts := map[domain.ContractNumber]domain.SponsorID{"S0000": "PDP-1", "S0001": "PDP-1", "S0002": "PDP-2", "S0003": "PDP-1"}
	clients := []domain.Client{
		{ID: ours, Sponsor: "PDP-1", Enabled: true, Contracts: []domain.ContractNumber{"S0000", "S0001", "S0003"}},
		{ID: sibling, Sponsor: "PDP-1", Enabled: true, Contracts: []domain.ContractNumber{"S0001"}},
		{ID: theirs, Sponsor: "PDP-2", Enabled: true, Contracts: []domain.ContractNumber{"S0002"}},
		{ID: off, Sponsor: "PDP-1", Contracts: []domain.ContractNumber{"S0000"}},
		{ID: far, Sponsor: "PDP-1", Enabled: true, Contracts: []domain.ContractNumber{"S0000"}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		{ID: lapsed, Sponsor: "PDP-1", Enabled: true, Contracts: []domain.ContractNumber{"S0003"}},
	}
	s.do(t, func(ctx context.Context, tx ports.Tx) error {
		for _, id := range []domain.SponsorID{"PDP-1", "PDP-2"} {
			if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: id, Name: string(id)}); err != nil {
				return err
			}
		}
		for n, sponsor := range contracts {
			if err := tx.Contracts.Put(ctx, domain.Contract{Number: n, Name: "Contract " + string(n), Sponsor: sponsor}); err != nil {
				return err
			}
			if n == "S0003" {
				continue
			}
			if err := tx.Attestations.Append(ctx, attested(n)); err != nil {
				return err
			}
		}
		for _, c := range clients {
			if err := tx.Clients.Put(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func attested(n domain.ContractNumber) domain.AttestationEvent {
	return domain.AttestationEvent{ID: "attest-" + string(n), Contract: n, Kind: domain.Attest, Effective: domain.NewDate(2020, 3, 1),
		Recorded: noon.AddDate(-1, 0, 0), Source: "staff", Attestor: domain.Attestor{Name: "Ann Other", Office: "CEO"}}
}

func (s *sandbox) do(t *testing.T, fn func(ctx context.Context, tx ports.Tx) error) {
	t.Helper()
	if err := s.store.Do(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// token gets a token the way clients do.
func (s *sandbox) token(t *testing.T, client string) string {
	t.Helper()
	req, err := http.NewRequest("POST", s.base+sandboxauth.TokenPath, strings.NewReader(url.Values{
		"grant_type": {"client_credentials"}, "scope": {"clientCreds"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, "secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var grant struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&grant); err != nil || grant.AccessToken == "" {
		t.Fatalf("no token for %s: %d %v", client, resp.StatusCode, err)
	}
	return grant.AccessToken
}

// as sends a request as a client of the sandbox.
func (s *sandbox) as(t *testing.T, client, method, path string, header ...string) response {
	t.Helper()
	return s.world.do(method, path, append([]string{"Authorization", "Bearer " + s.token(t, client)}, header...)...)
}

// started is a job of a client for contracts that is submitted.
func (s *sandbox) started(t *testing.T, client domain.ClientID, sponsor domain.SponsorID, contracts ...domain.ContractNumber) domain.JobID {
	t.Helper()
	s.jobs++
	id := domain.NewJobID()
	s.do(t, func(ctx context.Context, tx ports.Tx) error {
		return tx.Jobs.Add(ctx, domain.NewExportJob(domain.ExportJobState{ID: id, Sponsor: sponsor, Client: client, Contracts: contracts,
			Version: domain.R4, Request: public + "/api/v2/fhir/Patient/$export", CreatedAt: s.clock.Now().Add(time.Duration(s.jobs))}))
	})
	return id
}

func (s *sandbox) move(t *testing.T, id domain.JobID, change func(*domain.ExportJob) error) {
	t.Helper()
	s.do(t, func(ctx context.Context, tx ports.Tx) error { return tx.Jobs.Update(ctx, id, change) })
}

// running puts a job in progress, with some of its people done.
func (s *sandbox) running(t *testing.T, id domain.JobID, contract domain.ContractNumber) {
	t.Helper()
	s.move(t, id, func(j *domain.ExportJob) error {
		return j.Begin(s.clock.Now(), s.clock.Now(), []domain.ContractPlan{{Contract: contract, Enrolled: 100, From: 2020_03_01}})
	})
	s.do(t, func(ctx context.Context, tx ports.Tx) error {
		return tx.Partitions.Add(ctx, []domain.Partition{{ID: domain.PartitionID{Job: id, Seq: 1}, Contract: contract, Members: 100, State: domain.PartitionOpen}})
	})
	s.do(t, func(ctx context.Context, tx ports.Tx) error {
		l, err := tx.Leases.Acquire(ctx, domain.PartitionID{Job: id, Seq: 1}, time.Hour)
		if err != nil {
			return err
		}
		return tx.Leases.Renew(ctx, l, 37, time.Hour)
	})
}

var claims = []byte(strings.Repeat(`{"resourceType":"ExplanationOfBenefit"}`+"\n", 3000))

// successful completes a job with one file of the contract.
func (s *sandbox) successful(t *testing.T, id domain.JobID, contract domain.ContractNumber) {
	t.Helper()
	s.running(t, id, contract)
	var packed bytes.Buffer
	p := s.packing.Pack(&packed)
	if _, err := p.Write(s.plain); err != nil {
		t.Fatal(err)
	}
	index, err := p.Finish()
	if err != nil {
		t.Fatal(err)
	}
	f := domain.StoredFile{Kind: domain.DataFile, Key: domain.AttemptPrefix(domain.PartitionID{Job: id, Seq: 1}, 1) + "data-1.ndjson.gz", Lines: 3000,
		Plain: content(s.plain), Stored: content(packed.Bytes()), Index: index}
	w, err := s.files.Create(t.Context(), f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	s.do(t, func(ctx context.Context, tx ports.Tx) error {
		return tx.Files.Add(ctx, []domain.OutputFile{{Job: id, Name: string(contract) + "_0001.ndjson", Contract: contract, StoredFile: f}})
	})
	s.move(t, id, func(j *domain.ExportJob) error {
		return j.Succeed(s.clock.Now(), 24*time.Hour, []domain.Account{{Contract: contract, Columns: domain.Columns{Exported: 97, NoClaims: 3}}})
	})
}

func statusPath(id domain.JobID) string { return "/api/v2/fhir/Job/" + string(id) + "/$status" }

func downloadPath(id domain.JobID) string {
	return "/api/v2/fhir/Job/" + string(id) + "/file/S0000_0001.ndjson"
}

// One export from its token to its last byte, as the guide of 2019 tells it.
func TestAnExportFromEndToEnd(t *testing.T) {
	s := newSandbox(t)
	r := s.as(t, ours, "GET", "/api/v1/fhir/Group/S0000/$export")
	location := r.Header.Get("Content-Location")
	path, ok := strings.CutPrefix(location, public)
	if r.StatusCode != 202 || !ok || !strings.HasPrefix(path, "/api/v1/fhir/Job/") {
		t.Fatalf("%d %s %q", r.StatusCode, location, r.body)
	}
	id := domain.JobID(strings.Split(path, "/")[5])
	r = s.as(t, ours, "GET", path)
	if r.StatusCode != 202 || r.Header.Get("X-Progress") != "0% complete" || r.Header.Get("Retry-After") != "1" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	s.successful(t, id, "S0000")

	r = s.as(t, ours, "GET", path)
	var m struct {
		TransactionTime time.Time
		Output          []struct {
			Type, URL string
			Count     int
		}
	}
	if err := json.Unmarshal(r.body, &m); err != nil || r.StatusCode != 200 || len(m.Output) != 1 || m.Output[0].Count != 3000 || !m.TransactionTime.Equal(noon) {
		t.Fatalf("%d %s %v", r.StatusCode, r.body, err)
	}
	r.header(t, "Expires", "Tue, 03 Mar 2026 12:00:00 GMT")
	file, _ := strings.CutPrefix(m.Output[0].URL, public)
	if r := s.as(t, ours, "HEAD", file); r.StatusCode != 200 {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
	r = s.as(t, ours, "GET", file, "Accept-Encoding", "gzip")
	if r.StatusCode != 200 || !bytes.Equal(inflated(t, r.body), claims) {
		t.Fatalf("%d, %d bytes", r.StatusCode, len(r.body))
	}
	s.as(t, ours, "GET", file, "Accept-Encoding", "gzip").refused(t, 410, "expired")
	s.as(t, ours, "GET", file).refused(t, 410, "expired")
	if r := s.as(t, ours, "GET", file, "Accept-Encoding", "gzip", "Range", "bytes=10-"); r.StatusCode != 206 {
		t.Errorf("to continue: %d", r.StatusCode)
	}
	s.as(t, ours, "GET", file, "Range", "bytes=10-").refused(t, 410, "expired") // it had the other form

	s.clock.Advance(24 * time.Hour)
	s.as(t, ours, "GET", path).refused(t, 410, "expired")
	s.as(t, ours, "GET", file).refused(t, 410, "expired")
	if r := s.as(t, ours, "DELETE", path); r.StatusCode != 202 {
		t.Errorf("DELETE: %d %s", r.StatusCode, r.body)
	}
}

// The table of the API, row by row, over the real use cases.
func TestTheTableOfTheAPI(t *testing.T) {
	s := newSandbox(t)
	oursRunning := s.started(t, ours, "PDP-1", "S0000")
	s.running(t, oursRunning, "S0000")
	failed := s.started(t, ours, "PDP-1", "S0000")
	s.move(t, failed, func(j *domain.ExportJob) error {
		return j.Fail(noon, domain.Failure{Code: domain.Internal, Reason: "The claims could not be read.", ID: "ABCD-EFGH"})
	})
	ruled := s.started(t, ours, "PDP-1", "S0000")
	s.move(t, ruled, func(j *domain.ExportJob) error {
		return j.Fail(noon, domain.Failure{Code: domain.BusinessRule, Reason: "The attestation ended.", ID: "ABCD-EFGH"})
	})
	cancelled := s.started(t, ours, "PDP-1", "S0000")
	s.move(t, cancelled, func(j *domain.ExportJob) error { return j.Cancel(noon) })
	done := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, done, "S0000")
	expired := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, expired, "S0000")
	s.move(t, expired, func(j *domain.ExportJob) error { return j.Expire(noon.Add(24 * time.Hour)) })
	unknown := domain.NewJobID()

	const v2 = "/api/v2/fhir"
	for _, row := range []struct {
		name           string
		client, method string
		path           string
		status         int
		code           string // empty when it is no refusal
		says           string // somewhere in the body
	}{
		{"everything", ours, "GET", v2 + "/Patient/$export", 202, "", ""},
		{"a contract", ours, "GET", v2 + "/Group/S0001/$export", 202, "", ""},
		{"the system", ours, "GET", v2 + "/$export", 202, "", ""},
		{"with parameters", theirs, "GET", v2 + "/$export?_since=2026-03-02T06:59:59-05:00&_until=2027-01-01T00:00:00Z&_type=ExplanationOfBenefit&_outputFormat=ndjson&x=1", 202, "", ""},
		{"not registered", "unregistered", "GET", v2 + "/$export", 403, "forbidden", "not enabled"},
		{"disabled", off, "GET", v2 + "/$export", 403, "forbidden", "not enabled"},
		{"another address", far, "GET", v2 + "/$export", 403, "forbidden", "127.0.0.1"},
		{"another's contract", theirs, "GET", v2 + "/Group/S0000/$export", 403, "forbidden", "There is no contract S0000"},
		{"an unknown contract", theirs, "GET", v2 + "/Group/S9999/$export", 403, "forbidden", "There is no contract S9999"},
		{"not attested", lapsed, "GET", v2 + "/Group/S0003/$export", 403, "business-rule", "No attestation is active for S0003"},
		{"in the future", theirs, "GET", v2 + "/$export?_since=2026-03-02T12:00:01Z", 400, "invalid", "in the future"},
		{"the wrong way round", theirs, "GET", v2 + "/$export?_since=2026-03-01T00:00:00Z&_until=2026-02-01T00:00:00Z", 400, "invalid", "is before _since"},
		{"not an instant", theirs, "GET", v2 + "/$export?_since=March", 400, "invalid", "not an instant"},
		{"another type", theirs, "GET", v2 + "/$export?_type=Patient", 400, "invalid", "Patient"},
		{"unknown", theirs, "GET", v2 + "/$export?_count=1", 400, "invalid", "_count"},
		{"status running", ours, "GET", statusPath(oursRunning), 202, "", ""},
		{"status too soon", ours, "GET", statusPath(oursRunning), 429, "throttled", "too soon"},
		{"status failed", ours, "GET", statusPath(failed), 500, "exception", "ABCD-EFGH"},
		{"status failed for a rule", ours, "GET", statusPath(ruled), 500, "business-rule", "ABCD-EFGH"},
		{"status cancelled", ours, "GET", statusPath(cancelled), 404, "deleted", ""},
		{"status expired", ours, "GET", statusPath(expired), 410, "expired", ""},
		{"status unknown", ours, "GET", statusPath(unknown), 404, "not-found", ""},
		{"status of another's", theirs, "GET", statusPath(done), 404, "not-found", ""},
		{"status without all contracts", sibling, "GET", statusPath(done), 404, "not-found", ""},
		{"status not an id", ours, "GET", statusPath("42"), 404, "not-found", ""},
		{"status done", ours, "GET", statusPath(done), 200, "", "S0000_0001.ndjson"},
		{"file of another's", theirs, "GET", downloadPath(done), 404, "not-found", ""},
		{"file unknown", ours, "GET", strings.Replace(downloadPath(done), "0001", "0002", 1), 404, "not-found", ""},
		{"file of a running job", ours, "GET", downloadPath(oursRunning), 404, "not-found", "no files yet"},
		{"file of a cancelled job", ours, "GET", downloadPath(cancelled), 404, "deleted", ""},
		{"file expired", ours, "GET", downloadPath(expired), 410, "expired", ""},
		{"file", ours, "GET", downloadPath(done), 200, "", "ExplanationOfBenefit"},
		{"file again", ours, "GET", downloadPath(done), 410, "expired", "fetched already"},
		{"cancel another's", theirs, "DELETE", statusPath(done), 404, "not-found", ""},
		{"cancel running", ours, "DELETE", statusPath(oursRunning), 202, "", ""},
		{"cancel done", ours, "DELETE", statusPath(done), 202, "", ""},
		{"cancel again", ours, "DELETE", statusPath(done), 404, "deleted", ""},
		{"status after that", ours, "GET", statusPath(done), 404, "deleted", ""},
		{"file after that", ours, "GET", downloadPath(done), 404, "deleted", ""},
		{"metadata", ours, "GET", v2 + "/metadata", 200, "", "CapabilityStatement"},
		{"no such route", ours, "GET", v2 + "/Coverage/$export", 404, "not-found", ""},
		{"wrong method", ours, "PUT", v2 + "/Patient/$export", 405, "not-supported", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := s.as(t, row.client, row.method, row.path)
			if row.code != "" {
				r.refused(t, row.status, row.code)
			} else if r.StatusCode != row.status {
				t.Errorf("%d %s, want %d", r.StatusCode, r.body, row.status)
			}
			if !strings.Contains(string(r.body), row.says) {
				t.Errorf("%s does not say %q", r.body, row.says)
			}
			switch r.StatusCode {
			case 429, 503:
				if r.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			case 405:
				r.header(t, "Allow", "GET, POST")
			}
		})
	}
}

// What is not theirs is told in the words for what does not exist.
func TestNobodyLearnsWhatOthersHave(t *testing.T) {
	s := newSandbox(t)
	id, unknown := s.started(t, ours, "PDP-1", "S0000"), domain.NewJobID()
	same := func(a, b response, was, is string) {
		t.Helper()
		if got := strings.ReplaceAll(string(a.body), was, is); a.StatusCode != b.StatusCode || got != string(b.body) {
			t.Errorf("%d %s and %d %s differ", a.StatusCode, a.body, b.StatusCode, b.body)
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		same(s.as(t, theirs, method, statusPath(id)), s.as(t, theirs, method, statusPath(unknown)), string(id), string(unknown))
	}
	same(s.as(t, theirs, "GET", downloadPath(id)), s.as(t, theirs, "GET", downloadPath(unknown)), string(id), string(unknown))
	export := func(n string) response { return s.as(t, theirs, "GET", "/api/v1/fhir/Group/"+n+"/$export") }
	same(export("S0000"), export("S9999"), "S0000", "S9999")
	same(export("S0000"), export("nonsense"), "S0000", "nonsense")
}

func TestTheLimitOfRunningJobs(t *testing.T) {
	s := newSandbox(t)
	var running []string
	for range 3 {
		r := s.as(t, ours, "GET", "/api/v1/fhir/Group/S0000/$export")
		running = append(running, r.Header.Get("Content-Location"))
		s.clock.Advance(time.Second)
	}
	for _, path := range []string{"/Group/S0000/$export", "/Patient/$export"} {
		r := s.as(t, ours, "GET", "/api/v1/fhir"+path)
		r.refused(t, 429, "throttled")
		r.header(t, "Retry-After", "30")
		r.header(t, "Content-Location", strings.Join(running, ", "))
	}
	if r := s.as(t, ours, "GET", "/api/v1/fhir/Group/S0001/$export"); r.StatusCode != 202 {
		t.Errorf("another contract: %d %s", r.StatusCode, r.body)
	}
	if r := s.as(t, ours, "DELETE", strings.TrimPrefix(running[1], public)); r.StatusCode != 202 {
		t.Fatalf("DELETE: %d %s", r.StatusCode, r.body)
	}
	if r := s.as(t, ours, "GET", "/api/v1/fhir/Group/S0000/$export"); r.StatusCode != 202 {
		t.Errorf("after one was cancelled: %d %s", r.StatusCode, r.body)
	}
}

func TestMaintenance(t *testing.T) {
	s := newSandbox(t)
	id := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, id, "S0000")
	s.export.Settings.Maintenance = "The database is being moved."
	r := s.as(t, ours, "GET", "/api/v1/fhir/Patient/$export")
	if text, _ := r.refused(t, 503, "transient"); !strings.Contains(text, "The database is being moved.") {
		t.Errorf("says %q", text)
	}
	r.header(t, "Retry-After", "300")
	if r := s.as(t, ours, "GET", statusPath(id)); r.StatusCode != 200 {
		t.Errorf("status: %d", r.StatusCode)
	}
	if r := s.as(t, ours, "GET", downloadPath(id)); r.StatusCode != 200 {
		t.Errorf("download: %d", r.StatusCode)
	}
}

func TestPollingTooSoon(t *testing.T) {
	s := newSandbox(t)
	id := s.started(t, ours, "PDP-1", "S0001")
	s.running(t, id, "S0001")
	s.clock.Advance(37 * time.Second) // 37 of 100 people in 37 seconds
	poll := func(client string) response { return s.as(t, client, "GET", statusPath(id)) }
	first := poll(ours)
	first.header(t, "X-Progress", "37% complete")
	first.header(t, "Retry-After", "32") // half of the 63 seconds that are left, rounded up

	s.clock.Advance(12 * time.Second)
	r := poll(ours)
	r.refused(t, 429, "throttled")
	r.header(t, "Retry-After", "20")
	s.world.do("GET", statusPath(id), "Authorization", "Bearer expired").refused(t, 401, "login")
	if r := poll(sibling); r.StatusCode != 202 {
		t.Errorf("another client of the sponsor: %d", r.StatusCode)
	}
	s.clock.Advance(10 * time.Second)
	if r := poll(ours); r.StatusCode != 202 {
		t.Errorf("after half of the wait: %d %s", r.StatusCode, r.body)
	}
}

func TestFilesAreLockedWhileNobodyAttests(t *testing.T) {
	s := newSandbox(t)
	id := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, id, "S0000")
	event := domain.AttestationEvent{ID: "lapse", Contract: "S0000", Kind: domain.Lapse, Effective: domain.NewDate(2026, 3, 1), Recorded: noon, Source: "staff"}
	s.do(t, func(ctx context.Context, tx ports.Tx) error { return tx.Attestations.Append(ctx, event) })
	s.as(t, ours, "GET", downloadPath(id)).refused(t, 403, "business-rule")
	event.ID, event.Kind = "again", domain.Reattest
	s.do(t, func(ctx context.Context, tx ports.Tx) error { return tx.Attestations.Append(ctx, event) })
	if r := s.as(t, ours, "GET", downloadPath(id)); r.StatusCode != 200 {
		t.Errorf("after the re-attestation: %d %s", r.StatusCode, r.body)
	}
}

func TestAStoredFileThatIsGone(t *testing.T) {
	s := newSandbox(t)
	id := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, id, "S0000")
	for f := range s.files.List(t.Context(), "") {
		if err := s.files.Delete(t.Context(), f.Key); err != nil {
			t.Fatal(err)
		}
	}
	s.as(t, ours, "GET", downloadPath(id)).refused(t, 410, "expired")
}

// Tokens that must not get in, over the wire.
func TestBadTokens(t *testing.T) {
	s := newSandbox(t)
	good := s.token(t, ours)
	parts := strings.Split(good, ".")
	var claims map[string]any
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(change map[string]any) string { return signed(t, s.signingKey(t), header(t, parts[0]), change) }
	for name, tt := range map[string]struct{ token, says string }{
		"another issuer":   {mint(change(claims, "iss", "https://idp.example.com")), "issuer"},
		"another audience": {mint(change(claims, "aud", "somebody")), "audience"},
		"another scope":    {mint(change(claims, "scp", []string{"openid"})), "scope"},
		"expired":          {mint(change(claims, "exp", noon.Add(-time.Hour).Unix())), "expired"},
		"without an end":   {mint(change(claims, "exp", nil)), "lacks"},
		"of the future":    {mint(change(claims, "nbf", noon.Add(time.Hour).Unix())), "not valid yet"},
		"without a client": {mint(change(claims, "cid", nil)), "client"},
		"malformed":        {"abc", "malformed"},
		"truncated":        {good[:len(good)-10], "signature"},
		"changed":          {parts[0] + "." + encoded(change(claims, "cid", "theirs")) + "." + parts[2], "signature"},
		"alg none":         {encoded(map[string]any{"alg": "none", "kid": header(t, parts[0])["kid"]}) + "." + parts[1] + ".", "signature"},
		"foreign key":      {signed(t, foreign, map[string]any{"alg": "RS256", "kid": "theirs"}, claims), "key"},
		"our key's id":     {signed(t, foreign, header(t, parts[0]), claims), "signature"},
		"huge":             {strings.Repeat("a", 12000), "too long"},
		"with a quote":     {`a"b\c`, "malformed"},
		"HS256":            {signed(t, foreign, map[string]any{"alg": "HS256"}, claims), "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.world.do("GET", "/api/v1/fhir/$export", "Authorization", "Bearer "+tt.token)
			if text, _ := r.refused(t, 401, "login"); !strings.Contains(text, tt.says) {
				t.Errorf("says %q, not %q", text, tt.says)
			}
			if challenge := r.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, `Bearer realm="ab2d", error="invalid_token", error_description="`) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
	s.clock.Advance(2 * time.Hour)
	r := s.world.do("GET", "/api/v1/fhir/$export", "Authorization", "Bearer "+good)
	if text, next := r.refused(t, 401, "login"); text != "The token has expired." || !strings.Contains(next, "token") {
		t.Errorf("says %q, %q", text, next)
	}
}

// signingKey is the issuer's own key, for tokens that only it could have made.
func (s *sandbox) signingKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	kept, err := s.store.Ensure(t.Context(), fmt.Sprintf("sandbox-signing-key/%d", s.clock.Now().Unix()/(30*24*3600)), nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(kept)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// change returns the claims with one changed, or left out for nil.
func change(claims map[string]any, name string, value any) map[string]any {
	changed := map[string]any{name: value}
	for n, v := range claims {
		if n != name {
			changed[n] = v
		}
	}
	if value == nil {
		delete(changed, name)
	}
	return changed
}

func header(t *testing.T, part string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func encoded(v any) string {
	raw, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func signed(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	input := encoded(header) + "." + encoded(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Every download and every refusal of an export is in the audit trail.
func TestTheAuditTrail(t *testing.T) {
	s := newSandbox(t)
	id := s.started(t, ours, "PDP-1", "S0000")
	s.successful(t, id, "S0000")
	s.as(t, ours, "GET", downloadPath(id), "Range", "bytes=5-9")
	s.as(t, theirs, "GET", "/api/v1/fhir/Group/S0000/$export")
	s.as(t, theirs, "GET", downloadPath(id))
	s.as(t, theirs, "DELETE", "/api/v1/fhir/Job/"+string(id)+"/$status")
	s.as(t, off, "GET", downloadPath(id))
	s.as(t, far, "GET", downloadPath(id))
	for _, want := range []struct{ action, outcome, actor string }{{"file.download", "done", ours}, {"export.start", "forbidden", theirs},
		{"file.download", "not_found", theirs}, {"export.cancel", "not_found", theirs}, {"api.access", "forbidden", off}, {"api.access", "forbidden", far}} {
		var found []domain.AuditRecord
		for range 100 {
			var err error
			if found, err = s.store.Find(t.Context(), want.action, "", 10); err != nil {
				t.Fatal(err)
			}
			if len(found) > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !slices.ContainsFunc(found, func(r domain.AuditRecord) bool {
			return r.Outcome == want.outcome && r.Actor.ID == want.actor && r.Actor.From == "127.0.0.1"
		}) {
			t.Errorf("%s: %s", want.action, fmt.Sprint(found))
		}
	}
}
