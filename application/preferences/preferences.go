// Package preferences takes in what beneficiaries said about sharing their
// claims with the sponsors of their plans.
package preferences

import (
	"context"
	"fmt"
	"iter"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase records preferences.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// batch is how many preferences are handed to the store at once.
const batch = 1000

// Import records all preferences of a file and returns how many there were.
// They come as one fact: after an error, also one of the sequence, none of them
// is kept. Importing a file again changes nothing that matters, since the same
// statement counts the same. The sequence may be gone through more than once.
//
// A refusal takes effect at once: it leaves the person out of every partition
// that is not being written yet. What a finished partition holds stays as it is,
// since a finished file never changes; see docs/divergences.md.
func (u *UseCase) Import(ctx context.Context, actor domain.Actor, file string, stated iter.Seq2[domain.Preference, error]) (n int, err error) {
	now := u.Clock.Now()
	err = u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		n = 0
		refusals := 0
		waiting := make([]domain.Preference, 0, batch)
		for p, err := range stated {
			if err != nil {
				return err
			}
			p.Recorded, p.Source = now, file
			if n++; !p.Shares {
				refusals++
			}
			if waiting = append(waiting, p); len(waiting) == batch {
				if err := tx.Preferences.Record(ctx, waiting); err != nil {
					return err
				}
				waiting = waiting[:0]
			}
		}
		if err := tx.Preferences.Record(ctx, waiting); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: now, Actor: actor, Action: "preferences.import", Target: file, Outcome: "done",
			Detail: map[string]string{"preferences": fmt.Sprint(n), "refusals": fmt.Sprint(refusals)}})
	})
	return n, err
}
