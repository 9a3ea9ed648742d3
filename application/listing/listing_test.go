package listing_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

type world struct {
	*testing.T
	*site.Site
	hpms *memory.Listing
	use  *listing.UseCase
	all  []domain.ListedContract
}

var mia = domain.Actor{Kind: "staff", ID: "mia"}

// setup has HPMS list the site's two contracts and ten of its own, all attested.
func setup(t *testing.T) *world {
	s := site.New(t)
	w := &world{T: t, Site: s, hpms: &memory.Listing{}}
	w.use = &listing.UseCase{Store: s.Store, Listing: w.hpms, Clock: s.Clock, Log: slog.New(slog.DiscardHandler),
		Attestation: &attestation.UseCase{Store: s.Store, Clock: s.Clock}, Settings: listing.Settings{Every: time.Hour, Guard: domain.Guard{Share: 0.25}}}
	for _, n := range []domain.ContractNumber{site.First, site.Second, "S1001", "S1002", "S1003", "S1004", "S1005", "S1006", "S1007", "S1008"} {
		w.all = append(w.all, domain.ListedContract{Number: n, Name: "Plan " + string(n), ParentID: "7", ParentName: "Org", Known: true, Attested: true, Since: 2020_01_01})
	}
	w.hpms.Set(w.all...)
	w.refresh()
	return w
}

func (w *world) refresh() listing.Outcome {
	w.Helper()
	out, err := w.use.Refresh(w.Context(), mia)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// says changes what HPMS says of some contracts.
func (w *world) says(change func(l *domain.ListedContract), numbers ...domain.ContractNumber) {
	for i := range w.all {
		if slices.Contains(numbers, w.all[i].Number) {
			change(&w.all[i])
		}
	}
	w.hpms.Set(w.all...)
}

func ends(l *domain.ListedContract) { l.Attested = false }

func (w *world) standing(n domain.ContractNumber) domain.Standing {
	w.Helper()
	h, err := w.use.Attestation.Look(w.Context(), n)
	if err != nil {
		w.Fatal(err)
	}
	return h.Standing
}

func (w *world) active() (numbers []domain.ContractNumber) {
	w.Helper()
	for _, l := range w.all {
		if w.standing(l.Number).Active {
			numbers = append(numbers, l.Number)
		}
	}
	return numbers
}

func (w *world) trail(action string) []domain.AuditRecord {
	w.Helper()
	found, err := w.Store.Find(w.Context(), action, "", 100)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func TestContractsOfHPMSAppearAndAttest(t *testing.T) {
	w := setup(t)
	if len(w.active()) != 10 {
		t.Errorf("active are %v", w.active())
	}
	h, err := w.use.Attestation.Look(t.Context(), "S1001")
	if err != nil || len(h.Events) != 1 || h.Events[0].Source != domain.FromHPMS || h.Events[0].Attestor != (domain.Attestor{}) || h.Standing.DataStart != 2020_01_01 {
		t.Errorf("%+v, %v", h, err)
	}
	if h.Contract.Sponsor != "hpms-7" || h.Contract.Name != "Plan S1001" || !h.Contract.Listed {
		t.Errorf("%+v", h.Contract)
	}
	// The site's own contracts stay with their sponsor, and their history as it was.
	if own, err := w.use.Attestation.Look(t.Context(), site.First); err != nil || own.Contract.Sponsor != "sponsor" || len(own.Events) != 1 {
		t.Errorf("%+v, %v", own, err)
	}
	if len(w.trail("hpms.contract.add")) != 8 || len(w.trail("attestation.attest")) != 8 || len(w.trail("hpms.refresh")) != 1 {
		t.Error("the trail does not tell what changed")
	}
	out := w.refresh()
	if len(out.Events)+len(out.Added)+len(out.Changed)+len(out.Unclear) != 0 {
		t.Errorf("the same again: %+v", out)
	}
}

func TestAnEndingAndAReturnAreEvents(t *testing.T) {
	w := setup(t)
	running := w.KickOff(site.First, domain.Window{})
	w.says(func(l *domain.ListedContract) { l.Attested, l.Ends = false, domain.Today(site.Start).AddDays(-3) }, site.First)
	out := w.refresh()
	if len(out.Events) != 1 || out.Events[0].Kind != domain.EndUnknown || out.Events[0].Effective != domain.Today(site.Start).AddDays(-3) {
		t.Errorf("%+v", out.Events)
	}
	_ = w.Drain()
	if j := w.Job(running); j.State != domain.Failed || j.Failure.Code != domain.BusinessRule {
		t.Errorf("the running export is %s", j.State)
	}
	w.Clock.Advance(100 * 24 * time.Hour) // far beyond what is kept for an ending that nobody classified
	w.says(func(l *domain.ListedContract) { l.Attested = true }, site.First)
	w.refresh()
	if s := w.standing(site.First); !s.Active || s.DataStart != 2020_01_01 {
		t.Errorf("HPMS kept its date, and here it is %+v", s)
	}
}

func TestAFailedOrEmptyAnswerRevokesNobody(t *testing.T) {
	w := setup(t)
	w.hpms.Set()
	if _, err := w.use.Refresh(t.Context(), mia); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("an empty list: %v", err)
	}
	w.hpms.Fail()
	if _, err := w.use.Refresh(t.Context(), mia); domain.CodeOf(err) != domain.Unavailable {
		t.Errorf("no answer: %v", err)
	}
	w.says(func(l *domain.ListedContract) { l.Known, l.Attested, l.Since = false, false, 0 }, w.active()...)
	if out := w.refresh(); len(out.Unclear) != 10 {
		t.Errorf("nothing said about anybody: %+v", out)
	}
	if len(w.active()) != 10 {
		t.Errorf("active are %v", w.active())
	}
}

func TestADropOfTooManyWaitsForAPerson(t *testing.T) {
	w := setup(t)
	doomed := []domain.ContractNumber{"S1001", "S1002", "S1003"}
	w.says(ends, doomed[:2]...)
	w.says(func(l *domain.ListedContract) { l.Number = "S9999" }, doomed[2]) // no longer listed, and another appears
	out := w.refresh()
	if !slices.Equal(out.Held.Ends, doomed) || out.Held.Before != 10 || len(out.Events)+len(out.Added) != 0 {
		t.Fatalf("%+v", out)
	}
	w.all[4].Number = "S1003" // to look at
	if len(w.active()) != 10 {
		t.Errorf("active are %v", w.active())
	}
	w.all[4].Number = "S9999"
	if again := w.refresh(); again.Held.ID != out.Held.ID || len(w.trail("hpms.hold")) != 1 {
		t.Errorf("the same again is another hold: %+v", again.Held)
	}
	// HPMS takes back one: then it is not too many any more.
	w.says(func(l *domain.ListedContract) { l.Attested = true }, "S1001")
	if out := w.refresh(); out.Held.ID != "" || len(out.Events) != 3 {
		t.Errorf("%+v", out)
	}
	if _, err := w.use.Release(t.Context(), mia, out.Held.ID, "it is true"); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("a superseded hold was released: %v", err)
	}
}

func TestAPersonReleasesOrRejects(t *testing.T) {
	doomed := []domain.ContractNumber{"S1001", "S1002", "S1003", "S1004"}
	t.Run("release", func(t *testing.T) {
		w := setup(t)
		w.says(ends, doomed...)
		held := w.refresh().Held
		if _, err := w.use.Release(t.Context(), mia, held.ID, ""); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("without a reason: %v", err)
		}
		w.hpms.Fail() // the decision stays, and the next time takes it up
		if _, err := w.use.Release(t.Context(), mia, held.ID, "it is true"); domain.CodeOf(err) != domain.Unavailable {
			t.Errorf("%v", err)
		}
		w.says(ends, "S1005") // one more is not too many by itself
		if err := w.use.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.active()) != 10 {
			t.Error("asked again while it was to rest")
		}
		if out := w.refresh(); len(out.Events) != 5 || len(w.active()) != 5 {
			t.Errorf("%+v, active are %v", out, w.active())
		}
	})
	t.Run("reject", func(t *testing.T) {
		w := setup(t)
		w.says(ends, doomed...)
		held := w.refresh().Held
		if err := w.use.Reject(t.Context(), mia, held.ID, "a mistake of theirs"); err != nil {
			t.Fatal(err)
		}
		w.says(func(l *domain.ListedContract) { l.Name = "New name" }, "S1005")
		if out := w.refresh(); out.Held.ID != "" || len(out.Events) != 0 || !slices.Equal(out.Changed, []domain.ContractNumber{"S1005"}) || len(w.active()) != 10 {
			t.Errorf("%+v", out)
		}
		// Once HPMS says attested again, another ending is a new matter.
		w.says(func(l *domain.ListedContract) { l.Attested = true }, doomed...)
		w.refresh()
		w.says(ends, "S1001")
		if out := w.refresh(); len(out.Events) != 1 || w.standing("S1001").Active {
			t.Errorf("%+v", out)
		}
	})
}

func TestManualContractsAreLeftAlone(t *testing.T) {
	w := setup(t)
	if err := w.use.SetUpdates(t.Context(), mia, "S1001", domain.Manual, "their lawyers called", nil); err != nil {
		t.Fatal(err)
	}
	w.says(func(l *domain.ListedContract) { l.Attested, l.Name = false, "Other" }, "S1001")
	w.refresh()
	if h, _ := w.use.Attestation.Look(t.Context(), "S1001"); !h.Standing.Active || h.Contract.Name != "Plan S1001" {
		t.Errorf("%+v", h)
	}
	if err := w.use.SetUpdates(t.Context(), mia, "S1001", domain.Automatic, "over", nil); err != nil {
		t.Fatal(err)
	}
	w.refresh()
	if w.standing("S1001").Active {
		t.Error("an automatic contract does not follow")
	}
	if len(w.trail("contract.updates")) != 2 {
		t.Error("the trail does not tell who decided")
	}
}

// What staff keep of a sponsor HPMS does not overwrite, and an organization that
// staff found to be another stays so: also its contracts that come later.
func TestSponsorsThatStaffKeepAreLeftAlone(t *testing.T) {
	w := setup(t)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Sponsors.Update(ctx, "hpms-7", func(s *domain.Sponsor) error { return s.Edit("Our name", "", domain.Manual) }); err != nil {
			return err
		}
		return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "hpms-8", Name: "Org Eight"})
	})
	sponsor := func(id domain.SponsorID) (s domain.Sponsor) {
		w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			s, err = tx.Sponsors.Get(ctx, id)
			return err
		})
		return s
	}
	w.says(func(l *domain.ListedContract) { l.ParentName = "New name" }, "S1001")
	w.refresh()
	if s := sponsor("hpms-7"); s.Name != "Our name" || s.Updates != domain.Manual {
		t.Errorf("HPMS made of it %+v", s)
	}
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		other, err := tx.Sponsors.Get(ctx, "hpms-7")
		if err != nil {
			return err
		}
		return tx.Sponsors.Update(ctx, "hpms-8", func(s *domain.Sponsor) error { return s.MergeInto(other) })
	})
	w.all = append(w.all, domain.ListedContract{Number: "S1009", Name: "Plan S1009", ParentID: "8", ParentName: "Org Eight, LLC", Known: true})
	w.hpms.Set(w.all...)
	w.refresh()
	h, err := w.use.Attestation.Look(t.Context(), "S1009")
	if err != nil || h.Contract.Sponsor != "hpms-7" {
		t.Errorf("the new contract is %+v, %v", h.Contract, err)
	}
	if s := sponsor("hpms-8"); s.Name != "Org Eight" || s.Merged != "hpms-7" {
		t.Errorf("HPMS made of the one that was merged %+v", s)
	}
	if s := sponsor("hpms-7"); s.Name != "Our name" {
		t.Errorf("HPMS made of the one that stays %+v", s)
	}
}

// A contract that only staff know is not one that HPMS lists no longer.
func TestContractsThatHPMSNeverListedStay(t *testing.T) {
	w := setup(t)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Contracts.Put(ctx, domain.Contract{Number: "Z0001", Name: "Test", Sponsor: "sponsor"}); err != nil {
			return err
		}
		return tx.Attestations.Append(ctx, site.Event("Z0001", domain.Attest, 2020_01_01))
	})
	w.refresh()
	if !w.standing("Z0001").Active {
		t.Error("it was revoked")
	}
}

// Two processes never ask at once, and none asks again before it is time.
func TestOneProcessAsksAtATime(t *testing.T) {
	w := setup(t)
	var token string
	w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
		token, err = tx.Errands.Take(ctx, "hpms", true, time.Hour)
		return err
	})
	if _, err := w.use.Refresh(t.Context(), mia); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("while another asks: %v", err)
	}
	if err := w.use.Tick(t.Context()); err != nil {
		t.Error(err)
	}
	w.Do(func(ctx context.Context, tx ports.Tx) error { return tx.Errands.End(ctx, "hpms", token, 0) })
	asked := len(w.trail("hpms.refresh"))
	for range 3 {
		if err := w.use.Tick(t.Context()); err != nil {
			t.Error(err)
		}
	}
	w.Clock.Advance(time.Hour + time.Second)
	if err := w.use.Tick(t.Context()); err != nil {
		t.Error(err)
	}
	if got := len(w.trail("hpms.refresh")) - asked; got != 2 {
		t.Errorf("asked %d times, want once now and once an hour later", got)
	}
}
