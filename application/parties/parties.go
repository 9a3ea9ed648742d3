// Package parties follows sponsors that turned out to be others.
package parties

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Owner returns the sponsor that an id stands for: the one it was merged into,
// if it was. It fails with not_found for none.
func Owner(ctx context.Context, tx ports.Tx, id domain.SponsorID) (domain.Sponsor, error) {
	s, err := tx.Sponsors.Get(ctx, id)
	for err == nil && s.Merged != "" { // never in a circle: who was merged is merged no more, and nothing is merged into it
		s, err = tx.Sponsors.Get(ctx, s.Merged)
	}
	return s, err
}
