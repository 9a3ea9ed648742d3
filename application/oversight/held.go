package oversight

import (
	"cmp"
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Held returns what sources upstream brought and nobody has believed yet, the
// oldest first, and what was decided, the latest first, for any role.
func (u *UseCase) Held(ctx context.Context, who domain.Staff) (waiting, decided []domain.Hold, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "holds.list", ""); err != nil {
		return nil, nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		if waiting, err = tx.Holds.Find(ctx, "", domain.HoldWaiting); err != nil {
			return err
		}
		decided = nil
		for _, state := range []domain.HoldState{domain.HoldReleased, domain.HoldRejected} {
			found, err := tx.Holds.Find(ctx, "", state)
			if err != nil {
				return err
			}
			decided = append(decided, found...)
		}
		slices.SortFunc(decided, func(a, b domain.Hold) int { return cmp.Or(b.Decided.Compare(a.Decided), cmp.Compare(a.ID, b.ID)) })
		decided = decided[:min(len(decided), 20)]
		return nil
	})
	return waiting, decided, err
}

// HeldChange is what is held, beside what is in force.
type HeldChange struct {
	domain.Hold
	Ending []Standing     // for HPMS: the contracts whose attestation would end
	Months []MonthsChange // for enrollment while it waits: the months that would change
}

// Standing is how a contract stands today.
type Standing struct {
	domain.Contract
	domain.Standing
}

// MonthsChange is how many people a month has, and would have.
type MonthsChange struct {
	Month         domain.Month
	Before, After int
}

// Hold returns what is held under an id, or not_found, for any role.
func (u *UseCase) Hold(ctx context.Context, who domain.Staff, id string) (h HeldChange, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "hold.see", id); err != nil {
		return h, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		h = HeldChange{}
		if h.Hold, err = tx.Holds.Get(ctx, id); err != nil {
			return err
		}
		for _, n := range h.Ends {
			c, err := tx.Contracts.Get(ctx, n)
			if err != nil {
				return err
			}
			events, err := tx.Attestations.Of(ctx, n)
			if err != nil {
				return err
			}
			h.Ending = append(h.Ending, Standing{c, domain.StandingOn(events, domain.Today(u.Clock.Now()))})
		}
		if h.Kind != domain.HeldEnrollment {
			return nil
		}
		in, err := tx.Intakes.Get(ctx, h.Contract)
		if err == nil && in.Pass != nil && in.Pass.Hold == id {
			for _, m := range in.Pass.Months {
				h.Months = append(h.Months, MonthsChange{m.Month, in.People(m.Month), m.People})
			}
		}
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.NotFound, "Nothing is held as %.40q.", id).WithNext("The list of held changes shows all there are.")
	}
	return h, err
}

// DecideHold lets what is held come into force, or rejects it. It fails with
// forbidden, invalid, not_found, and with a conflict when it was decided or the
// source has said something else since. What is released comes into force within
// moments, when the processes that follow the source go on with it.
func (u *UseCase) DecideHold(ctx context.Context, who domain.Staff, id string, release bool, why domain.Reason) error {
	action := "hold.reject"
	if release {
		action = "hold.release"
	}
	if err := u.permit(ctx, who, domain.MayManageContracts, action, id); err != nil {
		return err
	}
	h, err := u.Hold(ctx, who, id)
	if err != nil {
		return err
	}
	decide := u.Intake.Decide
	if h.Kind == domain.HeldListing {
		decide = u.Listing.Decide
	}
	state := domain.HoldRejected
	if release {
		state = domain.HoldReleased
	}
	if err = why.Check(); err == nil {
		err = decide(ctx, who.Actor(), id, state, withTicket(why), who.Details())
	}
	return u.refused(ctx, err, who, action, id, why)
}

// Incomplete returns the events of which HPMS does not say everything: how an
// attestation ended, or who attested. They are by contract, and for any role.
func (u *UseCase) Incomplete(ctx context.Context, who domain.Staff) (open []domain.AttestationEvent, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "contracts.list", ""); err != nil {
		return nil, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		all, err := tx.Attestations.All(ctx)
		open = nil
		for _, events := range all {
			open = append(open, domain.Incomplete(events)...)
		}
		return err
	})
	slices.SortFunc(open, func(a, b domain.AttestationEvent) int {
		return cmp.Or(cmp.Compare(a.Contract, b.Contract), a.Recorded.Compare(b.Recorded), cmp.Compare(a.ID, b.ID))
	})
	return open, err
}
