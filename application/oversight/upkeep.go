package oversight

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Upkeep is how far the work in the background has come.
type Upkeep struct {
	Intakes  int       // contracts whose enrollment is taken in from its source
	TakenIn  time.Time // the latest of them; zero for never
	Gathered int       // contracts whose enrollment is being gathered now
	Held     int       // changes from upstream that wait for a person
	Sealed   time.Time // the latest seal of the audit trail; zero for none
}

// Upkeep returns it, for any role.
func (u *UseCase) Upkeep(ctx context.Context, who domain.Staff) (k Upkeep, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "system.see", ""); err != nil {
		return k, err
	}
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		k = Upkeep{}
		intakes, err := tx.Intakes.List(ctx)
		if err != nil {
			return err
		}
		k.Intakes = len(intakes)
		for _, in := range intakes {
			for _, m := range in.Months {
				if m.At.After(k.TakenIn) {
					k.TakenIn = m.At
				}
			}
			if in.Pass != nil && in.Pass.Hold == "" {
				k.Gathered++
			}
		}
		waiting, err := tx.Holds.Find(ctx, "", domain.HoldWaiting)
		if err != nil {
			return err
		}
		k.Held = len(waiting)
		seal, err := tx.Seals.Last(ctx)
		k.Sealed = seal.At
		return err
	})
	return k, err
}
