package sandbox_test

import (
	"context"
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/adapters/sandbox"
	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// The six sponsors of the guide are there with everything an export needs, and
// seeding again changes nothing, not even what staff changed meanwhile.
func TestSeedingIsCompleteAndIdempotent(t *testing.T) {
	store := memory.NewStore()
	seeder := &sandbox.Seeder{Store: store, Coverage: store, Population: synthetic.New(synthetic.DefaultSeed), Clock: memory.NewClock(site.Start)}
	seed := func() {
		t.Helper()
		if err := seeder.Seed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seed()
	versions := map[domain.ContractNumber]domain.EnrollmentVersion{}
	for _, row := range sandboxauth.Guide {
		version, err := store.VersionAt(t.Context(), row.Contract, site.Start)
		if err != nil || version == 0 {
			t.Fatalf("%s has no enrollment: %v", row.Contract, err)
		}
		versions[row.Contract] = version
		members := 0
		for _, err := range store.Members(t.Context(), row.Contract, version, domain.KeyRange{}) {
			if err != nil {
				t.Fatal(err)
			}
			members++
		}
		if members != row.Members {
			t.Errorf("%s has %d enrollees, the guide says %d", row.Contract, members, row.Members)
		}
	}
	disabled := sandboxauth.Guide[2].Client
	if err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		c, err := tx.Clients.Get(ctx, disabled)
		if err != nil {
			return err
		}
		c.Enabled = false
		return tx.Clients.Put(ctx, c)
	}); err != nil {
		t.Fatal(err)
	}
	seed()
	if err := store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		for _, row := range sandboxauth.Guide {
			c, err := tx.Clients.Get(ctx, row.Client)
			if err != nil {
				return err
			}
			if !c.Holds([]domain.ContractNumber{row.Contract}) || c.Enabled != (row.Client != disabled) {
				t.Errorf("client of %s after seeding again: %+v", row.Name, c)
			}
			events, err := tx.Attestations.Of(ctx, row.Contract)
			if err != nil {
				return err
			}
			if s := domain.StandingOn(events, domain.Today(site.Start)); !s.Active || s.DataStart != synthetic.AttestationDate || len(events) != 1 {
				t.Errorf("%s stands %+v after %d events", row.Contract, s, len(events))
			}
			if version, err := store.VersionAt(ctx, row.Contract, site.Start); err != nil || version != versions[row.Contract] {
				t.Errorf("%s has a new enrollment version %d: %v", row.Contract, version, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
