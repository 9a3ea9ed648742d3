package entstore_test

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// What it costs an ordinary unit of work, a job with its audit record, that the
// record waits to be sealed.
func BenchmarkRecord(b *testing.B) {
	for name, url := range map[string]func(b *testing.B) string{"SQLite": sqliteFor, "Postgres": func(b *testing.B) string { return pgtest.Empty(b) }} {
		for _, waits := range []bool{true, false} {
			b.Run(map[bool]string{true: name + "/waits", false: name + "/without"}[waits], func(b *testing.B) {
				s := open(b, url(b), nil)
				if err := s.Migrate(b.Context()); err != nil {
					b.Fatal(err)
				}
				if !waits {
					drop := "DROP TRIGGER audit_record_waits"
					if name == "Postgres" {
						drop += " ON audit_records"
					}
					if _, err := s.DB().Exec(drop); err != nil {
						b.Fatal(err)
					}
				}
				for b.Loop() {
					err := s.Do(b.Context(), func(ctx context.Context, tx ports.Tx) error {
						id := domain.NewJobID()
						job := domain.NewExportJob(domain.ExportJobState{ID: id, Sponsor: "s", Client: "c", Contracts: []domain.ContractNumber{"S0001"}, Version: domain.R4,
							Request: "https://example.com/api/v2/fhir/Patient/$export", CreatedAt: time.Now()})
						if err := tx.Jobs.Add(ctx, job); err != nil {
							return err
						}
						return tx.Audit.Record(ctx, domain.AuditRecord{At: time.Now(), Actor: domain.Actor{Kind: "client", ID: "c", From: "192.0.2.1"},
							Action: "export.start", Target: string(id), Outcome: "done", Detail: map[string]string{"version": "R4"}})
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
