package export_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
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
			_, err := s.Export.Start(t.Context(), s.Ask(tc.contract, tc.window))
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
