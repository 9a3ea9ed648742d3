package entstore_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

func people(n int) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		m := domain.MonthSet("").With(domain.NewMonth(2019, 1), domain.NewMonth(2024, 6))
		for i := range n {
			if !yield(domain.Enrollee{Patient: domain.PatientID(fmt.Sprintf("-%014d", i)), Months: m,
				IDs: domain.Identifiers{Current: "1EG4TE5MK73", Historic: []domain.MBI{"1EG4TE5MK72"}}}, nil) {
				return
			}
		}
	}
}

func smoke(t *testing.T, url string) {
	ctx := context.Background()
	s, err := entstore.Open(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Log(s.Check(ctx))
	start := time.Now()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	t.Log("migrate", time.Since(start), s.Check(ctx))
	st, _ := s.Status(ctx)
	t.Log(st)
	start = time.Now()
	v, err := s.Load(ctx, "S0030", time.Now(), people(30000))
	t.Log("load", v, err, time.Since(start))
	start = time.Now()
	v, err = s.Load(ctx, "S0030", time.Now(), people(30000))
	t.Log("reload", v, err, time.Since(start))
	start = time.Now()
	n := 0
	for _, err := range s.Members(ctx, "S0030", v, domain.KeyRange{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	t.Log("members", n, time.Since(start))
	err = s.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "x"})
	})
	t.Log(err)
	err = s.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "x"})
	})
	t.Log(err)
}

func TestSmoke(t *testing.T) { smoke(t, "sqlite:"+filepath.Join(t.TempDir(), "a b#.db")) }
func TestSmokePG(t *testing.T) {
	s, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Create(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	smoke(t, u)
}
