package console_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/maintenance"
	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// world is the console over the memory adapters, on an address of its own: three
// contracts that stand differently and a job in every state.
type world struct {
	*site.Site
	base    string
	jobs    map[domain.JobState]domain.JobID
	oversee *oversight.UseCase
	staff   *staff.UseCase
}

var limits = domain.SessionLimits{Idle: 15 * time.Minute, Life: 8 * time.Hour}

func newWorld(t *testing.T, change ...func(*console.Config)) *world {
	t.Helper()
	s := site.New(t)
	w := &world{Site: s, jobs: map[domain.JobState]domain.JobID{}}
	w.fill(t)
	changes := &attestation.UseCase{Store: s.Store, Clock: s.Clock}
	known := &clients.UseCase{Store: s.Store, Clock: s.Clock, KeySets: jwks.Checker{}, SecretKey: domain.SecretKey("key")}
	w.oversee = &oversight.UseCase{Store: s.Store, Coverage: s.Store, Audit: s.Store, Files: s.Files, Packing: memory.Packing{}, Clock: s.Clock, Export: s.Export,
		Sweep: s.Retention, Attestation: changes, Clients: known,
		Listing: &listing.UseCase{Store: s.Store, Clock: s.Clock, Attestation: changes}, Intake: &enrollment.UseCase{Store: s.Store, Coverage: s.Store, Clock: s.Clock}}
	w.staff = &staff.UseCase{Store: s.Store, Clock: s.Clock, Limits: limits}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.base = "http://" + l.Addr().String()
	cfg := console.Config{Sandbox: true, Version: "test", PublicURL: w.base, Over: t.Context().Done(),
		Settings: []console.Setting{{Name: "listen", Value: "127.0.0.1:8080", From: "default", Means: "address of the HTTP server"}},
		Checks: func(context.Context) []console.Check {
			return []console.Check{{Name: "database"}, {Name: "claims source", Err: errors.New("it does not answer"), Do: "Ask those who run it."}}
		},
		Watch:   console.Watch{Sweep: time.Minute, Listing: time.Hour, Files: "the folder /var/lib/ab2d/files", Source: "BFD"},
		Address: func(c *fiber.Ctx) netip.Addr { return netip.MustParseAddr("127.0.0.1") }}
	for _, c := range change {
		c(&cfg)
	}
	app := fiber.New(fiber.Config{Immutable: true, DisableStartupMessage: true, UnescapePath: true})
	if err := console.Mount(app, cfg, console.UseCases{Clock: s.Clock, Oversight: w.oversee, Attestation: changes,
		Staff: w.staff, Clients: known, Maintenance: &maintenance.UseCase{Store: s.Store, Clock: s.Clock}}); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(l) }()
	t.Cleanup(func() {
		if err := errors.Join(app.ShutdownWithTimeout(10*time.Second), <-served); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return w
}

// fill makes what the pages show.
func (w *world) fill(t *testing.T) {
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(
			tx.Contracts.Put(ctx, domain.Contract{Number: "S0003", Name: "=a formula", Sponsor: "sponsor"}),
			tx.Attestations.Append(ctx, site.Event(site.Second, domain.Remove, 2023_01_01)),
			tx.Attestations.Append(ctx, site.Event(site.Second, domain.Reattest, 2024_05_01)),
			tx.Attestations.Append(ctx, site.Event(site.Second, domain.Lapse, 2025_11_01)))
	})
	w.Enroll(site.First, site.Start.AddDate(-1, 0, 0), site.Person("1"), site.Person("2"), site.Person("3"))
	for _, p := range []string{"1", "2"} {
		w.Claims.Put(domain.PatientID(p), site.Claim("c"+p, p, "2021-05-05", site.Start.AddDate(0, -1, 0)))
	}
	w.Claims.Put("3", `{"resourceType":"ExplanationOfBenefit","id":`)
	w.hold()
	job := w.Exported(site.First, domain.Window{})
	w.jobs[job.State] = job.ID
	file := download.Ask{Client: w.Client, From: netip.MustParseAddr("192.0.2.7"), Job: job.ID, Name: "S0001_0001.ndjson", Form: domain.GzipForm}
	found, err := w.Download.Find(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	half := found.Stored.Bytes / 2
	for _, r := range []domain.ByteRange{{Start: 0, End: half}, {Start: half, End: found.Stored.Bytes}} {
		w.Clock.Advance(time.Minute)
		if err := w.Download.Sent(t.Context(), file, found, r); err != nil {
			t.Fatal(err)
		}
	}
	narrow := w.Ask(site.First, domain.Window{})
	narrow.Partials, narrow.Terms = true, domain.Terms{Filters: domain.Filters{{Types: []string{"DME"}}}, Elements: domain.Elements{domain.ExplanationOfBenefit: {"item"}}, MaxFileBytes: 1 << 20}
	failed, err := w.Export.Start(t.Context(), narrow)
	if err != nil {
		t.Fatal(err)
	}
	cancelled := w.KickOff(site.First, domain.Window{Since: site.Start.AddDate(0, -3, 0)})
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		return tx.Jobs.Update(ctx, failed, func(j *domain.ExportJob) error {
			return j.Fail(w.Clock.Now(), domain.Failure{Code: domain.Unavailable, Reason: "The claims source did not answer for 12 of 3 enrollees.", ID: "ABCD-EFGH"})
		})
	})
	if err := w.Cancel.Cancel(t.Context(), w.Client, netip.MustParseAddr("192.0.2.7"), cancelled); err != nil {
		t.Fatal(err)
	}
	running := w.KickOff(site.First, domain.Window{})
	if err := w.Produce.Plan(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	w.jobs[domain.Failed], w.jobs[domain.Cancelled], w.jobs[domain.InProgress] = failed, cancelled, running
	w.jobs[domain.Submitted] = w.KickOff(site.First, domain.Window{})
	w.oversight()
}

// oversight has processes tell of themselves, a source that did not always answer,
// and errands that were done.
func (w *world) oversight() {
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		worker := domain.ProcessState{Partitions: 1, Places: 2, Memory: 412 << 20, Disk: &domain.Disk{Free: 12 << 30, Total: 100 << 30, Since: site.Start.Add(-time.Hour)},
			Source: &domain.SourceState{Limit: 64, InUse: 61, Waiting: 7, Away: site.Start.Add(-time.Minute), Outages: 2}}
		errs := []error{
			tx.Processes.Tell(ctx, domain.Process{ID: "1", Host: "worker-1.example", PID: 17, Version: "1.4.0", Roles: []string{"worker"}, StartedAt: site.Start.Add(-30 * time.Hour), State: worker}),
			tx.Processes.Tell(ctx, domain.Process{ID: "2", Host: "web-1.example", PID: 9, Version: "1.4.0", Roles: []string{"api", "console"}, StartedAt: site.Start.Add(-30 * time.Hour), State: domain.ProcessState{Memory: 90 << 20}}),
			tx.ErrandBook.Note(ctx, "sweep", domain.ErrandRun{EndedAt: site.Start.Add(-time.Minute), Took: 2 * time.Second, Outcome: domain.DoneRun, Done: site.Start.Add(-time.Minute),
				Swept: &domain.Swept{Files: 12, Bytes: 5 << 30, Deleted: 3, Orphans: 1, Freed: 1 << 30, Ages: []domain.Aged{{Within: time.Hour, Files: 4, Bytes: 1 << 30}, {Within: 24 * time.Hour, Files: 8, Bytes: 4 << 30}, {}}}}),
			tx.ErrandBook.Note(ctx, "hpms", domain.ErrandRun{EndedAt: site.Start.Add(-20 * time.Minute), Took: 4 * time.Second, Outcome: string(domain.Unavailable), Done: site.Start.Add(-9 * time.Hour), Detail: map[string]string{"error": "HPMS answered 503"}}),
		}
		for i := range 24 {
			f := domain.SourceFigures{Source: "bfd", Width: domain.LongStretch, Begins: site.Start.Add(time.Duration(-i) * time.Hour)}
			for n := range 40 + 5*i {
				f.Count(domain.CallAnswered, time.Duration(80+3*n)*time.Millisecond)
			}
			f.Failed, f.Refused = int64(i%4*3), int64(i%3)
			short := f
			short.Width, short.Begins = domain.ShortStretch, site.Start.Add(time.Duration(-5*i)*time.Minute)
			if short.Failed = 1; i < 3 {
				short.Failed = 9
			}
			errs = append(errs, tx.SourceFigures.Add(ctx, f), tx.SourceFigures.Add(ctx, short))
		}
		return errors.Join(errs...)
	})
}

// hold has changes wait that HPMS and the source of enrollment brought.
func (w *world) hold() {
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(
			tx.Holds.Put(ctx, domain.Hold{ID: "listed", Kind: domain.HeldListing, At: w.Clock.Now(), State: domain.HoldWaiting, Before: 2, Dropped: 2, Ends: []domain.ContractNumber{site.First, site.Second},
				Reason: "HPMS no longer lists 2 of 2 attested contracts, which is more than 25%."}),
			tx.Holds.Put(ctx, domain.Hold{ID: "people", Kind: domain.HeldEnrollment, Contract: site.First, At: w.Clock.Now(), State: domain.HoldWaiting, Before: 100, Dropped: 95,
				Reason: "Of the 100 people enrolled in contract S0001 in 2026-01 the source no longer has 95, which is more than 20%."}),
			tx.Intakes.Put(ctx, domain.Intake{Contract: site.First, Months: []domain.MonthIntake{{Month: domain.NewMonth(2026, 1), At: site.Start, People: 100}},
				Pass: &domain.Pass{ID: "p", Hold: "people", Months: []domain.PassMonth{{Month: domain.NewMonth(2026, 1), Done: true, People: 5}, {Month: domain.NewMonth(2026, 2), Done: true, People: 4}}}}))
	})
}

// visitor is a browser without a face.
type visitor struct {
	t    testing.TB
	base string
	http.Client
}

func (w *world) visitor(t testing.TB) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, w.base, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came back.
type answer struct {
	status int
	to     string // where it redirects to
	body   string
	header http.Header
}

func (v *visitor) send(r *http.Request) answer {
	v.t.Helper()
	res, err := v.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(body), res.Header}
}

func (v *visitor) get(path string) answer {
	v.t.Helper()
	r, err := http.NewRequest("GET", v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(r)
}

func (v *visitor) post(path string, form url.Values) answer {
	v.t.Helper()
	r, err := http.NewRequest("POST", v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(r)
}

var tokenField = regexp.MustCompile(`name="token" value="([0-9a-f]+)"`)

// token is what the forms of a page bring.
func (v *visitor) token(path string) string {
	v.t.Helper()
	m := tokenField.FindStringSubmatch(v.get(path).body)
	if m == nil {
		v.t.Fatalf("%s has no form", path)
	}
	return m[1]
}

// signIn signs in as one of the sample accounts.
func (w *world) signIn(t testing.TB, person string) *visitor {
	t.Helper()
	v := w.visitor(t)
	if a := v.post("/console/login", nil); a.to != "/console/login/as" {
		t.Fatalf("after the notice: %d %s", a.status, a.to)
	}
	if a := v.post("/console/login/as", url.Values{"token": {v.token("/console/login/as")}, "person": {person}}); a.status != 303 {
		t.Fatalf("signing in as %s: %d", person, a.status)
	}
	return v
}
