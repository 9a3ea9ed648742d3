package retention

import (
	"context"
	"errors"
	"time"

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
	held, drop := u.hold(ctx, token)
	swept, err := u.sweep(held)
	errs := []error{err}
	for _, do := range more {
		errs = append(errs, do(held))
	}
	drop()
	err = errors.Join(errs...)
	run := domain.ErrandRun{EndedAt: u.Clock.Now(), Outcome: domain.DoneRun, Swept: &swept}
	if run.Took = run.EndedAt.Sub(begun); err != nil {
		run.Outcome, run.Detail = string(domain.CodeOf(err)), map[string]string{"error": err.Error()}
	}
	return errors.Join(err, u.Store.Do(context.WithoutCancel(ctx), func(inner context.Context, tx ports.Tx) error {
		if ctx.Err() != nil { // this process stops; another may begin at once
			return tx.Errands.End(inner, Errand, token, 0)
		}
		before, err := tx.ErrandBook.Get(inner, Errand)
		if err != nil {
			return err
		}
		if err := tx.ErrandBook.Note(inner, Errand, run.After(before.Last)); err != nil {
			return err
		}
		return tx.Errands.End(inner, Errand, token, u.Settings.Every)
	}))
}

// hold keeps the errand until drop is called. When that fails another may have
// it: then the context ends, since two sweeps at once do no harm but no good either.
func (u *UseCase) hold(ctx context.Context, token string) (held context.Context, drop func()) {
	held, lose := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(max(u.Settings.Hold/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
			}
			err := u.Store.Do(held, func(ctx context.Context, tx ports.Tx) error {
				return tx.Errands.Keep(ctx, Errand, token, u.Settings.Hold)
			})
			if domain.CodeOf(err) == domain.Conflict {
				lose()
			}
		}
	}()
	return held, func() { lose(); <-done }
}
