package porttest

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Preferences runs the conformance suite of ports.Preferences.
func Preferences(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"what was stated under an MBI is found":         preferencesFound,
		"the same statement is kept once":               preferencesOnce,
		"many at once":                                  preferencesMany,
		"a unit of work that fails leaves no statement": preferencesRollback,
	})
}

func preference(mbi domain.MBI, shares bool, day int) domain.Preference {
	return domain.Preference{MBI: mbi, Shares: shares, Effective: domain.Date(2026_01_01).AddDays(day), Recorded: instantAt(day), Source: "file"}
}

func (s storeTest) statedUnder(mbis ...domain.MBI) (found map[domain.MBI][]domain.Preference) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) (err error) {
		found, err = tx.Preferences.Of(ctx, mbis)
		return err
	})
	return found
}

func preferencesFound(s storeTest) {
	all := []domain.Preference{preference("1S00E00AA01", false, 1), preference("1S00E00AA02", true, 2), preference("1S00E00AA03", false, 3)}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Preferences.Record(ctx, all) })
	got := s.statedUnder("1S00E00AA01", "1S00E00AA03", "1S00E00AA09")
	want := map[domain.MBI][]domain.Preference{"1S00E00AA01": all[:1], "1S00E00AA03": all[2:]}
	if !reflect.DeepEqual(got, want) {
		s.Errorf("found other preferences than were stated: %d under %d MBIs", len(got["1S00E00AA01"])+len(got["1S00E00AA03"]), len(got))
	}
	if got := s.statedUnder(); len(got) > 0 {
		s.Errorf("%d found under no MBI at all", len(got))
	}
}

func preferencesOnce(s storeTest) {
	p := preference("1S00E00AA01", false, 1)
	later := p
	later.Recorded = instantAt(2)
	for range 2 {
		s.do(func(ctx context.Context, tx ports.Tx) error {
			return tx.Preferences.Record(ctx, []domain.Preference{p, later})
		})
	}
	if got := s.statedUnder(p.MBI)[p.MBI]; len(got) != 2 {
		s.Errorf("%d statements, want 2", len(got))
	}
}

func preferencesMany(s storeTest) {
	const many = 2500
	all, mbis := make([]domain.Preference, many), make([]domain.MBI, many)
	for i := range all {
		all[i] = preference(domain.MBI(fmt.Sprintf("1S00E00A%04d", i)), i%2 == 0, 1)
		mbis[i] = all[i].MBI
	}
	s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Preferences.Record(ctx, all) })
	if got := s.statedUnder(mbis...); len(got) != many {
		s.Errorf("%d found, want %d", len(got), many)
	}
}

func preferencesRollback(s storeTest) {
	p := preference("1S00E00AA01", false, 1)
	err := s.store.Do(s.Context(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Preferences.Record(ctx, []domain.Preference{p}); err != nil {
			return err
		}
		return errUndo
	})
	if err == nil {
		s.Fatal("the unit of work did not fail")
	}
	if got := s.statedUnder(p.MBI); len(got) > 0 {
		s.Error("the statement is there all the same")
	}
}
