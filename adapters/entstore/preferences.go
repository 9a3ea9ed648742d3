package entstore

import (
	"context"
	"fmt"
	"slices"

	entsql "entgo.io/ent/dialect/sql"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ent/preference"
)

// preferences implements ports.Preferences.
type preferences struct{ unit }

// preferenceChunk keeps a statement below the number of parameters that a
// database takes.
const preferenceChunk = 500

func (s preferences) Record(ctx context.Context, stated []domain.Preference) error {
	for some := range slices.Chunk(stated, preferenceChunk) {
		rows := make([]*ent.PreferenceCreate, len(some))
		for i, p := range some {
			rows[i] = s.Preference.Create().SetMbi(string(p.MBI)).SetShares(p.Shares).SetEffective(p.Effective).
				SetRecorded(kept(p.Recorded)).SetSource(p.Source)
		}
		if err := s.Preference.CreateBulk(rows...).OnConflict(entsql.DoNothing()).Exec(ctx); err != nil {
			return fmt.Errorf("record %d preferences: %w", len(some), err)
		}
	}
	return nil
}

func (s preferences) Of(ctx context.Context, mbis []domain.MBI) (map[domain.MBI][]domain.Preference, error) {
	found := map[domain.MBI][]domain.Preference{}
	for some := range slices.Chunk(mbis, preferenceChunk) {
		wanted := make([]string, len(some))
		for i, m := range some {
			wanted[i] = string(m)
		}
		rows, err := s.Preference.Query().Where(preference.MbiIn(wanted...)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read preferences: %w", err)
		}
		for _, r := range rows {
			p := preferenceFromRow(r)
			found[p.MBI] = append(found[p.MBI], p)
		}
	}
	return found, nil
}
