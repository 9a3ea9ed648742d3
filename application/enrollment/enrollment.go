// Package enrollment takes in who is enrolled in which contract, month by month,
// from where CMS keeps it. What a pass gathers lies beside the enrollment in
// force and takes its place all at once; what would take away too much waits for
// a person, and what was in force stays in force.
package enrollment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cms.gov/ab2d/application/errands"
	"cms.gov/ab2d/application/holds"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings are how enrollment is taken in.
type Settings struct {
	EarliestServed domain.Date
	Pace           domain.IntakePace
	Share          float64       // of a month's enrollees; a larger drop is held for a person
	Settle         time.Duration // from when a version is written until exports use it: longer than a commit takes
	Months         int           // months of a contract that are gathered at once
	Contracts      int           // contracts that are worked on at once in this process
	Lease          time.Duration // how long a silent process keeps a contract
	Tries          int           // of one page
	Backoff        time.Duration // the first wait between them; it doubles
}

// UseCase takes enrollment in.
type UseCase struct {
	Store    ports.UnitOfWork
	Coverage ports.Coverage
	Source   ports.Enrollment
	Clock    ports.Clock
	Log      *slog.Logger
	Settings Settings
}

const (
	tryAgain = time.Minute      // after the source failed
	comeBack = 30 * time.Minute // for a month of which the source has nobody yet
)

var system = domain.System("enrollment")

func errand(n domain.ContractNumber) string { return "enrollment " + string(n) }

// Tick takes in what is due, contract by contract, as far as other processes are
// not at it. It returns when nothing is left to do now. A contract that fails
// does not keep the others.
func (u *UseCase) Tick(ctx context.Context) error {
	due, err := u.due(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var all []error
	var running sync.WaitGroup
	places := make(chan struct{}, max(u.Settings.Contracts, 1))
	for _, n := range due {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-places }()
			if err := u.contract(ctx, n); err != nil {
				mu.Lock()
				all = append(all, fmt.Errorf("contract %s: %w", n, err))
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return errors.Join(all...)
}

// due returns the contracts with something to do.
func (u *UseCase) due(ctx context.Context) (due []domain.ContractNumber, err error) {
	now := u.Clock.Now()
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		due = nil
		contracts, err := tx.Contracts.List(ctx)
		if err != nil {
			return err
		}
		for _, c := range contracts {
			in, err := tx.Intakes.Get(ctx, c.Number)
			if err != nil {
				return err
			}
			decided, err := isDecided(ctx, tx, in)
			if err != nil {
				return err
			}
			months, err := u.months(ctx, tx, in, now)
			if err != nil {
				return err
			}
			if decided || in.Pass != nil && in.Pass.Hold == "" || len(months) > 0 {
				due = append(due, c.Number)
			}
		}
		return nil
	})
	return due, err
}

// isDecided reports whether a person has decided on what the intake waits for.
func isDecided(ctx context.Context, tx ports.Tx, in domain.Intake) (bool, error) {
	if in.Pass == nil || in.Pass.Hold == "" {
		return false, nil
	}
	h, err := tx.Holds.Get(ctx, in.Pass.Hold)
	return h.State != domain.HoldWaiting, err
}

// months returns the months that are due: from the first that is shared to the
// present one, while attestation is active or may come back with the same data
// start. What waits for a person counts as taken in.
func (u *UseCase) months(ctx context.Context, tx ports.Tx, in domain.Intake, now time.Time) ([]domain.Month, error) {
	events, err := tx.Attestations.Of(ctx, in.Contract)
	if err != nil {
		return nil, err
	}
	today := domain.Today(now)
	s := domain.StandingOn(events, today)
	from := s.From(u.Settings.EarliestServed)
	if from.IsZero() || !s.Active && s.DaysLeft(today) == 0 {
		return nil, nil
	}
	if in.Pass != nil && in.Pass.Hold != "" {
		in = in.Taken()
	}
	return in.DueMonths(from.Month(), today.Month(), now, u.Settings.Pace), nil
}

// contract takes in what is due of one contract, if no other process does.
func (u *UseCase) contract(ctx context.Context, n domain.ContractNumber) error {
	var token string
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		token, err = tx.Errands.Take(ctx, errand(n), false, u.Settings.Lease)
		return err
	})
	if domain.CodeOf(err) == domain.Conflict {
		return nil
	} else if err != nil {
		return err
	}
	held, drop := errands.Hold(ctx, u.Store, errand(n), token, u.Settings.Lease)
	w := &work{UseCase: u, n: n, token: token}
	err = w.do(held)
	cause := context.Cause(held)
	drop()
	rest := w.rest
	if err != nil {
		rest = tryAgain
		if ctx.Err() != nil {
			rest = 0 // this process stops; another may go on at once
		}
	}
	if endErr := u.Store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx ports.Tx) error {
		return tx.Errands.End(ctx, errand(n), token, rest)
	}); err == nil {
		err = endErr
	}
	if ctx.Err() != nil || domain.CodeOf(cause) == domain.Conflict || domain.CodeOf(err) == domain.Conflict {
		return nil // another goes on from here
	}
	return err
}

// Ask has a contract's enrollment taken in again now: its recent months, or all
// of them. Workers begin within seconds. It fails with not_found for a contract
// that is not there.
func (u *UseCase) Ask(ctx context.Context, actor domain.Actor, n domain.ContractNumber, everything bool) error {
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if _, err := tx.Contracts.Get(ctx, n); err != nil {
			return err
		}
		in, err := tx.Intakes.Get(ctx, n)
		if err != nil {
			return err
		}
		now := u.Clock.Now()
		recent := domain.Today(now).Month() - domain.Month(u.Settings.Pace.RecentMonths)
		for i := range in.Months {
			if everything || in.Months[i].Month > recent {
				in.Months[i].At = time.Time{}
			}
		}
		if in.Pass != nil && in.Pass.Hold != "" {
			in.Pass.Began = time.Time{} // what waits is asked for again
		}
		if err := tx.Intakes.Put(ctx, in); err != nil {
			return err
		}
		if err := tx.Errands.Wake(ctx, errand(n)); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Actor: actor, Action: "enrollment.ask", Target: string(n), Outcome: "done",
			Detail: map[string]string{"everything": fmt.Sprint(everything)}})
	})
}

// Waiting returns what waits for a person.
func (u *UseCase) Waiting(ctx context.Context) (waiting []domain.Hold, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		waiting, err = tx.Holds.Find(ctx, domain.HeldEnrollment, domain.HoldWaiting)
		return err
	})
	return waiting, err
}

// State is how the enrollment of a contract stands.
type State struct {
	domain.Intake
	Version domain.EnrollmentVersion // in force; zero before the first
	AsOf    time.Time                // as of when; zero before the first
}

// List returns how the enrollment of every contract that was ever taken in stands.
func (u *UseCase) List(ctx context.Context) (states []State, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Intakes.List(ctx)
		states = nil
		for _, in := range all {
			states = append(states, State{Intake: in})
		}
		return err
	})
	for i := range states {
		s := &states[i]
		if err == nil {
			s.Version, err = u.Coverage.VersionAt(ctx, s.Contract, u.Clock.Now())
		}
		if err == nil && s.Version > 0 {
			s.AsOf, err = u.Coverage.AsOf(ctx, s.Contract, s.Version)
		}
	}
	return states, err
}

// Release lets what is held come into force; workers do so within seconds. It
// fails with not_found for nothing held under the id, and with a conflict when
// that was decided, or the source has said something else since.
func (u *UseCase) Release(ctx context.Context, actor domain.Actor, id, note string) error {
	return u.Decide(ctx, actor, id, domain.HoldReleased, note, nil)
}

// Reject drops what is held. The enrollment in force stays until the next time
// the months are due. It fails as Release does.
func (u *UseCase) Reject(ctx context.Context, actor domain.Actor, id, note string) error {
	return u.Decide(ctx, actor, id, domain.HoldRejected, note, nil)
}

// Decide releases or rejects what is held. What is told goes into the audit
// trail. It fails as Release does.
func (u *UseCase) Decide(ctx context.Context, actor domain.Actor, id string, state domain.HoldState, note string, told map[string]string) error {
	return holds.Decide(ctx, u.Store, holds.Decision{At: u.Clock.Now(), Actor: actor, ID: id, Kind: domain.HeldEnrollment, State: state, Note: note, Told: told,
		Wakes: func(h domain.Hold) string { return errand(h.Contract) },
		Records: func(h domain.Hold) domain.AuditRecord {
			return domain.AuditRecord{Action: "enrollment." + string(state), Target: string(h.Contract),
				Detail: map[string]string{"reason": note, "hold": id, "held": h.Reason}}
		}})
}
