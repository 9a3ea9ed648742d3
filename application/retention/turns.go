package retention

import (
	"context"
	"errors"

	"cms.gov/ab2d/application/errands"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Errand is what sweeping is known by.
const Errand = "sweep"

// Tick sweeps when it is time and no other process does, and does more with it.
// What came of it is kept for those who oversee it.
func (u *UseCase) Tick(ctx context.Context, more ...func(context.Context) error) error {
	token, begun := "", u.Clock.Now()
	err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		token, err = tx.Errands.Take(ctx, Errand, false, u.Settings.Hold)
		return err
	})
	if domain.CodeOf(err) == domain.Conflict {
		return nil
	} else if err != nil {
		return err
	}
	held, drop := errands.Hold(ctx, u.Store, Errand, token, u.Settings.Hold)
	swept, err := u.sweep(held)
	errs := []error{err}
	for _, do := range more {
		errs = append(errs, do(held))
	}
	lost := domain.CodeOf(context.Cause(held)) == domain.Conflict
	if drop(); lost {
		return nil // another sweeps
	}
	err = errors.Join(errs...)
	run := domain.ErrandRun{EndedAt: u.Clock.Now(), Outcome: domain.DoneRun, Swept: &swept}
	if run.Took = run.EndedAt.Sub(begun); err != nil {
		run.Outcome, run.Detail = string(domain.CodeOf(err)), map[string]string{"error": err.Error()}
	}
	return errors.Join(err, u.Store.Do(context.WithoutCancel(ctx), func(inner context.Context, tx ports.Tx) error {
		if ctx.Err() != nil { // this process stops; another may begin at once
			return tx.Errands.End(inner, Errand, token, 0)
		}
		if err := errands.Note(inner, tx, Errand, run); err != nil {
			return err
		}
		return tx.Errands.End(inner, Errand, token, u.Settings.Every)
	}))
}
