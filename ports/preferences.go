package ports

import (
	"context"

	"cms.gov/ab2d/domain"
)

// Preferences holds what beneficiaries said about sharing their claims. It
// identifies people, so nothing of it is logged.
type Preferences interface {
	// Record adds the preferences. One that is there already, the same in every
	// field, is not added again.
	Record(ctx context.Context, stated []domain.Preference) error

	// Of returns all preferences stated under any of the MBIs, in no order. MBIs
	// that nothing was stated under are not in it.
	Of(ctx context.Context, mbis []domain.MBI) (map[domain.MBI][]domain.Preference, error)
}
