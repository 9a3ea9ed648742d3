package console_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/adapters/clock"
	"cms.gov/ab2d/adapters/console"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/application/maintenance"
	"cms.gov/ab2d/application/oversight"
	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// What crowd puts into a database.
const (
	crowdJobs    = 100_000
	crowdRecords = 1_000_000
	crowdPeople  = 30_000
)

// crowd fills an installation as a year leaves it: the sandbox's six sponsors, a
// hundred thousand jobs with a partition and a file each, a million records of
// the audit trail, and one contract with thirty thousand enrollees.
func crowd(b *testing.B, s *entstore.Store, postgres bool) {
	b.Helper()
	now := time.Now().Truncate(time.Hour)
	err := s.Do(b.Context(), func(ctx context.Context, tx ports.Tx) error {
		for i, n := range []domain.ContractNumber{"S0000", "S0001", "S0002", "S0005", "S0010", "S0030"} {
			sponsor := domain.SponsorID(fmt.Sprintf("sponsor-%d", i))
			for _, err := range []error{
				tx.Sponsors.Put(ctx, domain.Sponsor{ID: sponsor, Name: "Sponsor " + string(n)}),
				tx.Contracts.Put(ctx, domain.Contract{Number: n, Name: "Plan " + string(n), Sponsor: sponsor}),
				tx.Attestations.Append(ctx, domain.AttestationEvent{ID: string(n), Contract: n, Kind: domain.Attest, Effective: 2020_01_01, Source: "hpms", Actor: domain.System("hpms"), Recorded: now.AddDate(-1, 0, 0)}),
				tx.Clients.Put(ctx, domain.Client{ID: domain.ClientID(fmt.Sprintf("client-%d", i)), Sponsor: sponsor, Name: "Client of " + string(n), Contracts: []domain.ContractNumber{n}, Enabled: true, CreatedAt: now}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	at := func(seconds string) string {
		return fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%S', %d + %s, 'unixepoch') || '+00:00'", now.Unix(), seconds)
	}
	series := "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i < %d) "
	idOf := func(n string) string {
		return fmt.Sprintf("printf('%%08x-0000-4000-8000-%%012x', (%s * 2654435761) %% 4294967296, %s)", n, n)
	}
	json := "%s"
	if postgres {
		at = func(seconds string) string { return fmt.Sprintf("to_timestamp(%d + %s)", now.Unix(), seconds) }
		series = "WITH s AS (SELECT generate_series(1, %d)::bigint AS i) "
		idOf = func(n string) string {
			return fmt.Sprintf("lpad(to_hex((%s * 2654435761) %% 4294967296), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(%s), 12, '0')", n, n)
		}
		json = "(%s)::jsonb"
	}
	id := idOf("i")
	number := "CASE i%6 WHEN 0 THEN 'S0000' WHEN 1 THEN 'S0001' WHEN 2 THEN 'S0002' WHEN 3 THEN 'S0005' WHEN 4 THEN 'S0010' ELSE 'S0030' END"
	created := fmt.Sprintf("(i - %d) * 315", crowdJobs) // one every five minutes, for a year
	started, completed := created+" + i%40", created+" + 60 + i%1700"
	for _, statement := range []string{
		fmt.Sprintf(series, crowdJobs) + "INSERT INTO export_jobs (id, sponsor, client, contracts, skipped, fhir_version, request, state, created_at, started_at, completed_at, expires_at, exported_bytes, plans, accounts, failure) SELECT " + id +
			", 'sponsor-' || i%6, 'client-' || i%6, " + fmt.Sprintf(json, `'["' || `+number+` || '"]'`) + ", '[]', 'R4', 'https://example.com/api/v2/fhir/Patient/$export', " +
			fmt.Sprintf("CASE WHEN i > %d THEN 'in_progress' WHEN i%%25 = 0 THEN 'failed' WHEN i%%31 = 0 THEN 'cancelled' WHEN i > %d THEN 'successful' ELSE 'expired' END, ", crowdJobs-20, crowdJobs-200) +
			at(created) + ", " + at(started) + ", " + fmt.Sprintf("CASE WHEN i > %d THEN NULL ELSE ", crowdJobs-20) + at(completed) + " END, " + at(completed+" + 86400") + ", CASE WHEN i%25 = 0 OR i%31 = 0 THEN 0 ELSE 30000000 + i END, '[]', '[]', '{}' FROM s",
		fmt.Sprintf(series, crowdJobs) + "INSERT INTO job_contracts (job_id, contract) SELECT " + id + ", " + number + " FROM s",
		fmt.Sprintf(series, crowdJobs) + "INSERT INTO output_files (job_id, name, contract, kind, key, lines, plain_bytes, plain_sha256, stored_bytes, stored_sha256) SELECT " + id + ", " + number + " || '_0001.ndjson', " + number +
			", 'data', 'k' || i, 4000, 30000000 + i, 'x', 3000000, 'x' FROM s WHERE i%25 <> 0 AND i%31 <> 0",
		fmt.Sprintf(series, crowdJobs) + "INSERT INTO partitions (job_id, seq, contract, key_from, key_to, members, state, attempt) SELECT " + id + ", 1, " + number + ", '', '', 500, " +
			fmt.Sprintf("CASE WHEN i > %d THEN 'open' ELSE 'done' END, 1 FROM s", crowdJobs-20),
		fmt.Sprintf(series, crowdRecords) + "INSERT INTO audit_records (at, actor_kind, actor_id, actor_from, action, target, outcome, detail) SELECT " + at(fmt.Sprintf("(i - %d) * 31", crowdRecords)) +
			", CASE WHEN i%50 = 0 THEN 'staff' ELSE 'client' END, 'client-' || i%6, '192.0.2.7', CASE i%5 WHEN 0 THEN 'export.start' WHEN 1 THEN 'export.status' ELSE 'file.download' END, " +
			"CASE WHEN i%1000 = 0 THEN 'S0030' ELSE " + idOf("(i/10)") + ` END, CASE WHEN i%5000 = 0 THEN 'forbidden' ELSE 'done' END, '{"form":"gzip","reason":"as always"}' FROM s`,
		"ANALYZE",
	} {
		if postgres {
			statement = strings.NewReplacer("'sponsor-' || i%6", "'sponsor-' || (i%6)", "'client-' || i%6", "'client-' || (i%6)").Replace(statement)
		}
		if _, err := s.DB().Exec(statement); err != nil {
			b.Fatalf("%.90s: %v", statement, err)
		}
	}
	err = s.Do(b.Context(), func(ctx context.Context, tx ports.Tx) error { // calls of a year, as twenty workers counted them
		for i := range 365 * 24 {
			f := domain.SourceFigures{Source: "bfd", Width: domain.LongStretch, Begins: now.Add(time.Duration(-i) * time.Hour), Answered: 36_000, Failed: int64(i % 7), Latencies: make(domain.Latencies, 40)}
			for n := range f.Latencies {
				f.Latencies[n] = int64(900 * n % 1000)
			}
			if err := tx.SourceFigures.Add(ctx, f); err != nil {
				return err
			}
			if f.Width, f.Begins = domain.ShortStretch, now.Add(time.Duration(-i)*domain.ShortStretch); f.Begins.Before(now.Add(-domain.KeepShort)) {
				continue
			}
			if err := tx.SourceFigures.Add(ctx, f); err != nil {
				return err
			}
		}
		for i := range 20 {
			if err := tx.Processes.Tell(ctx, domain.Process{ID: fmt.Sprint(i), Host: fmt.Sprintf("worker-%d", i), PID: i, Version: "1", Roles: []string{"worker"}, StartedAt: now,
				State: domain.ProcessState{Places: 8, Source: &domain.SourceState{Limit: 60}, Disk: &domain.Disk{Free: 50, Total: 100}}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	var people iter.Seq2[domain.Enrollee, error] = func(yield func(domain.Enrollee, error) bool) {
		for i := range crowdPeople {
			first := domain.NewMonth(2021+i%4, time.Month(1+i%12))
			if !yield(domain.Enrollee{Patient: domain.PatientID(fmt.Sprintf("-%014d", i)), Months: domain.MonthSet("").With(first, first+domain.Month(12+i%60))}, nil) {
				return
			}
		}
	}
	if _, err := s.Load(b.Context(), "S0030", ports.At(now.AddDate(0, -1, 0)), people); err != nil {
		b.Fatal(err)
	}
}

// busy is the console over a database that crowd filled, with an admin signed in.
func busy(b *testing.B, url string) (get func(path string) int) {
	b.Helper()
	s, err := entstore.Open(b.Context(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	crowd(b, s, strings.HasPrefix(url, "postgres"))
	changes := &attestation.UseCase{Store: s, Clock: clock.System{}}
	app := fiber.New(fiber.Config{Immutable: true, DisableStartupMessage: true, UnescapePath: true})
	err = console.Mount(app, console.Config{Sandbox: true, PublicURL: "http://127.0.0.1", Over: b.Context().Done(), Address: func(*fiber.Ctx) netip.Addr { return netip.MustParseAddr("127.0.0.1") }},
		console.UseCases{Clock: clock.System{}, Attestation: changes, Staff: &staff.UseCase{Store: s, Clock: clock.System{}, Limits: limits},
			Oversight: &oversight.UseCase{Store: s, Coverage: s, Audit: s, Files: memory.NewFiles(), Packing: memory.Packing{}, Clock: clock.System{}, Attestation: changes},
			Clients:   &clients.UseCase{Store: s, Clock: clock.System{}, KeySets: jwks.Checker{}, SecretKey: domain.SecretKey("key")}, Maintenance: &maintenance.UseCase{Store: s, Clock: clock.System{}}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go app.Listener(l)
	b.Cleanup(func() { app.ShutdownWithTimeout(time.Second) })
	w := &world{base: "http://" + l.Addr().String()}
	v := w.signIn(b, "sandbox-admin")
	return func(path string) int {
		r, err := http.NewRequest("GET", w.base+path, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		res, err := v.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer res.Body.Close()
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != 200 {
			b.Fatalf("%s answers %d, %v", path, res.StatusCode, err)
		}
		return int(n)
	}
}

// How long pages take and how large they are on the wire, with a hundred thousand
// jobs and a million records: go test -run '^$' -bench Pages ./adapters/console
func BenchmarkPages(b *testing.B) {
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", 99_990*2654435761%4294967296, 99_990)
	day := time.Now().UTC().AddDate(0, -3, 0).Format(time.DateOnly)
	for name, url := range map[string]func() string{
		"SQLite":   func() string { return "sqlite:" + filepath.Join(b.TempDir(), "ab2d.db") },
		"Postgres": func() string { return pgtest.Empty(b) },
	} {
		b.Run(name, func(b *testing.B) {
			get := busy(b, url())
			for _, path := range []string{"/", "/?range=7d", "/?range=30d", "/jobs", "/jobs?state=failed", "/jobs?contract=S0030&state=successful", "/jobs?sponsor=sponsor-5", "/jobs?client=client-3", "/jobs?submitted=24h",
				"/jobs/" + id, "/jobs/" + id + "?tab=files", "/jobs/" + id + "?tab=history", "/sponsors", "/sponsors/sponsor-5", "/contracts", "/contracts/S0030", "/contracts/S0030?tab=coverage", "/contracts/S0030?tab=history",
				"/contracts/S0030?tab=jobs", "/clients", "/clients/client-5", "/audit", "/audit?outcome=refused", "/audit?action=export.", "/audit?actor=client-3", "/audit?action=none&actor=client-3", "/audit?target=" + id, "/audit?from=" + day + "&to=" + day,
				"/audit?outcome=odd", "/search?q=S00", "/system", "/system?tab=workers", "/system?tab=queue", "/system?tab=storage", "/system?tab=source", "/system?tab=hpms", "/settings"} {
				b.Run(pageName(path), func(b *testing.B) {
					size := 0
					for b.Loop() {
						size = get("/console" + path)
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
					b.ReportMetric(float64(size)/1000, "kB")
				})
			}
		})
	}
}

func pageName(path string) string { return strings.ReplaceAll(path, "/", "·") }
