package entstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// With a large contract there, what reads enrollment goes by its indexes, and
// kick-off and status do not come near it. The server itself explains every
// statement as it ran it.
func TestLargeEnrollmentIsReadByItsIndexes(t *testing.T) {
	o := owned(t, "shared_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_parameter_max_length=0")
	s := open(t, o.URL(), nil)
	load := func(contract domain.ContractNumber, minute int64, n int) domain.EnrollmentVersion {
		t.Helper()
		v, err := s.Load(t.Context(), contract, ports.At(time.Unix(minute*60, 0)), people(n))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const n = 100_000
	load("S0001", 1, n)
	load("S0002", 1, n/10)
	for _, statement := range []string{
		"INSERT INTO enrollment_versions (contract, version, recorded_at) SELECT 'S1'||i%50, i, now() FROM generate_series(1, 20000) i",
		"ANALYZE",
	} {
		if _, err := s.DB().Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	const versions, people, row = "enrollmentversion_contract", "coverage_contract_patient_from_version", "coverage_pkey"
	for what, part := range map[string]struct {
		do   func()
		want []string // the indexes used, at least once each
	}{
		"Members of a partition": {func() {
			keys := domain.KeyRange{From: "-00000000050000", To: "-00000000050499"}
			if got := members(t, s, "S0001", 1, keys); got != 500 {
				t.Errorf("the partition has %d members", got)
			}
		}, []string{people}},
		"Members of all": {func() {
			if got := members(t, s, "S0001", 1, domain.KeyRange{}); got != n {
				t.Errorf("there are %d members", got)
			}
		}, []string{people}},
		"VersionAt": {func() {
			if v, err := s.VersionAt(t.Context(), "S0001", time.Unix(3600, 0)); err != nil || v == 0 {
				t.Errorf("version %d, %v", v, err)
			}
		}, []string{versions}},
		"Load of the same":          {func() { load("S0001", 2, n) }, []string{versions, people}},
		"Load of a few people less": {func() { load("S0002", 3, n/10-10) }, []string{versions, people, row}},
		"kick-off and status": {func() {
			id := domain.JobID("00000000-0000-4000-8000-000000000000")
			err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				if _, err := tx.Jobs.Active(ctx, []domain.ContractNumber{"S0001"}); err != nil {
					return err
				}
				return tx.Jobs.Add(ctx, domain.NewExportJob(domain.ExportJobState{ID: id, Contracts: []domain.ContractNumber{"S0001"}, Version: domain.R4, CreatedAt: time.Unix(1, 0)}))
			})
			if err == nil {
				err = s.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
					if _, err := tx.Jobs.Get(ctx, id); err != nil {
						return err
					}
					_, _, err := tx.Partitions.Progress(ctx, id)
					return err
				})
			}
			if err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		before := len(said(t, o))
		part.do()
		plans := plansOf(said(t, o)[before:], "coverage", "enrollment_versions")
		for _, plan := range plans {
			if strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s reads through all:\n%s", what, plan)
			}
		}
		all := strings.Join(plans, "\n")
		for _, index := range part.want {
			if !strings.Contains(all, index) {
				t.Errorf("%s does not go by %s:\n%s", what, index, all)
			}
		}
		if part.want == nil && len(plans) > 0 {
			t.Errorf("%s asks for enrollment:\n%s", what, all)
		}
	}
}

// With a long trail and many jobs there, what was refused is found by indexes of
// its own, and how long jobs wait without a look at those that do not.
func TestWhatStaffLookForIsReadByItsIndexes(t *testing.T) {
	o := owned(t, "shared_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_parameter_max_length=0")
	s := open(t, o.URL(), nil)
	for _, statement := range []string{
		`INSERT INTO audit_records (at, actor_kind, actor_id, actor_from, action, target, outcome) SELECT now(), 'client', 'c', '', 'export.status', 'j' || i, CASE WHEN i%20000 = 0 THEN 'forbidden' ELSE 'done' END FROM generate_series(1, 100000) i`,
		`INSERT INTO export_jobs (id, sponsor, client, contracts, skipped, fhir_version, request, state, created_at, plans, accounts, failure) SELECT 'j' || i, 's', 'c', '[]', '[]', 'R4', '', 'expired', now(), '[]', '[]', '{}' FROM generate_series(1, 50000) i`,
		"ANALYZE",
	} {
		if _, err := s.DB().Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	search := func(outcome string, want int) func() {
		return func() {
			for range 8 { // from the sixth on Postgres may plan without the values
				if found, err := s.Search(t.Context(), ports.AuditQuery{Outcome: outcome}); err != nil || len(found) != want {
					t.Errorf("%d records are %s, want %d; %v", len(found), outcome, want, err)
				}
			}
		}
	}
	for what, part := range map[string]struct {
		do    func()
		table string
		want  string
	}{
		"what was refused":  {search("refused", 5), "audit_records", "auditrecord_refused"},
		"one code":          {search("forbidden", 5), "audit_records", "auditrecord_"},
		"a code of nothing": {search("odd", 0), "audit_records", "auditrecord_"},
		"how long jobs wait": {func() {
			if err := s.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				_, err := tx.Partitions.Backlog(ctx)
				return err
			}); err != nil {
				t.Error(err)
			}
		}, "export_jobs", ""},
	} {
		before := len(said(t, o))
		part.do()
		plans := plansOf(said(t, o)[before:], part.table)
		if len(plans) == 0 {
			t.Errorf("%s reads nothing", what)
		}
		for _, plan := range plans {
			if strings.Contains(plan, "Seq Scan on "+part.table) || strings.Contains(plan, "exportjob_created_at") || !strings.Contains(plan, part.want) {
				t.Errorf("%s does not go by %s:\n%s", what, part.want, plan)
			}
		}
	}
}

// plansOf returns the plans in a log that read or change any of the tables.
func plansOf(log string, tables ...string) (plans []string) {
	for _, plan := range strings.Split(log, "LOG:  duration: ")[1:] {
		for _, table := range tables {
			if strings.Contains(plan, " on "+table+" ") {
				plans = append(plans, plan)
				break
			}
		}
	}
	return plans
}

func said(t *testing.T, o *server.Owned) string {
	t.Helper()
	log, err := o.Log()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func members(t *testing.T, s *entstore.Store, n domain.ContractNumber, v domain.EnrollmentVersion, keys domain.KeyRange) (count int) {
	t.Helper()
	for _, err := range s.Members(t.Context(), n, v, keys) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	return count
}
