// Package contracts tells a client which contracts it may export.
package contracts

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase shows contracts.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
}

// Held is a contract that a client is registered for, as it stands today.
type Held struct {
	domain.Contract
	domain.Standing
}

// List returns all contracts that the client is registered for, by number.
func (u *UseCase) List(ctx context.Context, client domain.Client) ([]Held, error) {
	return u.look(ctx, slices.Sorted(slices.Values(client.Contracts)))
}

// Get returns one of them. It fails with forbidden for a contract that is
// unknown or not the client's, in the same words for both.
func (u *UseCase) Get(ctx context.Context, client domain.Client, n domain.ContractNumber) (Held, error) {
	if !client.Holds([]domain.ContractNumber{n}) {
		return Held{}, domain.NotHeld(n)
	}
	held, err := u.look(ctx, []domain.ContractNumber{n})
	if err != nil {
		return Held{}, err
	}
	return held[0], nil
}

func (u *UseCase) look(ctx context.Context, numbers []domain.ContractNumber) ([]Held, error) {
	today := domain.Today(u.Clock.Now())
	var held []Held
	err := u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		held = make([]Held, 0, len(numbers))
		for _, n := range numbers {
			c, err := tx.Contracts.Get(ctx, n)
			if err != nil {
				return err
			}
			events, err := tx.Attestations.Of(ctx, n)
			if err != nil {
				return err
			}
			held = append(held, Held{c, domain.StandingOn(events, today)})
		}
		return nil
	})
	return held, err
}
