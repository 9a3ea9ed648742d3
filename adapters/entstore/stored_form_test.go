package entstore_test

import (
	"context"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Some columns hold domain values as JSON. Rows outlive programs, so what they
// look like must not change unnoticed: a field renamed in the domain is
// lost in every row there is.
func TestStoredFormDoesNotChange(t *testing.T) {
	s := open(t, sqlitetest.URL(t), nil)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	file := domain.StoredFile{Kind: domain.DataFile, Key: "k", Lines: 1, Plain: domain.Content{Bytes: 2, SHA256: "a"},
		Stored: domain.Content{Bytes: 3, SHA256: "b"}, Index: []byte{1}}
	columns := domain.Columns{Exported: 1, NoClaims: 2, OptedOut: 3, Failed: 4, FullHistory: 5}
	job := domain.RestoreExportJob(domain.ExportJobState{
		ID: "j", Contracts: []domain.ContractNumber{"S0001"}, Version: domain.R4, State: domain.InProgress, CreatedAt: at,
		Skipped:  []domain.SkippedContract{{Contract: "S0002", Reason: "r"}},
		Plans:    []domain.ContractPlan{{Contract: "S0001", Enrollment: 1, Before: 2, Enrolled: 3, From: 2020_01_02, FromBefore: 2020_01_01}},
		Accounts: []domain.Account{{Contract: "S0001", Columns: columns}},
		Failure:  domain.Failure{Code: domain.Internal, Reason: "r", ID: "i"},
		Terms:    domain.Terms{SeparateStatus: true, Ignored: []domain.Ignored{{Code: domain.Invalid, Text: "t", Next: "n"}}},
	})
	err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Jobs.Add(ctx, job); err != nil {
			return err
		}
		id := domain.PartitionID{Job: "j", Seq: 1}
		if err := tx.Partitions.Add(ctx, []domain.Partition{{ID: id, Contract: "S0001"}}); err != nil {
			return err
		}
		lease, err := tx.Leases.Acquire(ctx, id, time.Hour)
		if err != nil {
			return err
		}
		result := domain.PartitionResult{Files: []domain.StoredFile{file}, Columns: columns, Excluded: map[string]int{"x": 1}, Claims: 9}
		if err := tx.Leases.Publish(ctx, lease, result); err != nil {
			return err
		}
		if err := tx.Attestations.Append(ctx, domain.AttestationEvent{ID: "e", Recorded: at, Actor: domain.Actor{Kind: "staff", ID: "i", From: "f"}}); err != nil {
			return err
		}
		filtered := domain.RestoreExportJob(domain.ExportJobState{ID: "k", Version: domain.R4, State: domain.InProgress, CreatedAt: at,
			Terms: domain.Terms{Filters: domain.Filters{{Statuses: []string{"active"}}}}})
		if err := tx.Jobs.Add(ctx, filtered); err != nil {
			return err
		}
		return tx.Downloads.Update(ctx, domain.DownloadKey{Job: "j"}, func(d *domain.Download) { d.Sent = []domain.ByteRange{{Start: 1, End: 2}} })
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT contracts FROM export_jobs WHERE id = 'j'": `["S0001"]`,
		"SELECT skipped FROM export_jobs WHERE id = 'j'":   `[{"Contract":"S0002","Reason":"r"}]`,
		"SELECT plans FROM export_jobs WHERE id = 'j'":     `[{"Contract":"S0001","Enrollment":1,"Before":2,"EnrolledAsOf":"0001-01-01T00:00:00Z","Enrolled":3,"From":"2020-01-02","FromBefore":"2020-01-01"}]`,
		"SELECT accounts FROM export_jobs WHERE id = 'j'":  `[{"Contract":"S0001","Exported":1,"NoClaims":2,"OptedOut":3,"Failed":4,"NoCurrentMBI":0,"FullHistory":5,"EnrolledAsOf":"0001-01-01T00:00:00Z"}]`,
		"SELECT failure FROM export_jobs WHERE id = 'j'":   `{"Code":"internal","Reason":"r","ID":"i"}`,
		"SELECT terms FROM export_jobs WHERE id = 'j'":     `{"separateStatus":true,"ignored":[{"code":"invalid","text":"t","next":"n"}]}`,
		// A program that does not know terms, or not those that filter, looks for in_progress and finds nothing to do wrongly.
		"SELECT state FROM export_jobs WHERE id = 'j'":            `in_progress/2`,
		"SELECT state FROM export_jobs WHERE id = 'k'":            `in_progress/3`,
		"SELECT created_at || '' FROM export_jobs WHERE id = 'j'": `2026-03-01 12:00:00+00:00`,
		"SELECT result FROM partitions": `{"Files":[{"Kind":"data","Key":"k","Lines":1,"Plain":{"Bytes":2,"SHA256":"a"},"Stored":{"Bytes":3,"SHA256":"b"},"Index":"AQ=="}],` +
			`"Columns":{"Exported":1,"NoClaims":2,"OptedOut":3,"Failed":4,"NoCurrentMBI":0,"FullHistory":5},"Excluded":{"x":1},"Claims":9}`,
		"SELECT actor FROM attestation_events": `{"Kind":"staff","ID":"i","From":"f"}`,
		"SELECT sent FROM downloads":           `[{"Start":1,"End":2}]`,
	} {
		var got string
		if err := s.DB().QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s\n%s, %v\nwant\n%s", query, got, err, want)
		}
	}
}
