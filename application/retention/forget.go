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
