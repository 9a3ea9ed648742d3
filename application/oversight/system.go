package oversight

import (
	"context"
	"time"

	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// System is how the installation itself does.
type System struct {
	At        time.Time
	Backlog   domain.Backlog
	Pause     domain.Switch    // of the queue
	Processes []domain.Process // those that tell of themselves
	Lately    []domain.SourceFigures
	Sweep     domain.Errand
	HPMS      domain.Errand
}

// lately is how far back the figures of now go.
const lately = time.Hour

// System returns it, for any role. What it knows of the claims source is of
// the last hour, by five minutes.
func (u *UseCase) System(ctx context.Context, who domain.Staff) (s System, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "system.see", ""); err != nil {
		return s, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		s = System{At: u.Clock.Now()}
		if s.Backlog, err = tx.Partitions.Backlog(ctx); err != nil {
			return err
		}
		if s.Pause, err = tx.Switches.Get(ctx, domain.PauseSwitch); err != nil {
			return err
		}
		if s.Processes, err = tx.Processes.List(ctx); err != nil {
			return err
		}
		if s.Lately, err = tx.SourceFigures.Find(ctx, domain.ShortStretch, s.At.Add(-lately), s.At.Add(domain.ShortStretch)); err != nil {
			return err
		}
		if s.Sweep, err = tx.ErrandBook.Get(ctx, retention.Errand); err != nil {
			return err
		}
		s.HPMS, err = tx.ErrandBook.Get(ctx, listing.Errand)
		return err
	})
	return s, err
}

// now is how far back it counts as what the claims source does now.
const now = 3 * domain.ShortStretch

// SourceNow returns the sum of what came of calls lately, whatever the source.
func (s System) SourceNow() (sum domain.SourceFigures) {
	for _, f := range s.Lately {
		if f.Begins.After(s.At.Add(-now)) {
			sum = f.Plus(sum)
		}
	}
	return sum
}

// TroubledSince returns since when too many calls to the claims source fail
// without a break; zero while they do not.
func (s System) TroubledSince() (since time.Time) {
	if sum := s.SourceNow(); !sum.Troubled() {
		return since
	}
	for i := len(s.Lately) - 1; i >= 0; i-- {
		if f := s.Lately[i]; f.Calls() > 0 && f.ErrorShare() <= domain.SourceErrorShare {
			break
		} else if f.Calls() > 0 {
			since = f.Begins
		}
	}
	return since
}

// Workers returns the processes that do jobs: those that are at work, and those
// that fell silent within the last hour. A process that stops says so, so one that fell silent was killed
// or cannot reach the database.
func (s System) Workers() (working, lost []domain.Process) {
	for _, p := range s.Processes {
		switch {
		case p.State.Places == 0:
		case p.Silent <= domain.SilentAfter:
			working = append(working, p)
		case p.Silent <= lately:
			lost = append(lost, p)
		}
	}
	return working, lost
}

// Away returns in how many processes no call to the claims source is let through,
// and since when that is so in the first of them.
func (s System) Away() (in int, since time.Time) {
	for _, p := range s.Processes {
		if c := p.State.Source; c != nil && !c.Away.IsZero() && p.Silent <= domain.SilentAfter {
			if in++; since.IsZero() || c.Away.Before(since) {
				since = c.Away
			}
		}
	}
	return in, since
}

// SourceCalls returns what came of calls to the claims source in a span up to
// now, by hours, for any role.
func (u *UseCase) SourceCalls(ctx context.Context, who domain.Staff, span time.Duration) (found []domain.SourceFigures, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "system.see", ""); err != nil {
		return nil, err
	}
	at := u.Clock.Now()
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		found, err = tx.SourceFigures.Find(ctx, domain.LongStretch, at.Add(-span), at.Add(time.Second))
		return err
	})
	return found, err
}

// The actions on the system, as they stand in the audit trail.
const (
	SweepNow    = "files.sweep"
	RefreshHPMS = "hpms.wake"
	PauseQueue  = "queue.pause"
	ResumeQueue = "queue.resume"
)

// WakeSweep has the store of files swept at once, by whichever worker looks first. It
// fails with forbidden and with invalid for a reason that is none.
func (u *UseCase) WakeSweep(ctx context.Context, who domain.Staff, why domain.Reason) error {
	return u.wake(ctx, who, domain.MayRunJobs, SweepNow, retention.Errand, why)
}

// WakeHPMS has HPMS asked at once. It fails as WakeSweep does.
func (u *UseCase) WakeHPMS(ctx context.Context, who domain.Staff, why domain.Reason) error {
	return u.wake(ctx, who, domain.MayManageContracts, RefreshHPMS, listing.Errand, why)
}

func (u *UseCase) wake(ctx context.Context, who domain.Staff, p domain.Permission, action, errand string, why domain.Reason) error {
	if err := u.permit(ctx, who, p, action, errand); err != nil {
		return err
	}
	if err := why.Check(); err != nil {
		return err
	}
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Errands.Wake(ctx, errand); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(u.Clock.Now(), action, errand, "done", "reason", why.Text, "ticket", why.Ticket))
	})
}

// Pause keeps workers from beginning anything, or lets them begin again; what they
// are at goes on. It fails with forbidden, with invalid for a reason that is none,
// and with a conflict when somebody did that already.
func (u *UseCase) Pause(ctx context.Context, who domain.Staff, pause bool, why domain.Reason) error {
	action, value := ResumeQueue, ""
	if pause {
		action, value = PauseQueue, why.Text
	}
	if err := u.permit(ctx, who, domain.MayRunJobs, action, ""); err != nil {
		return err
	}
	err := why.Check()
	if err == nil {
		err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			before, err := tx.Switches.Get(ctx, domain.PauseSwitch)
			if err != nil {
				return err
			}
			if (before.Value != "") == pause {
				state := map[bool]string{true: "paused", false: "going on"}[pause]
				return domain.Errorf(domain.Conflict, "The queue is %s already, %s.", state, sinceWhen(before)).WithNext("Nothing is left to do.")
			}
			at := u.Clock.Now()
			if err := tx.Switches.Put(ctx, domain.Switch{Name: domain.PauseSwitch, Value: value, ChangedAt: at, ChangedBy: who.Name}); err != nil {
				return err
			}
			return tx.Audit.Record(ctx, who.Told(at, action, "", "done", "reason", why.Text, "ticket", why.Ticket))
		})
	}
	return u.refused(ctx, err, who, action, "", why)
}

func sinceWhen(s domain.Switch) string {
	if s.ChangedBy == "" {
		return "as it ever was"
	}
	return "since " + s.ChangedAt.UTC().Format("2006-01-02 15:04 UTC") + " by " + s.ChangedBy
}
