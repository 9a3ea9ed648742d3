package attestation_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var (
	manager = domain.Actor{Kind: "staff", ID: "mia", From: "10.0.0.1"}
	ada     = domain.Attestor{Name: "Ada", Office: "CFO"}
	bo      = domain.Attestor{Name: "Bo", Office: "CEO"}
	day     = domain.Today(site.Start)
)

func setup(t *testing.T) (*site.Site, *attestation.UseCase) {
	s := site.New(t)
	return s, &attestation.UseCase{Store: s.Store, Clock: s.Clock}
}

func record(t *testing.T, u *attestation.UseCase, c attestation.Change) attestation.Preview {
	t.Helper()
	c.Contract, c.Reason = site.First, "a letter"
	p, err := u.Record(t.Context(), manager, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func standing(t *testing.T, u *attestation.UseCase) attestation.History {
	t.Helper()
	h, err := u.Look(t.Context(), site.First)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fetchable reports whether the client may fetch the job's first file.
func fetchable(t *testing.T, s *site.Site, id domain.JobID) domain.Code {
	t.Helper()
	_, err := s.Download.Find(t.Context(), download.Ask{Client: s.Client, Job: id, Name: "S0001_0001.ndjson", Form: domain.PlainForm})
	return domain.CodeOf(err)
}

func exported(t *testing.T, s *site.Site) domain.JobID {
	s.Enroll(site.First, site.Start.AddDate(-1, 0, 0), site.Person("1"))
	s.Claims.Put("1", site.Claim("c", "1", "2021-05-05", site.Start.AddDate(0, -1, 0)))
	return s.Exported(site.First, domain.Window{}).ID
}

// The preview says what recording then does: which exports stop, which files
// close and open again, where data starts and how long that can be kept.
func TestAPreviewSaysWhatRecordingDoes(t *testing.T) {
	s, u := setup(t)
	done := exported(t, s)
	running := s.KickOff(site.First, domain.Window{})
	other := s.KickOff(site.Second, domain.Window{})
	both := s.KickOff("", domain.Window{})

	removal := attestation.Change{Contract: site.First, Kind: domain.Remove, Attestor: ada, Effective: day, Reason: "taken out"}
	p, err := u.Preview(t.Context(), manager, removal)
	if err != nil {
		t.Fatal(err)
	}
	if len(standing(t, u).Events) != 1 || fetchable(t, s, done) != "" {
		t.Fatal("a preview changed something")
	}
	if !slices.Contains(p.Stops, running) || !slices.Contains(p.Stops, both) || slices.Contains(p.Stops, other) || len(p.Stops) != 2 {
		t.Errorf("would stop %v", p.Stops)
	}
	if len(p.Closes) != 1 || p.Closes[0].Job != done || len(p.Opens) != 0 {
		t.Errorf("would close %v and open %v", p.Closes, p.Opens)
	}
	if !p.KeepsDataStart() || p.After.Active || p.DaysLeft() != 11 {
		t.Errorf("%+v", p)
	}

	got := record(t, u, removal)
	if got.Event.ID == "" || got.Says != p.Says {
		t.Errorf("recorded %+v, previewed %+v", got, p)
	}
	if fetchable(t, s, done) != domain.BusinessRule {
		t.Error("a closed file can be fetched")
	}
	_ = s.Drain()
	if j := s.Job(running); j.State != domain.Failed || j.Failure.Code != domain.BusinessRule {
		t.Errorf("the running export is %s", j.State)
	}

	s.Clock.Advance(10 * 24 * time.Hour)
	p, err = u.Preview(t.Context(), manager, attestation.Change{Contract: site.First, Kind: domain.Reattest, Attestor: bo, Effective: day.AddDays(10), Reason: "back"})
	if err != nil || !p.KeepsDataStart() || p.DaysLeft() != 1 || p.After.DataStart != 2020_01_01 {
		t.Errorf("on the last day: %v, %d left, %+v", err, p.DaysLeft(), p.After)
	}
	s.Clock.Advance(24 * time.Hour)
	p = record(t, u, attestation.Change{Kind: domain.Reattest, Attestor: bo, Effective: day.AddDays(11)})
	if p.KeepsDataStart() || p.After.DataStart != day.AddDays(11) {
		t.Errorf("a day too late: %+v", p.After)
	}
}

func TestStrikingAnEndingOutOpensTheFilesAgain(t *testing.T) {
	s, u := setup(t)
	done := exported(t, s)
	end := record(t, u, attestation.Change{Kind: domain.Lapse, Effective: day})
	p := record(t, u, attestation.Change{Kind: domain.Correct, Corrects: end.Event.ID})
	if len(p.Opens) != 1 || len(p.Closes) != 0 || len(p.Stops) != 0 || fetchable(t, s, done) != "" {
		t.Errorf("opened %v: %s", p.Opens, fetchable(t, s, done))
	}
}

// What an export was planned with must not be more than what the corrected
// history gives.
func TestACorrectedDataStartClosesWhatWentBeyondIt(t *testing.T) {
	s, u := setup(t)
	done := exported(t, s)
	running := s.KickOff(site.First, domain.Window{})
	if err := s.Produce.Plan(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	first := standing(t, u).Events[0]
	p := record(t, u, attestation.Change{Kind: domain.Correct, Corrects: first.ID, CorrectedKind: domain.Attest, Attestor: ada, Effective: 2022_06_01})
	if len(p.Closes) != 1 || !slices.Equal(p.Stops, []domain.JobID{running}) {
		t.Errorf("closes %v, stops %v", p.Closes, p.Stops)
	}
	if fetchable(t, s, done) != domain.BusinessRule {
		t.Error("a file with claims from before the data start can be fetched")
	}
	_ = s.Drain()
	if j := s.Job(running); j.State != domain.Failed || j.Failure.Code != domain.BusinessRule {
		t.Errorf("an export from before the data start is %s: %+v", j.State, j.Failure)
	}
	s.Claims.Put("1", site.Claim("c", "1", "2023-05-05", site.Start.AddDate(0, -1, 0)))
	s.Produce.Settings.Margin = time.Hour // as of before the correction, which counts all the same
	if j := s.Exported(site.First, domain.Window{}); j.State != domain.Successful {
		t.Errorf("a new export is %s", j.State)
	}
}

// The completion of what HPMS left open: who attested, and how it ended.
func TestStaffCompleteWhatHPMSLeftOpen(t *testing.T) {
	s, u := setup(t)
	hpms := domain.System("hpms")
	change := func(actor domain.Actor, c attestation.Change) attestation.Preview {
		t.Helper()
		c.Contract, c.Reason = site.First, "as HPMS says"
		p, err := u.Record(t.Context(), actor, c)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := change(hpms, attestation.Change{Kind: domain.EndUnknown, Effective: day.AddDays(-20)})
	if p.Event.Source != domain.FromHPMS || p.After.DaysLeft(day) != 0 {
		t.Errorf("%+v", p)
	}
	p = change(manager, attestation.Change{Kind: domain.Correct, Corrects: p.Event.ID, CorrectedKind: domain.Lapse, Effective: day.AddDays(-20)})
	if p.Event.Source != domain.FromStaff || p.After.Grace != day.AddDays(-20).AddYears(2) {
		t.Errorf("classified as a lapse: %+v", p.After)
	}
	_ = s
}

func TestRefusedChangesLeaveNothingButARecord(t *testing.T) {
	s, u := setup(t)
	seen := standing(t, u).Events[0].ID
	lapse := attestation.Change{Contract: site.First, Kind: domain.Lapse, Attestor: ada, Effective: day, Reason: "left", Seen: seen}
	noReason, nowhere := lapse, lapse
	noReason.Reason, nowhere.Contract = " ", "S9999"
	for _, part := range []struct {
		c    attestation.Change
		want domain.Code
	}{
		{noReason, domain.Invalid},
		{nowhere, domain.NotFound},
		{attestation.Change{Contract: site.First, Kind: domain.Attest, Attestor: bo, Effective: day, Reason: "x"}, domain.BusinessRule},
	} {
		if _, err := u.Record(t.Context(), manager, part.c); domain.CodeOf(err) != part.want {
			t.Errorf("%+v: %v, want %s", part.c, err, part.want)
		}
	}
	if _, err := u.Record(t.Context(), manager, lapse); err != nil {
		t.Fatal(err)
	}
	// Another who decided on the same page comes too late.
	if _, err := u.Record(t.Context(), manager, lapse); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("decided on a history that had moved on: %v", err)
	}
	if events := standing(t, u).Events; len(events) != 2 {
		t.Errorf("the history is %+v", events)
	}
	outcomes := map[string]int{}
	records, err := s.Store.Find(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Actor != manager {
			t.Errorf("the trail names %+v", r.Actor)
		}
		outcomes[r.Action+" "+r.Outcome]++
	}
	for _, want := range []string{"attestation.lapse done", "attestation.lapse invalid", "attestation.lapse not_found", "attestation.lapse conflict", "attestation.attest business_rule"} {
		if outcomes[want] != 1 {
			t.Errorf("the trail has %d of %q", outcomes[want], want)
		}
	}
}

// A change within a larger unit of work goes with it.
func TestAChangeGoesWithItsUnitOfWork(t *testing.T) {
	s, u := setup(t)
	err := s.Store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		if _, err := u.RecordIn(ctx, tx, manager, attestation.Change{Contract: site.First, Kind: domain.Lapse, Effective: day, Reason: "x"}); err != nil {
			return err
		}
		return context.Canceled
	})
	if err == nil || len(standing(t, u).Events) != 1 {
		t.Errorf("%v, and the history has %d events", err, len(standing(t, u).Events))
	}
}
