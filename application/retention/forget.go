package retention

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// forgottenAtOnce is how many keys one unit of work removes.
const forgottenAtOnce = 1000

// forget removes keys of kick-offs that stand for nothing any more.
func (u *UseCase) forget(ctx context.Context) error {
	before := u.Clock.Now().Add(-domain.IdempotencyLife)
	for {
		gone := 0
		err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
			gone, err = tx.Keys.Forget(ctx, before, forgottenAtOnce)
			return err
		})
		if err != nil || gone < forgottenAtOnce {
			return err
		}
	}
}

// forgetFigures removes what is known of calls to the claims source: of short
// stretches soon, of long ones with the jobs of that time.
func (u *UseCase) forgetFigures(ctx context.Context) error {
	now := u.Clock.Now()
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.SourceFigures.Prune(ctx, domain.ShortStretch, now.Add(-domain.KeepShort))
		if err == nil && u.Settings.KeepJobs > 0 {
			_, err = tx.SourceFigures.Prune(ctx, domain.LongStretch, now.Add(-u.Settings.KeepJobs))
		}
		return err
	})
}
