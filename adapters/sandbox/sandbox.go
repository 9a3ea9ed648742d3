// Package sandbox fills a new installation with the six sponsors of the 2019
// developer guide: their contracts, attestations, API clients and enrollees.
package sandbox

import (
	"context"
	"iter"
	"time"

	"cms.gov/ab2d/adapters/sandboxauth"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// recorded is when the sandbox's enrollment and attestations count as known: on
// the day the sponsors attested. Any _since a user tries is later, so it is the
// claims that differ between two exports, not what is known of the people.
var recorded = time.Date(2019, time.November, 1, 0, 0, 0, 0, time.UTC)

// Seeder fills the stores.
type Seeder struct {
	Store      ports.UnitOfWork
	Coverage   ports.Coverage
	Population *synthetic.Population
	Clock      ports.Clock
}

// Seed puts everything there that is not there yet. Doing it again changes
// nothing, and what staff changed about an attestation stays.
func (s *Seeder) Seed(ctx context.Context) error {
	if err := s.Parties(ctx); err != nil {
		return err
	}
	for _, row := range sandboxauth.Guide {
		if err := s.enroll(ctx, row.Contract); err != nil {
			return err
		}
	}
	return nil
}

// Parties is Seed without the enrollees, who come from elsewhere then.
func (s *Seeder) Parties(ctx context.Context) error {
	for _, row := range sandboxauth.Guide {
		if err := s.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error { return s.sponsor(ctx, tx, row) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Seeder) sponsor(ctx context.Context, tx ports.Tx, row sandboxauth.GuideSponsor) error {
	if _, err := tx.Clients.Get(ctx, row.Client); domain.CodeOf(err) != domain.NotFound {
		return err
	}
	sponsor := domain.SponsorID(row.Name)
	if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: sponsor, Name: row.Name, Parent: "PDP-SBX"}); err != nil {
		return err
	}
	if err := tx.Contracts.Put(ctx, domain.Contract{Number: row.Contract, Name: row.Name + " Part D plan", Sponsor: sponsor}); err != nil {
		return err
	}
	if err := tx.Clients.Put(ctx, domain.Client{ID: row.Client, Sponsor: sponsor, Name: row.Name, Enabled: true,
		Contracts: []domain.ContractNumber{row.Contract}, CreatedAt: s.Clock.Now()}); err != nil {
		return err
	}
	return tx.Attestations.Append(ctx, domain.AttestationEvent{
		ID: "sandbox-" + string(row.Contract), Contract: row.Contract, Kind: domain.Attest, Effective: domain.DateOf(recorded),
		Recorded: recorded, Source: "hpms", Actor: domain.System("sandbox"), Reason: "The sandbox's sponsors attested on the day it opened."})
}

func (s *Seeder) enroll(ctx context.Context, n domain.ContractNumber) error {
	if v, err := s.Coverage.VersionAt(ctx, n, recorded); err != nil || v != 0 {
		return err
	}
	_, err := s.Coverage.Load(ctx, n, ports.At(recorded), s.enrollees(n))
	return err
}

func (s *Seeder) enrollees(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
	return func(yield func(domain.Enrollee, error) bool) {
		for e := range s.Population.Enrollees(n) {
			if !yield(domain.Enrollee{Patient: e.Patient, Months: e.Months, IDs: e.Identifiers}, nil) {
				return
			}
		}
	}
}
