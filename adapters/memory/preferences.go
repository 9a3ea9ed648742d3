package memory

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
)

// preferences implements ports.Preferences.
type preferences struct{ *unit }

func (p preferences) Record(ctx context.Context, stated []domain.Preference) error {
	if err := p.changing(ctx); err != nil {
		return err
	}
	for _, s := range stated {
		if !slices.Contains(p.stated, s) {
			p.stated = append(p.stated, s)
		}
	}
	return nil
}

func (p preferences) Of(ctx context.Context, mbis []domain.MBI) (map[domain.MBI][]domain.Preference, error) {
	if err := p.reading(ctx); err != nil {
		return nil, err
	}
	found := map[domain.MBI][]domain.Preference{}
	for _, s := range p.stated {
		if slices.Contains(mbis, s.MBI) {
			found[s.MBI] = append(found[s.MBI], s)
		}
	}
	return found, nil
}
