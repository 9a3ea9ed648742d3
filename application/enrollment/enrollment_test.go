package enrollment_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var mia = domain.Actor{Kind: "staff", ID: "mia"}

type world struct {
	*testing.T
	*site.Site
	bfd *memory.Enrollment
	use *enrollment.UseCase
}

// setup is the site, whose contracts attested on 1 January 2020 and where it is 2
// March 2026, without any enrollment yet.
func setup(t *testing.T) *world {
	s := site.New(t)
	w := &world{T: t, Site: s, bfd: &memory.Enrollment{PageSize: 3}}
	w.use = w.process()
	return w
}

// process is another process on the same store.
func (w *world) process() *enrollment.UseCase {
	return &enrollment.UseCase{Store: w.Store, Coverage: w.Store, Source: w.bfd, Clock: w.Clock, Log: slog.New(slog.DiscardHandler), Settings: enrollment.Settings{
		EarliestServed: domain.EarliestServed, Pace: domain.IntakePace{RecentMonths: 3, Recent: 24 * time.Hour, Older: 30 * 24 * time.Hour},
		Share: 0.2, Settle: time.Second, Months: 2, Contracts: 2, Lease: time.Minute, Tries: 1, Backoff: time.Millisecond}}
}

func people(n int, first, last int) (all []domain.Enrollee) {
	for i := range n {
		e := site.Person(fmt.Sprintf("%03d", i))
		e.Months = site.Months(first, last)
		all = append(all, e)
	}
	return all
}

func (w *world) tick() {
	w.Helper()
	if err := w.use.Tick(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.Clock.Advance(2 * time.Second) // what was loaded counts from here
}

// enrolled returns the enrollment in force, by person.
func (w *world) enrolled(n domain.ContractNumber) map[domain.PatientID]domain.Enrollee {
	w.Helper()
	v, err := w.Store.VersionAt(w.Context(), n, w.Clock.Now())
	if err != nil {
		w.Fatal(err)
	}
	all := map[domain.PatientID]domain.Enrollee{}
	for e, err := range w.Store.Members(w.Context(), n, v, domain.KeyRange{}) {
		if err != nil {
			w.Fatal(err)
		}
		all[e.Patient] = e
	}
	return all
}

func (w *world) held() []domain.Hold {
	w.Helper()
	waiting, err := w.use.Waiting(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return waiting
}

func TestEnrollmentIsTakenInMonthByMonth(t *testing.T) {
	w := setup(t)
	mixed := people(7, 202001, 202603)
	mixed[1].Months = site.Months(201901, 202012) // of before what is shared only 2020 is asked for
	mixed[2].Months = site.Months(202602, 202603).With(domain.NewMonth(2021, 5), domain.NewMonth(2021, 6))
	mixed[3].IDs = domain.Identifiers{Historic: []domain.MBI{"1S00E00AA90"}}
	w.bfd.Set(site.First, mixed...)
	w.tick()
	got := w.enrolled(site.First)
	mixed[1].Months = site.Months(202001, 202012)
	for _, want := range mixed {
		e := got[want.Patient]
		if e.Months != want.Months || e.IDs.Current != want.IDs.Current || len(e.IDs.Historic) != len(want.IDs.Historic) {
			t.Errorf("person %s has %v, want %v", want.Patient, e.Months.Months(), want.Months.Months())
		}
	}
	if len(got) != len(mixed) {
		t.Errorf("%d people, want %d", len(got), len(mixed))
	}
	// The other contract has nobody at all, which a person has to see.
	if h := w.held(); len(h) != 1 || h[0].Contract != site.Second {
		t.Errorf("held: %+v", h)
	}
	pages := w.bfd.Pages()
	w.tick()
	if w.bfd.Pages() != pages {
		t.Error("it was asked again before it was time")
	}
	w.Clock.Advance(25 * time.Hour)
	w.tick()
	if n := w.bfd.Pages() - pages; n != 3*2+75 { // three months of two pages; and the whole of the contract that waits
		t.Errorf("a day later it asked for %d pages", n)
	}
	pages = w.bfd.Pages()
	if err := w.use.Ask(t.Context(), mia, site.First, true); err != nil {
		t.Fatal(err)
	}
	w.tick()
	if n := w.bfd.Pages() - pages; n < 75 {
		t.Errorf("asked for everything, it asked for %d pages", n)
	}
}

func TestANewMonthAndAChangeOfMBI(t *testing.T) {
	w := setup(t)
	w.bfd.Set(site.First, people(5, 202001, 202603)...)
	w.tick()
	april := people(5, 202001, 202604)
	april[0].Months = site.Months(202001, 202602) // left at the end of February: 20% of March
	april[1].IDs.Current = "1S00E00AA77"
	w.bfd.Set(site.First, april...)
	w.Clock.Advance(31 * 24 * time.Hour)
	w.tick()
	got := w.enrolled(site.First)
	if got["000"].Months != site.Months(202001, 202602) || got["002"].Months != site.Months(202001, 202604) {
		t.Errorf("%v and %v", got["000"].Months.Months(), got["002"].Months.Months())
	}
	if ids := got["001"].IDs; ids.Current != "1S00E00AA77" || len(ids.Historic) != 1 || ids.Historic[0] != "1S00E00AA001" {
		t.Errorf("%q, %q", string(ids.Current), ids.Historic)
	}
}

// On the first days of a month the source has nobody yet: that is asked for
// again, and nothing waits for a person.
func TestAMonthThatIsNotThereYet(t *testing.T) {
	w := setup(t)
	w.bfd.Set(site.First, people(5, 202001, 202602)...)
	w.tick()
	if got := w.enrolled(site.First); len(got) != 5 || len(w.held()) != 1 { // the other contract's
		t.Fatalf("%d people, held %+v", len(got), w.held())
	}
	w.bfd.Set(site.First, people(5, 202001, 202603)...)
	w.Clock.Advance(time.Hour)
	w.tick()
	if got := w.enrolled(site.First); got["000"].Months != site.Months(202001, 202603) {
		t.Errorf("%v", got["000"].Months.Months())
	}
}

func TestADropIsHeldAndWhatWasInForceStays(t *testing.T) {
	for what, gone := range map[string]int{"too many": 3, "all": 10} {
		t.Run(what, func(t *testing.T) {
			w := setup(t)
			w.bfd.Set(site.First, people(10, 202001, 202603)...)
			w.bfd.Set(site.Second, people(1, 202001, 202603)...)
			w.tick()
			w.bfd.Set(site.First, people(10, 202001, 202603)[gone:]...)
			w.Clock.Advance(25 * time.Hour)
			w.tick()
			h := w.held()
			if len(h) != 1 || h[0].Before != 10 || h[0].Dropped != gone {
				t.Fatalf("held: %+v", h)
			}
			before := w.enrolled(site.First)
			if len(before) != 10 || before["000"].Months != site.Months(202001, 202603) {
				t.Error("what was in force is no more")
			}
			w.tick()
			if len(w.enrolled(site.First)) != 10 {
				t.Error("it came into force by itself")
			}

			if err := w.use.Release(t.Context(), mia, h[0].ID, ""); domain.CodeOf(err) != domain.Invalid {
				t.Errorf("without a reason: %v", err)
			}
			pages := w.bfd.Pages()
			if err := w.use.Release(t.Context(), mia, h[0].ID, "they left"); err != nil {
				t.Fatal(err)
			}
			w.tick()
			if got := w.enrolled(site.First); got["000"].Months != site.Months(202001, 202512) || got["009"].Months == "" || w.bfd.Pages() != pages {
				t.Errorf("released, and person 0 has %v; asked for %d more pages", got["000"].Months.Months(), w.bfd.Pages()-pages)
			}
			if err := w.use.Reject(t.Context(), mia, h[0].ID, "no"); domain.CodeOf(err) != domain.Conflict {
				t.Errorf("decided twice: %v", err)
			}
		})
	}
}

func TestARejectedDropIsDroppedUntilTheNextTime(t *testing.T) {
	w := setup(t)
	w.bfd.Set(site.First, people(10, 202001, 202603)...)
	w.bfd.Set(site.Second, people(1, 202001, 202603)...)
	w.tick()
	w.bfd.Set(site.First)
	w.Clock.Advance(25 * time.Hour)
	w.tick()
	if err := w.use.Reject(t.Context(), mia, w.held()[0].ID, "their mistake"); err != nil {
		t.Fatal(err)
	}
	w.tick()
	if len(w.enrolled(site.First)) != 10 || len(w.held()) != 0 {
		t.Errorf("%d people, held %+v", len(w.enrolled(site.First)), w.held())
	}
	// The source still says so the next day, and the day after no longer.
	w.Clock.Advance(25 * time.Hour)
	w.tick()
	old := w.held()
	if len(old) != 1 {
		t.Fatalf("held: %+v", old)
	}
	w.bfd.Set(site.First, people(11, 202001, 202603)...)
	w.Clock.Advance(25 * time.Hour)
	w.tick()
	if len(w.held()) != 0 || len(w.enrolled(site.First)) != 11 {
		t.Errorf("the source came to its senses: %d people, held %+v", len(w.enrolled(site.First)), w.held())
	}
	if err := w.use.Release(t.Context(), mia, old[0].ID, "late"); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("released what is superseded: %v", err)
	}
}

// A process that is cut off anywhere leaves what the next one goes on from: no
// page that was kept is asked for again, and the result is the same.
func TestAPassIsResumed(t *testing.T) {
	whole := setup(t)
	whole.bfd.Set(site.First, people(10, 202501, 202603)...)
	whole.bfd.Set(site.Second, people(1, 202001, 202603)...)
	whole.tick()
	want, pages := whole.enrolled(site.First), whole.bfd.Pages()

	w := setup(t)
	w.bfd.Set(site.First, people(10, 202501, 202603)...)
	w.bfd.Set(site.Second, people(1, 202001, 202603)...)
	for n := 0; len(w.enrolled(site.First)) == 0; n++ {
		if n > 1000 {
			t.Fatal("it never ends")
		}
		w.use = w.process()
		ctx, kill := context.WithCancel(t.Context())
		left := new(atomic.Int64)
		left.Store(int64(n%7 + 1))
		w.use.Source = &killing{w.bfd, left, kill}
		_ = w.use.Tick(ctx)
		kill()
		w.Clock.Advance(2 * time.Minute) // the lease of whoever was killed is over
	}
	got := w.enrolled(site.First)
	for id, e := range want {
		if got[id].Months != e.Months {
			t.Errorf("person %s has %v, want %v", id, got[id].Months.Months(), e.Months.Months())
		}
	}
	// At most the two pages at work in each of the lives were lost.
	if len(got) != len(want) || w.bfd.Pages() > 3*pages {
		t.Errorf("%d people, want %d; %d pages instead of %d", len(got), len(want), w.bfd.Pages(), pages)
	}
}

// killing ends its process after a few pages.
type killing struct {
	ports.Enrollment
	left *atomic.Int64 // pages are asked for side by side
	kill context.CancelFunc
}

func (k *killing) Page(ctx context.Context, n domain.ContractNumber, m domain.Month, cursor string) (ports.EnrollmentPage, error) {
	if k.left.Add(-1) <= 0 {
		k.kill()
	}
	return k.Enrollment.Page(ctx, n, m, cursor)
}

func TestASourceThatFailsChangesNothing(t *testing.T) {
	w := setup(t)
	w.bfd.Set(site.First, people(5, 202001, 202603)...)
	w.bfd.Set(site.Second, people(1, 202001, 202603)...)
	w.tick()
	w.bfd.Fail(-1)
	w.Clock.Advance(25 * time.Hour)
	if err := w.use.Tick(t.Context()); domain.CodeOf(err) != domain.Unavailable && !errors.As(err, new(*domain.Error)) {
		t.Errorf("%v", err)
	}
	if len(w.enrolled(site.First)) != 5 || len(w.held()) != 0 {
		t.Errorf("%d people, held %+v", len(w.enrolled(site.First)), w.held())
	}
	w.bfd.Fail(0)
	w.Clock.Advance(2 * time.Minute)
	w.tick()
	states, err := w.use.List(t.Context())
	if err != nil || len(states) != 2 || states[0].Pass != nil || w.Clock.Now().Sub(states[0].AsOf) > time.Hour {
		t.Errorf("%+v, %v", states, err)
	}
}

// Two processes share the contracts, and none works on another's.
func TestOneProcessHasAContract(t *testing.T) {
	w := setup(t)
	w.bfd.Set(site.First, people(5, 202001, 202603)...)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Errands.Take(ctx, "enrollment "+string(site.First), true, time.Hour)
		return err
	})
	w.tick()
	if len(w.enrolled(site.First)) != 0 {
		t.Error("a contract that another process has was taken in")
	}
}

// What is not attested is not asked for.
func TestOnlyAttestedContractsAreAskedFor(t *testing.T) {
	w := setup(t)
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(tx.Attestations.Append(ctx, site.Event(site.First, domain.Remove, 2026_02_01)),
			tx.Attestations.Append(ctx, site.Event(site.Second, domain.Lapse, 2026_02_01)))
	})
	w.bfd.Set(site.First, people(5, 202001, 202603)...)
	w.bfd.Set(site.Second, people(5, 202001, 202603)...)
	w.tick()
	if len(w.enrolled(site.First)) != 0 {
		t.Error("asked for a contract that cannot come back with its data")
	}
	if len(w.enrolled(site.Second)) != 5 {
		t.Error("a contract that may come back with its data is not kept up to date")
	}
}

// An export waits for the first enrollment instead of finding nobody, and the
// one after it misses nobody who was enrolled while it was planned.
func TestExportsAndEnrollmentMeet(t *testing.T) {
	w := setup(t)
	w.Produce.Settings.EnrollmentWait = 24 * time.Hour
	w.bfd.Set(site.First, people(4, 202001, 202603)...)
	for i := range 6 {
		id := fmt.Sprintf("%03d", i)
		w.Claims.Put(domain.PatientID(id), site.Claim("c"+id, id, "2026-01-05", site.Start.AddDate(0, -1, 0)))
	}
	first := w.KickOff(site.First, domain.Window{})
	if err := w.Produce.Plan(t.Context(), first); domain.CodeOf(err) != domain.Unavailable {
		t.Fatalf("planned without any enrollment: %v", err)
	}
	w.tick()
	if err := w.Produce.Plan(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := w.Drain(); err != nil {
		t.Fatal(err)
	}
	job := w.Job(first)
	if job.State != domain.Successful || job.Accounts[0].Exported != 4 || job.Plans[0].EnrolledAsOf.IsZero() {
		t.Fatalf("%s, %+v, %+v", job.State, job.Accounts, job.Plans)
	}

	// From here on what was known at a transaction time is what its export used.
	w.Clock.Advance(time.Minute)
	job = w.Exported(site.First, domain.Window{})

	// Two more are enrolled; an export is planned while their version is written.
	w.bfd.Set(site.First, people(6, 202001, 202603)...)
	w.Clock.Advance(25 * time.Hour)
	var during domain.JobID
	w.use.Coverage = &meanwhile{w.Store, func() {
		during = w.KickOff(site.First, domain.Window{Since: job.TransactionTime})
		if err := w.Produce.Plan(t.Context(), during); err != nil {
			t.Error(err)
		}
		w.Clock.Advance(time.Minute) // the rest of a long load
	}}
	if err := w.use.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Drain(); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	between := w.Job(during)
	after := w.Exported(site.First, domain.Window{Since: between.TransactionTime})
	delivered := between.Accounts[0].Exported + after.Accounts[0].Exported
	if delivered != 2 || between.Accounts[0].Enrollees() != 4 || after.Accounts[0].Enrollees() != 6 {
		t.Errorf("of the two new people %d came; %+v and %+v", delivered, between.Accounts, after.Accounts)
	}
}

// meanwhile has something happen while a version is written, after everything
// was read and before it is known.
type meanwhile struct {
	ports.Coverage
	do func()
}

func (m *meanwhile) Load(ctx context.Context, n domain.ContractNumber, at func() time.Time, enrollees iter.Seq2[domain.Enrollee, error]) (domain.EnrollmentVersion, error) {
	return m.Coverage.Load(ctx, n, at, func(yield func(domain.Enrollee, error) bool) {
		for e, err := range enrollees {
			if !yield(e, err) {
				return
			}
		}
		if m.do != nil && n == site.First {
			m.do()
			m.do = nil
		}
	})
}
