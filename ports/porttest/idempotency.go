package porttest

import (
	"context"
	"errors"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// IdempotencyKeys runs the conformance suite of ports.IdempotencyKeys.
func IdempotencyKeys(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"the first claim of a key stands":             keysFirst,
		"a claim that is undone never was":            keysUndone,
		"a key is free again after its time":          keysAfterTheirTime,
		"of racing claims one stands, and all see it": keysRacing,
		"Forget takes the old ones, and no more":      keysForget,
	})
}

func aKey(client domain.ClientID, key string, minute int) domain.IdempotencyKey {
	return domain.IdempotencyKey{Client: client, Key: key, Request: "digest", Job: jobID(minute), At: instantAt(minute)}
}

// claim claims a key at its own time, where keys stand for an hour.
func (s storeTest) claim(k domain.IdempotencyKey) (got domain.IdempotencyKey) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		got, err = tx.Keys.Claim(ctx, k, instantAt(int(k.At.Sub(instantAt(60)).Minutes())))
		return err
	})
	return got
}

func keysFirst(s storeTest) {
	first := aKey("a", "k", 0)
	for _, tt := range []struct{ claimed, want domain.IdempotencyKey }{
		{first, first},
		{aKey("a", "k", 1), first},
		{aKey("b", "k", 2), aKey("b", "k", 2)},
		{aKey("a", "K", 3), aKey("a", "K", 3)},
		{aKey("a", "k", 60), first},
	} {
		if got := s.claim(tt.claimed); got != tt.want {
			s.Errorf("claiming %+v gives %+v, want %+v", tt.claimed, got, tt.want)
		}
	}
}

func keysUndone(s storeTest) {
	if err := s.try(func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Keys.Claim(ctx, aKey("a", "k", 0), instantAt(-60))
		return errors.Join(err, errUndo)
	}); !errors.Is(err, errUndo) {
		s.Fatal(err)
	}
	if got, want := s.claim(aKey("a", "k", 1)), aKey("a", "k", 1); got != want {
		s.Errorf("the key stands for %+v, want %+v", got, want)
	}
}

func keysAfterTheirTime(s storeTest) {
	s.claim(aKey("a", "k", 0))
	later := aKey("a", "k", 61)
	for range 2 {
		if got := s.claim(later); got != later {
			s.Errorf("after its time the key stands for %+v, want %+v", got, later)
		}
	}
}

func keysRacing(s storeTest) {
	const n = 8
	got := make([]domain.IdempotencyKey, n)
	for _, err := range atOnce(n, func(i int) error {
		return s.try(func(ctx context.Context, tx ports.Tx) (err error) {
			got[i], err = tx.Keys.Claim(ctx, aKey("a", "k", i), instantAt(-60))
			return err
		})
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	for i, k := range got {
		if k != got[0] {
			s.Errorf("claim %d got %+v, the first %+v", i, k, got[0])
		}
	}
}

func keysForget(s storeTest) {
	for minute, key := range []string{"0", "1", "2", "3"} {
		s.claim(aKey("a", key, minute))
	}
	for _, tt := range []struct{ before, limit, want int }{{0, 10, 0}, {3, 2, 2}, {3, 2, 1}, {3, 2, 0}} {
		s.do(func(ctx context.Context, tx ports.Tx) error {
			got, err := tx.Keys.Forget(ctx, instantAt(tt.before), tt.limit)
			if got != tt.want {
				s.Errorf("forgot %d of those before minute %d, want %d", got, tt.before, tt.want)
			}
			return err
		})
	}
	if got, want := s.claim(aKey("a", "3", 9)), aKey("a", "3", 3); got != want {
		s.Errorf("what was not old is %+v, want %+v", got, want)
	}
	if got, want := s.claim(aKey("a", "0", 9)), aKey("a", "0", 9); got != want {
		s.Errorf("what was forgotten is %+v, want %+v", got, want)
	}
}
