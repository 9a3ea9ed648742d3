package memory

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// keyOf tells keys of one client from another's.
type keyOf struct {
	client domain.ClientID
	key    string
}

// keys implements ports.IdempotencyKeys.
type keys struct{ *unit }

func (s keys) Claim(ctx context.Context, k domain.IdempotencyKey, notBefore time.Time) (domain.IdempotencyKey, error) {
	if err := s.changing(ctx); err != nil {
		return domain.IdempotencyKey{}, err
	}
	of := keyOf{k.Client, k.Key}
	if kept, there := s.keys[of]; there && !kept.At.Before(notBefore) {
		return kept, nil
	}
	s.keys[of] = k
	return k, nil
}

func (s keys) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := s.changing(ctx); err != nil {
		return 0, err
	}
	gone := 0
	for of, k := range s.keys {
		if gone < limit && k.At.Before(before) {
			delete(s.keys, of)
			gone++
		}
	}
	return gone, nil
}
