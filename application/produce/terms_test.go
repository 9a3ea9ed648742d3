package produce_test

import (
	"context"
	"encoding/json"
	"testing"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// exportedBy runs an export with terms to its end.
func exportedBy(t *testing.T, s *site.Site, n domain.ContractNumber, w domain.Window, terms domain.Terms) domain.ExportJobState {
	t.Helper()
	ask := s.Ask(n, w)
	ask.Terms = terms
	id, err := s.Export.Start(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	return s.Job(id)
}

// filesOf returns the files of a job in order.
func filesOf(t *testing.T, s *site.Site, id domain.JobID) (files []domain.OutputFile) {
	t.Helper()
	if err := s.Store.View(t.Context(), func(ctx context.Context, tx ports.Tx) (err error) {
		files, err = tx.Files.OfJob(ctx, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWhatWasIgnoredStandsOnceInTheErrorFile(t *testing.T) {
	s := four(t)
	s.Produce.Settings.PartitionMembers = 2
	job := exportedBy(t, s, site.First, everything, domain.Terms{Ignored: []domain.Ignored{
		{Code: domain.NotFound, Text: "The parameter _count is not supported.", Next: "Leave it out."},
		{Code: domain.Invalid, Text: "The _type Basic is not supported.", Next: "Use another."},
	}})
	if job.State != domain.Successful || len(ids(t, s, job.ID)) != 4 {
		t.Fatalf("%s: %s", job.State, job.Failure.Reason)
	}
	told := lines(t, s, job.ID, domain.ErrorFile)
	if len(told) != 2 {
		t.Fatalf("the error file has %d lines: %v", len(told), told)
	}
	for i, code := range []string{"not-supported", "invalid"} {
		var o struct {
			Issue []struct {
				Severity, Code, Diagnostics string
				Details                     struct{ Text string }
			}
		}
		if err := json.Unmarshal([]byte(told[i]), &o); err != nil || len(o.Issue) != 1 {
			t.Fatalf("%v: %s", err, told[i])
		}
		if got := o.Issue[0]; got.Severity != "information" || got.Code != code ||
			got.Details.Text != "Ignored: "+job.Terms.Ignored[i].Text || got.Diagnostics != job.Terms.Ignored[i].Next {
			t.Errorf("told %+v, want %s of %+v", got, code, job.Terms.Ignored[i])
		}
	}
}
