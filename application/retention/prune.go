package retention

import (
	"context"
	"fmt"
	"time"

	"cms.gov/ab2d/ports"
)

// atOnce is how many jobs one unit of work removes. A large one has thousands of
// rows, and nothing else should have to wait for long.
const atOnce = 10

// prune removes what is known of jobs that ended too long ago. It also takes
// their place in the search for a sponsor's last export, so jobs are to be kept
// for as long as sponsors may come back to them.
func (u *UseCase) prune(ctx context.Context) error {
	if u.Settings.KeepJobs <= 0 {
		return nil
	}
	before := u.Clock.Now().Add(-u.Settings.KeepJobs)
	for {
		gone := 0
		err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			ids, err := tx.JobList.Prune(ctx, before, atOnce)
			if gone = len(ids); err != nil || gone == 0 {
				return err
			}
			return tx.Audit.Record(ctx, u.told("job.prune", "", map[string]string{"jobs": fmt.Sprint(gone), "ended before": before.UTC().Format(time.RFC3339)}))
		})
		if err != nil || gone == 0 {
			return err
		}
	}
}
