package ports

import (
	"context"
	"crypto/ed25519"

	"cms.gov/ab2d/domain"
)

// AuditEntry is a record of the audit trail with its number, which grows from
// one record to the next.
type AuditEntry struct {
	Number int64
	domain.AuditRecord
}

// AuditTrail is the records of the audit trail by their numbers. Whatever
// Audit.Record keeps waits to be sealed from the same moment on.
type AuditTrail interface {
	// Unsealed returns the numbers of records that wait to be sealed, from the
	// first after the one given, ascending, at most limit of them. Until this unit
	// of work ends any other that may write and asks waits, so that one seals at a time.
	Unsealed(ctx context.Context, after int64, limit int) ([]int64, error)

	// Numbers returns the numbers of records that are there, from the first after
	// the one given, ascending, at most limit of them.
	Numbers(ctx context.Context, after int64, limit int) ([]int64, error)

	// Records returns those of the records that are there, by number.
	Records(ctx context.Context, which domain.Numbers) ([]AuditEntry, error)

	// Remove takes records away for good and returns how many there were. It
	// leaves those alone that wait to be sealed. A database that lets
	// the caller only add to the trail refuses it with forbidden.
	Remove(ctx context.Context, which domain.Numbers) (int, error)
}

// AuditSeals holds the seals of the audit trail. Nothing in it is ever changed
// or taken away.
type AuditSeals interface {
	// Last returns the seal with the highest number, or the zero seal.
	Last(ctx context.Context) (domain.Seal, error)

	// Add keeps a seal; its records no longer wait. It returns a conflict when
	// there is a seal of its number.
	Add(ctx context.Context, s domain.Seal) error

	// After returns the seals after a number in order, at most limit of them.
	After(ctx context.Context, number int64, limit int) ([]domain.Seal, error)

	// Hashes returns the hashes of those of the seals that are there.
	Hashes(ctx context.Context, numbers []int64) (map[int64]string, error)
}

// AuditArchives holds which files have the records of which seals.
type AuditArchives interface {
	// Add keeps one. It returns a conflict when there is one from the same seal on.
	Add(ctx context.Context, a domain.AuditArchive) error
	// List returns all by their first seals.
	List(ctx context.Context) ([]domain.AuditArchive, error)
}

// Signer signs the seals of the audit trail. The key itself never leaves it.
type Signer interface {
	// PublicKey returns the key that signatures verify with. It stays the same.
	PublicKey() ed25519.PublicKey
	// Sign returns the Ed25519 signature of a message.
	Sign(ctx context.Context, message []byte) ([]byte, error)
}
