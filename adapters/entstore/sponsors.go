package entstore

import (
	"context"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent/sponsor"
)

// sponsors implements ports.Sponsors.
type sponsors struct{ unit }

func (s sponsors) Put(ctx context.Context, p domain.Sponsor) error {
	return s.Sponsor.Create().SetID(string(p.ID)).SetName(p.Name).SetParent(p.Parent).
		SetUpdates(p.Updates).SetInactive(p.Inactive).SetMergedInto(string(p.Merged)).
		OnConflictColumns(sponsor.FieldID).UpdateNewValues().Exec(ctx)
}

func (s sponsors) Get(ctx context.Context, id domain.SponsorID) (domain.Sponsor, error) {
	row, err := s.Sponsor.Get(ctx, string(id))
	if err != nil {
		return domain.Sponsor{}, missing(err, "there is no sponsor %s", id)
	}
	return sponsorFromRow(row), nil
}

func (s sponsors) Update(ctx context.Context, id domain.SponsorID, change func(*domain.Sponsor) error) error {
	query := s.Sponsor.Query().Where(sponsor.ID(string(id)))
	if s.locks() {
		query.ForUpdate()
	}
	row, err := query.Only(ctx)
	if err != nil {
		return missing(err, "there is no sponsor %s", id)
	}
	p := sponsorFromRow(row)
	if err := change(&p); err != nil {
		return err
	}
	p.ID = id
	return s.Put(ctx, p)
}

func (s sponsors) List(ctx context.Context) ([]domain.Sponsor, error) {
	rows, err := s.Sponsor.Query().All(ctx)
	return sortedBy(all(rows, sponsorFromRow), func(p domain.Sponsor) domain.SponsorID { return p.ID }), err
}
