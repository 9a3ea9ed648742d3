package enrollment

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// work is one contract that this process has.
type work struct {
	*UseCase
	n     domain.ContractNumber
	token string
	rest  time.Duration // how long the contract is to be left alone afterwards
}

// do goes on from wherever the contract's intake is: it begins a pass when months
// are due, gathers what is missing, and lets it come into force or holds it.
// Every step is kept, so that it may be cut off anywhere.
func (w *work) do(ctx context.Context) error {
	in, released, err := w.begin(ctx)
	if err != nil || in.Pass == nil || in.Pass.Hold != "" && !released {
		return err
	}
	if !in.Pass.IsWhole() {
		if err := w.gather(ctx, in); err != nil {
			return err
		}
		if in, err = w.whole(ctx); err != nil || in.Pass == nil {
			return err
		}
	}
	if !released {
		held, err := w.guard(ctx, in)
		if err != nil || held {
			return err
		}
	}
	return w.apply(ctx, in)
}

// change changes the intake while the contract is still this process's.
func (w *work) change(ctx context.Context, pass string, do func(ctx context.Context, tx ports.Tx, in *domain.Intake) error) (in domain.Intake, err error) {
	err = w.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Errands.Keep(ctx, errand(w.n), w.token, w.Settings.Lease); err != nil {
			return err
		}
		if in, err = tx.Intakes.Get(ctx, w.n); err != nil {
			return err
		}
		if pass != "" && (in.Pass == nil || in.Pass.ID != pass) {
			return domain.Errorf(domain.Conflict, "the pass over contract %s is over", w.n)
		}
		if err := do(ctx, tx, &in); err != nil {
			return err
		}
		return tx.Intakes.Put(ctx, in)
	})
	return in, err
}

// begin returns the intake with its pass, a new one when months are due and
// nothing is being gathered. What was held and rejected is dropped; what was
// released is told.
func (w *work) begin(ctx context.Context) (in domain.Intake, released bool, err error) {
	in, err = w.change(ctx, "", func(ctx context.Context, tx ports.Tx, in *domain.Intake) error {
		now := w.Clock.Now()
		released = false
		if in.Pass != nil && in.Pass.Hold != "" {
			h, err := tx.Holds.Get(ctx, in.Pass.Hold)
			if err != nil {
				return err
			}
			switch h.State {
			case domain.HoldReleased:
				released = true
				return nil
			case domain.HoldRejected:
				*in = in.Dropped()
				return tx.Gathering.Clear(ctx, w.n)
			}
			months, err := w.months(ctx, tx, *in, now)
			if err != nil || len(months) == 0 {
				return err
			}
			if err := h.Decide(domain.HoldSuperseded, now, system, "The source is asked again."); err != nil {
				return err
			}
			if err := tx.Holds.Put(ctx, h); err != nil {
				return err
			}
			in.Pass = nil
		}
		if in.Pass != nil {
			return nil // an earlier process began it
		}
		months, err := w.months(ctx, tx, *in, now)
		if err != nil || len(months) == 0 {
			return err
		}
		in.Pass = &domain.Pass{ID: domain.NewEventID(), Began: now}
		for _, m := range months {
			in.Pass.Months = append(in.Pass.Months, domain.PassMonth{Month: m})
		}
		return tx.Gathering.Clear(ctx, w.n)
	})
	return in, released, err
}

// gather asks for all pages of the months that are not done, several months at
// once. Each page is kept together with where to go on after it.
func (w *work) gather(ctx context.Context, in domain.Intake) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	months := make(chan domain.PassMonth)
	var running sync.WaitGroup
	for range max(w.Settings.Months, 1) {
		running.Go(func() {
			for m := range months {
				if err := w.month(ctx, in.Pass.ID, m); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, m := range in.Pass.Months {
		if !m.Done && ctx.Err() == nil {
			months <- m
		}
	}
	close(months)
	running.Wait()
	return context.Cause(ctx)
}

func (w *work) month(ctx context.Context, pass string, m domain.PassMonth) error {
	for !m.Done {
		page, err := w.page(ctx, m)
		if err != nil {
			return err
		}
		if page.Next != "" && page.Next == m.Next {
			return domain.Errorf(domain.Unavailable, "the source goes round in circles over %s of contract %s", m.Month, w.n)
		}
		people := make([]domain.Enrollee, len(page.People))
		for i, p := range page.People {
			people[i] = domain.Enrollee{Patient: p.Patient, Months: domain.NewMonthSet(m.Month), IDs: p.IDs}
		}
		m.Next, m.Done, m.People = page.Next, page.Next == "", m.People+len(people)
		if _, err := w.change(ctx, pass, func(ctx context.Context, tx ports.Tx, in *domain.Intake) error {
			for i := range in.Pass.Months {
				if in.Pass.Months[i].Month == m.Month {
					in.Pass.Months[i] = m
				}
			}
			return tx.Gathering.Add(ctx, w.n, people)
		}); err != nil {
			return err
		}
	}
	return nil
}

// page asks for one page until it comes or no more use in asking.
func (w *work) page(ctx context.Context, m domain.PassMonth) (page ports.EnrollmentPage, err error) {
	wait := w.Settings.Backoff
	for n := 1; ; n++ {
		page, err = w.Source.Page(ctx, w.n, m.Month, m.Next)
		if err == nil || ctx.Err() != nil || domain.CodeOf(err) != domain.Unavailable && domain.CodeOf(err) != domain.Throttled || n >= w.Settings.Tries {
			return page, err
		}
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait *= 2
	}
}

// whole returns the intake once everything has been gathered. The present month
// of which the source has nobody yet, as on its first days, is left for later
// when there were people the month before.
func (w *work) whole(ctx context.Context) (domain.Intake, error) {
	present := domain.Today(w.Clock.Now()).Month()
	return w.change(ctx, "", func(ctx context.Context, tx ports.Tx, in *domain.Intake) error {
		if in.Pass == nil || !in.Pass.IsWhole() {
			return domain.Errorf(domain.Conflict, "the pass over contract %s is over", w.n)
		}
		last := len(in.Pass.Months) - 1
		if m := in.Pass.Months[last]; m.Month == present && m.People == 0 && in.People(present) == 0 && in.Taken().People(present-1) > 0 {
			in.Pass.Months, w.rest = in.Pass.Months[:last], comeBack
		}
		if len(in.Pass.Months) == 0 {
			in.Pass = nil
		}
		return nil
	})
}

// pair is one person before and after a pass. A side on which the person is not
// enrolled has no months.
type pair struct{ before, after domain.Enrollee }

// pairs goes through everybody in force and everybody gathered, in the byte order of
// their ids.
func (w *work) pairs(ctx context.Context, v domain.EnrollmentVersion, pass domain.MonthSet) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		next, stop := iter.Pull2(w.gathered(ctx))
		defer stop()
		g, err, more := next()
		for e, failed := range w.Coverage.Members(ctx, w.n, v, domain.KeyRange{}) {
			if failed != nil {
				yield(pair{}, failed)
				return
			}
			for more && err == nil && g.Patient < e.Patient {
				if !yield(pair{after: domain.Merge(domain.Enrollee{}, g, pass)}, nil) {
					return
				}
				g, err, more = next()
			}
			if err != nil {
				yield(pair{}, err)
				return
			}
			met := domain.Enrollee{}
			if more && g.Patient == e.Patient {
				met = g
				g, err, more = next()
			}
			if !yield(pair{e, domain.Merge(e, met, pass)}, nil) {
				return
			}
		}
		for ; more && err == nil; g, err, more = next() {
			if !yield(pair{after: domain.Merge(domain.Enrollee{}, g, pass)}, nil) {
				return
			}
		}
		if err != nil {
			yield(pair{}, err)
		}
	}
}

// some is how many gathered people are read at once.
const some = 5000

func (w *work) gathered(ctx context.Context) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for after := domain.PatientID(""); ; {
			var people []domain.Enrollee
			if err := w.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
				people, err = tx.Gathering.After(ctx, w.n, after, some)
				return err
			}); err != nil {
				yield(domain.Enrollee{}, err)
				return
			}
			for _, e := range people {
				if !yield(e, nil) {
					return
				}
			}
			if len(people) < some {
				return
			}
			after = people[len(people)-1].Patient
		}
	}
}

// guard counts what the pass would take away and holds it when that is too much,
// or when nobody came at all.
func (w *work) guard(ctx context.Context, in domain.Intake) (held bool, err error) {
	v, err := w.Coverage.VersionAt(ctx, w.n, latest)
	if err != nil {
		return false, err
	}
	set, months := in.Pass.Set(), in.Pass.Months
	before, dropped, met := make([]int, len(months)), make([]int, len(months)), 0
	for p, err := range w.pairs(ctx, v, set) {
		if err != nil {
			return false, err
		}
		for i, m := range months {
			had, has := p.before.Months.Has(m.Month), p.after.Months.Has(m.Month)
			if had {
				before[i]++
			}
			if had && !has {
				dropped[i]++
			}
			if has {
				met++
			}
		}
	}
	h := domain.Hold{ID: domain.NewQuote(), Kind: domain.HeldEnrollment, Contract: w.n, State: domain.HoldWaiting, At: w.Clock.Now()}
	if v == 0 && met == 0 {
		h.Reason = fmt.Sprintf("The source has nobody enrolled in contract %s, in any month.", w.n)
	}
	for i, m := range months {
		if dropped[i] > 0 && float64(dropped[i]) > w.Settings.Share*float64(before[i]) && dropped[i] > h.Dropped {
			h.Before, h.Dropped = before[i], dropped[i]
			h.Reason = fmt.Sprintf("Of the %d people enrolled in contract %s in %s the source no longer has %d, which is more than %.0f%%.",
				before[i], w.n, m.Month, dropped[i], w.Settings.Share*100)
		}
	}
	if h.Reason == "" {
		return false, nil
	}
	_, err = w.change(ctx, in.Pass.ID, func(ctx context.Context, tx ports.Tx, in *domain.Intake) error {
		in.Pass.Hold = h.ID
		if err := tx.Holds.Put(ctx, h); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: h.At, Actor: system, Action: "enrollment.hold", Target: string(w.n), Outcome: "done",
			Detail: map[string]string{"hold": h.ID, "reason": h.Reason}})
	})
	if err == nil {
		w.Log.WarnContext(ctx, "enrollment waits for a person; what was in force stays in force", "contract", w.n, "hold", h.ID, "reason", h.Reason)
	}
	return true, err
}

// latest is after any time at which a version was recorded.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// apply makes the next version out of what is in force and what was gathered.
// Cut off between the version and the record of it, it is done again and changes
// nothing then.
func (w *work) apply(ctx context.Context, in domain.Intake) error {
	before, err := w.Coverage.VersionAt(ctx, w.n, latest)
	if err != nil {
		return err
	}
	people := 0
	enrolled := func(yield func(domain.Enrollee, error) bool) {
		for p, err := range w.pairs(ctx, before, in.Pass.Set()) {
			if err != nil {
				yield(domain.Enrollee{}, err)
				return
			}
			if p.after.Months.IsEmpty() {
				continue
			}
			people++
			if !yield(p.after, nil) {
				return
			}
		}
	}
	// Exports that are planned while the version is being written use the one
	// before, and the next export has to know that: so it counts as known only
	// from a moment at which everybody can see it.
	v, err := w.Coverage.Load(ctx, w.n, func() time.Time { return w.Clock.Now().Add(w.Settings.Settle) }, enrolled)
	if err != nil {
		return err
	}
	_, err = w.change(ctx, in.Pass.ID, func(ctx context.Context, tx ports.Tx, in *domain.Intake) error {
		detail := map[string]string{"version": fmt.Sprint(v), "people": fmt.Sprint(people), "months": fmt.Sprint(len(in.Pass.Months)), "changed": fmt.Sprint(v != before)}
		*in = in.Taken()
		if err := tx.Gathering.Clear(ctx, w.n); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: w.Clock.Now(), Actor: system, Action: "enrollment.refresh", Target: string(w.n), Outcome: "done", Detail: detail})
	})
	if err == nil {
		w.Log.InfoContext(ctx, "enrollment is in force", "contract", w.n, "version", v, "people", people, "changed", v != before)
	}
	return err
}
