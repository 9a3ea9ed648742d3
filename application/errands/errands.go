// Package errands is for what is done again and again, by one process at a time.
package errands

import (
	"context"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Hold keeps an errand that was taken for length, until drop is called. The context
// it returns ends, with a conflict as its cause, when the errand is lost to
// another: also when the store could not be reached for length.
func Hold(ctx context.Context, store ports.UnitOfWork, name, token string, length time.Duration) (held context.Context, drop func()) {
	held, lose := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { keep(held, lose, store, name, token, length) })
	return held, func() { lose(nil); keeping.Wait() }
}

func keep(ctx context.Context, lose context.CancelCauseFunc, store ports.UnitOfWork, name, token string, length time.Duration) {
	ticker := time.NewTicker(max(length/4, time.Millisecond))
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return tx.Errands.Keep(ctx, name, token, length) })
		switch {
		case err == nil:
			last = time.Now()
		case domain.CodeOf(err) == domain.Conflict, time.Since(last) > length:
			lose(domain.Errorf(domain.Conflict, "the errand %s is in other hands", name).Because(err))
			return
		}
	}
}

// Note keeps what came of an errand, and with it when it last ended well.
func Note(ctx context.Context, tx ports.Tx, name string, run domain.ErrandRun) error {
	before, err := tx.ErrandBook.Get(ctx, name)
	if err != nil {
		return err
	}
	return tx.ErrandBook.Note(ctx, name, run.After(before.Last))
}
