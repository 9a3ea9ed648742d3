package export_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/refusals"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func TestAContractHasAsManyExportsRunningAsItMay(t *testing.T) {
	s := site.New(t)
	var running []domain.JobID
	for _, n := range []domain.ContractNumber{site.First, "", site.First} {
		running = append(running, s.KickOff(n, domain.Window{}))
		s.Clock.Advance(time.Second)
	}

	_, err := s.Export.Start(t.Context(), s.Ask(site.First, domain.Window{}))
	var refused *domain.Error
	if !errors.As(err, &refused) || refused.Code != domain.Throttled || refused.RetryAfter <= 0 || !slices.Equal(refused.Running, running) {
		t.Errorf("a fourth export of the contract: %+v", err)
	}
	if _, err := s.Export.Start(t.Context(), s.Ask("", domain.Window{})); domain.CodeOf(err) != domain.Throttled {
		t.Errorf("an export of both contracts, one of which is full: %v", err)
	}
	s.KickOff(site.Second, domain.Window{}) // one runs of it, as part of both

	if err := s.Cancel.Cancel(t.Context(), s.Client, s.Ask("", domain.Window{}).From, running[0]); err != nil {
		t.Fatal(err)
	}
	s.KickOff(site.First, domain.Window{}) // the place is free at once
}

// Who was let in just before its sponsor turned out to be another starts an export
// of that other, which it can then use.
func TestAnExportThatMeetsAMergerIsTheOtherSponsors(t *testing.T) {
	s := site.New(t)
	ask := s.Ask(site.First, domain.Window{}) // with the client as it was
	s.Do(func(ctx context.Context, tx ports.Tx) error {
		other := domain.Sponsor{ID: "other", Name: "Other"}
		if err := tx.Sponsors.Put(ctx, other); err != nil {
			return err
		}
		return tx.Sponsors.Update(ctx, "sponsor", func(p *domain.Sponsor) error { return p.MergeInto(other) })
	})
	id, err := s.Export.Start(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if j := s.Job(id); j.Sponsor != "other" {
		t.Errorf("the job is of %s", j.Sponsor)
	}
}

// fetch records that the client was sent a file of a job whole.
func fetch(t *testing.T, s *site.Site, id domain.JobID, name string) {
	t.Helper()
	ask := download.Ask{Client: s.Client, From: s.Ask("", domain.Window{}).From, Job: id, Name: name, Form: domain.GzipForm}
	f, err := s.Download.Find(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Download.Sent(t.Context(), ask, f, domain.ByteRange{End: f.Stored.Bytes}); err != nil {
		t.Fatal(err)
	}
}

func TestSinceTheLastExportThatWasFetchedWhole(t *testing.T) {
	s := site.New(t)
	s.Produce.Settings.PartitionMembers = 1 // a file a person
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), site.Person("1"), site.Person("2"))
	for _, p := range []domain.PatientID{"1", "2"} {
		s.Claims.Put(p, site.Claim("c"+string(p), string(p), "2025-05-05", site.Start.AddDate(0, -1, 0)))
	}
	since := func(change func(*export.Start)) time.Time {
		t.Helper()
		s.Clock.Advance(time.Hour)
		ask := s.Ask(site.First, domain.Window{})
		ask.SinceLast = true
		if change != nil {
			change(&ask)
		}
		id, err := s.Export.Start(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Cancel.Cancel(t.Context(), s.Client, ask.From, id); err != nil {
				t.Fatal(err)
			}
		}()
		return s.Job(id).Window.Since
	}
	same := func(what string, got, want time.Time) {
		t.Helper()
		if !got.Equal(want) {
			t.Errorf("%s: since %s, want %s", what, got, want)
		}
	}
	same("before any export", since(nil), time.Time{})
	first := s.Exported(site.First, domain.Window{})
	fetch(t, s, first.ID, "S0001_0001.ndjson")
	same("one file of two fetched", since(nil), time.Time{})
	fetch(t, s, first.ID, "S0001_0002.ndjson")
	same("both fetched", since(nil), first.TransactionTime)

	few := s.Ask(site.First, domain.Window{})
	few.Patients = []string{"1"}
	named, err := s.Export.Start(t.Context(), few)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	fetch(t, s, named, "S0001_0001.ndjson")
	same("one of named enrollees fetched", since(nil), first.TransactionTime)
	same("in another version", since(func(a *export.Start) { a.Version = domain.STU3 }), time.Time{})
	same("of other contracts", since(func(a *export.Start) { a.Contract = "" }), time.Time{})

	second := s.Exported(site.First, domain.Window{Until: first.TransactionTime.AddDate(0, 0, -1)})
	fetch(t, s, second.ID, "S0001_0001.ndjson")
	fetch(t, s, second.ID, "S0001_0002.ndjson")
	if err := s.Cancel.Cancel(t.Context(), s.Client, s.Ask("", domain.Window{}).From, second.ID); err != nil {
		t.Fatal(err)
	}
	same("the last ended at its _until, and was deleted after", since(nil), second.Window.Until)

	both := s.Ask(site.First, domain.Window{Since: site.Start})
	both.SinceLast = true
	if _, err := s.Export.Start(t.Context(), both); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("together with _since: %v", err)
	}
}

func TestAnExportThatMayNotStartLeavesNothingButAnAuditRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		contract domain.ContractNumber
		window   domain.Window
		change   func(*site.Site)
		want     domain.Code
	}{
		"a contract of another":    {contract: "S0099", want: domain.Forbidden},
		"_since in the future":     {window: domain.Window{Since: site.Start.Add(time.Second)}, want: domain.Invalid},
		"_until before _since":     {window: domain.Window{Since: site.Start.Add(-time.Hour), Until: site.Start.Add(-2 * time.Hour)}, want: domain.Invalid},
		"maintenance":              {change: func(s *site.Site) { s.Export.Settings.Maintenance = "new disks" }, want: domain.Unavailable},
		"a client of no contracts": {change: func(s *site.Site) { s.Client.Contracts = nil }, want: domain.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			s := site.New(t)
			if tc.change != nil {
				tc.change(s)
			}
			recorder := &refusals.Recorder{Store: s.Store, Clock: s.Clock}
			_, err := refusals.Export{UseCase: s.Export, Refusals: recorder}.Start(t.Context(), s.Ask(tc.contract, tc.window))
			if domain.CodeOf(err) != tc.want {
				t.Fatalf("refused with %v, want %s", err, tc.want)
			}
			if e := (*domain.Error)(nil); errors.As(err, &e) && e.Next == "" {
				t.Errorf("the refusal does not say what to do: %v", err)
			}
			if waiting := s.Store.Queue.Waiting(); len(waiting) > 0 {
				t.Errorf("queued all the same: %v", waiting)
			}
			told, err := s.Store.Find(t.Context(), "export.start", "", 10)
			if wants := tc.want != domain.Unavailable; err != nil || (len(told) == 1) != wants || wants && told[0].Outcome != string(tc.want) {
				t.Errorf("the audit trail says %+v, %v", told, err)
			}
		})
	}
}
