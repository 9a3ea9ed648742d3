package memory

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"maps"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// auditTrail implements ports.AuditTrail. Units of work that write run one after
// another, so whoever asks has waited already.
type auditTrail struct{ *unit }

func (s auditTrail) Unsealed(ctx context.Context, after int64, limit int) ([]int64, error) {
	return following(slices.Sorted(maps.Keys(s.unsealed)), after, limit), s.reading(ctx)
}

func (s auditTrail) Numbers(ctx context.Context, after int64, limit int) ([]int64, error) {
	numbers := make([]int64, len(s.records))
	for i, r := range s.records {
		numbers[i] = r.Number
	}
	return following(numbers, after, limit), s.reading(ctx)
}

func following(ascending []int64, after int64, limit int) []int64 {
	from, _ := slices.BinarySearch(ascending, after+1)
	return ascending[from:min(from+limit, len(ascending))]
}

func (s auditTrail) Records(ctx context.Context, which domain.Numbers) (found []ports.AuditEntry, err error) {
	for _, r := range s.records {
		if which.Has(r.Number) {
			r.Detail = maps.Clone(r.Detail)
			found = append(found, r)
		}
	}
	return found, s.reading(ctx)
}

func (s auditTrail) Remove(ctx context.Context, which domain.Numbers) (int, error) {
	if err := s.changing(ctx); err != nil {
		return 0, err
	}
	before := len(s.records)
	s.records = slices.DeleteFunc(slices.Clone(s.records), func(r ports.AuditEntry) bool {
		return which.Has(r.Number) && !s.unsealed[r.Number]
	})
	return before - len(s.records), nil
}

// auditSeals implements ports.AuditSeals.
type auditSeals struct{ *unit }

func (s auditSeals) Last(ctx context.Context) (domain.Seal, error) {
	if len(s.seals) == 0 {
		return domain.Seal{}, s.reading(ctx)
	}
	return s.seals[len(s.seals)-1], s.reading(ctx)
}

func (s auditSeals) Add(ctx context.Context, seal domain.Seal) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	at, there := slices.BinarySearchFunc(s.seals, seal.Number, func(have domain.Seal, n int64) int { return int(have.Number - n) })
	if there {
		return domain.Errorf(domain.Conflict, "this audit seal is there already")
	}
	seal.Records, seal.Leaves, seal.Signature = slices.Clone(seal.Records), bytes.Clone(seal.Leaves), bytes.Clone(seal.Signature)
	s.seals = slices.Insert(slices.Clone(s.seals), at, seal)
	for n := range seal.Records.All() {
		delete(s.unsealed, n)
	}
	return nil
}

func (s auditSeals) After(ctx context.Context, number int64, limit int) (found []domain.Seal, err error) {
	for _, have := range s.seals {
		if have.Number > number && len(found) < limit {
			found = append(found, have)
		}
	}
	return found, s.reading(ctx)
}

func (s auditSeals) Hashes(ctx context.Context, numbers []int64) (map[int64]string, error) {
	hashes := map[int64]string{}
	for _, have := range s.seals {
		if slices.Contains(numbers, have.Number) {
			hashes[have.Number] = have.Hash
		}
	}
	return hashes, s.reading(ctx)
}

// auditArchives implements ports.AuditArchives.
type auditArchives struct{ *unit }

func (s auditArchives) Add(ctx context.Context, a domain.AuditArchive) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	at, there := slices.BinarySearchFunc(s.archives, a.First, func(have domain.AuditArchive, n int64) int { return int(have.First - n) })
	if there {
		return domain.Errorf(domain.Conflict, "an archive of these audit records is there already")
	}
	s.archives = slices.Insert(slices.Clone(s.archives), at, a)
	return nil
}

func (s auditArchives) List(ctx context.Context) ([]domain.AuditArchive, error) {
	return slices.Clone(s.archives), s.reading(ctx)
}

// Signer is a key in memory. It implements ports.Signer.
type Signer ed25519.PrivateKey

// NewSigner returns a new key.
func NewSigner() Signer {
	_, key, _ := ed25519.GenerateKey(nil) // fails only when the reader that it is given does
	return Signer(key)
}

// PublicKey implements ports.Signer.
func (s Signer) PublicKey() ed25519.PublicKey {
	return ed25519.PrivateKey(s).Public().(ed25519.PublicKey)
}

// Sign implements ports.Signer.
func (s Signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(s), message), ctx.Err()
}
