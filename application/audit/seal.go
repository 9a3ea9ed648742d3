// Package audit makes it impossible to change the audit trail unseen. Records
// wait to be sealed from the moment they are kept. A sealer takes them in
// batches, chains each batch to the one before, signs it, and puts the head of the
// chain outside the database. Whoever verifies needs the public keys alone.
package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sort"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Sealer seals what waits. Any number of them may work at once.
type Sealer struct {
	Store  ports.UnitOfWork
	Files  ports.Files
	Clock  ports.Clock
	Signer ports.Signer
	Log    *slog.Logger

	exported int64 `wire:"-"` // the head up to which all are known to be outside
}

// batch is how many records a seal vouches for at most.
const batch = 1000

// Seal seals all that waits and exports the heads that are not outside yet,
// those of a process that died before it could among them. One goroutine at a
// time calls it.
func (s *Sealer) Seal(ctx context.Context) error {
	for {
		sealed, err := s.sealBatch(ctx)
		if err != nil {
			return err
		}
		if sealed < batch {
			return s.export(ctx)
		}
	}
}

// sealBatch makes one seal of what waits, and none where nothing does. The seal is
// signed before the unit of work that keeps it, since signing may be remote.
// Another sealer that was faster makes it start again.
func (s *Sealer) sealBatch(ctx context.Context) (sealed int, err error) {
	for {
		var last domain.Seal
		var waiting []int64
		var entries []ports.AuditEntry
		err := s.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
			if waiting, err = tx.AuditTrail.Unsealed(ctx, 0, batch); err != nil || len(waiting) == 0 {
				return err
			}
			if last, err = tx.Seals.Last(ctx); err != nil {
				return err
			}
			entries, err = tx.AuditTrail.Records(ctx, domain.NumbersOf(waiting))
			return err
		})
		if err != nil || len(waiting) == 0 {
			return 0, err
		}
		seal := domain.NewSeal(last, s.Clock.Now(), domain.NumbersOf(waiting), s.leaves(ctx, waiting, entries), domain.SealKeyID(s.Signer.PublicKey()))
		if seal.Signature, err = s.Signer.Sign(ctx, seal.Signed()); err != nil {
			return 0, fmt.Errorf("sign an audit seal: %w", err)
		}
		err = s.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			if _, err := tx.AuditTrail.Unsealed(ctx, 0, 1); err != nil { // waits for other sealers
				return err
			}
			now, err := tx.Seals.Last(ctx)
			if err == nil && now.Hash != last.Hash {
				err = domain.Errorf(domain.Conflict, "another sealer was faster")
			}
			if err != nil {
				return err
			}
			return tx.Seals.Add(ctx, seal)
		})
		if domain.CodeOf(err) != domain.Conflict {
			return len(waiting), err
		}
	}
}

// leaves returns the hashes of the records that wait, one after another. One that
// is gone although it waits was taken away: the seal says so for ever.
func (s *Sealer) leaves(ctx context.Context, waiting []int64, entries []ports.AuditEntry) (leaves []byte) {
	for _, n := range waiting {
		if len(entries) > 0 && entries[0].Number == n {
			leaves = append(leaves, domain.Leaf(entries[0].Canonical(n))...)
			entries = entries[1:]
			continue
		}
		s.Log.ErrorContext(ctx, "an audit record was removed before it was sealed", "record", n)
		leaves = append(leaves, domain.NoLeaf...)
	}
	return leaves
}

// export writes the heads that are not outside the database yet, in order: where
// one is, so are all before it.
func (s *Sealer) export(ctx context.Context) error {
	var last domain.Seal
	err := s.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		last, err = tx.Seals.Last(ctx)
		return err
	})
	if err != nil || last.Number <= s.exported {
		return err
	}
	// The first that is missing lies between what this process knows and the last.
	var failed error
	missing := sort.Search(int(last.Number-s.exported), func(i int) bool {
		there, err := s.outside(ctx, s.exported+int64(i)+1)
		if err != nil {
			failed = err
		}
		return !there
	})
	if failed != nil {
		return failed
	}
	s.exported += int64(missing)
	for s.exported < last.Number {
		seals, err := s.after(ctx, s.exported)
		if err != nil {
			return err
		}
		for _, seal := range seals {
			if err := s.write(ctx, seal); err != nil {
				return fmt.Errorf("export the head of audit seal %d: %w", seal.Number, err)
			}
			s.Log.InfoContext(ctx, "the audit trail is sealed", "seal", seal.Number, "records", seal.Records.Count(),
				"hash", seal.Hash, "at", seal.At, "key", seal.Key, "signature", fmt.Sprintf("%x", seal.Signature))
			s.exported = seal.Number
		}
		if len(seals) == 0 {
			return fmt.Errorf("audit seal %d is missing in the database", s.exported+1)
		}
	}
	return nil
}

// page is how many seals are held in memory at once.
const page = 20

func (s *Sealer) after(ctx context.Context, number int64) (seals []domain.Seal, err error) {
	err = s.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		seals, err = tx.Seals.After(ctx, number, page)
		return err
	})
	return seals, err
}

func (s *Sealer) outside(ctx context.Context, number int64) (bool, error) {
	var hash string
	err := s.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		hashes, err := tx.Seals.Hashes(ctx, []int64{number})
		hash = hashes[number]
		return err
	})
	if err != nil {
		return false, err
	}
	if hash == "" {
		return false, fmt.Errorf("audit seal %d is missing in the database", number)
	}
	f, err := s.Files.Open(ctx, headKey(number, hash))
	if domain.CodeOf(err) == domain.NotFound {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, f.Close()
}

// write puts a head where it belongs. Its key and its bytes follow from the seal,
// so whoever else writes it writes the same.
func (s *Sealer) write(ctx context.Context, seal domain.Seal) error {
	w, err := s.Files.Create(ctx, headKey(seal.Number, seal.Hash))
	if err != nil {
		return err
	}
	defer w.Abort() //nolint:errcheck // does nothing after Commit
	if _, err := w.Write(append(seal.Head(), '\n')); err != nil {
		return err
	}
	if err := w.Commit(); err != nil && domain.CodeOf(err) != domain.Conflict {
		return err
	}
	return nil
}
