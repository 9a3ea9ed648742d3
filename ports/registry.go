package ports

import (
	"context"
	"net/netip"
	"time"

	"cms.gov/ab2d/domain"
)

// Sponsors holds the sponsors.
type Sponsors interface {
	// Put adds or replaces the sponsor.
	Put(ctx context.Context, s domain.Sponsor) error
	// Get returns the sponsor, or not_found.
	Get(ctx context.Context, id domain.SponsorID) (domain.Sponsor, error)
	// Update loads the sponsor so that no other unit of work can change it before
	// this one ends, lets change have it, and keeps the result unless change
	// returns an error, which is passed on. It returns not_found for no sponsor.
	Update(ctx context.Context, id domain.SponsorID, change func(*domain.Sponsor) error) error
	// List returns all sponsors by id.
	List(ctx context.Context) ([]domain.Sponsor, error)
}

// Contracts holds the contracts.
type Contracts interface {
	// Put adds or replaces the contract. Its sponsor must exist.
	Put(ctx context.Context, c domain.Contract) error
	// Get returns the contract, or not_found.
	Get(ctx context.Context, n domain.ContractNumber) (domain.Contract, error)
	// Update does with a contract what Sponsors.Update does with a sponsor.
	Update(ctx context.Context, n domain.ContractNumber, change func(*domain.Contract) error) error
	// List returns all contracts by number.
	List(ctx context.Context) ([]domain.Contract, error)
}

// Clients holds the sponsors' API clients. It never holds a secret, only hashes.
type Clients interface {
	// Put adds or replaces the client. Its sponsor and contracts must exist.
	Put(ctx context.Context, c domain.Client) error
	// Get returns the client, or not_found.
	Get(ctx context.Context, id domain.ClientID) (domain.Client, error)
	// Update loads the client so that no other unit of work can change it before
	// this one ends, lets change have it, and keeps the result unless change
	// returns an error, which is passed on. It returns not_found for no client.
	Update(ctx context.Context, id domain.ClientID, change func(*domain.Client) error) error
	// List returns all clients by id.
	List(ctx context.Context) ([]domain.Client, error)
}

// ClientActivity holds when clients were let in and when not. It is beside the
// clients themselves, since it changes with every token. Whoever writes to it
// has seen that the client exists.
type ClientActivity interface {
	// Of returns what is known of the clients. Those of which nothing is known
	// are not in it.
	Of(ctx context.Context, ids []domain.ClientID) (map[domain.ClientID]domain.ClientActivity, error)
	// Used tells that the client was let in, from an address. Failures count
	// anew from then on.
	Used(ctx context.Context, id domain.ClientID, at time.Time, from netip.Addr) error
	// Failed tells that somebody who said to be the client was not let in.
	Failed(ctx context.Context, id domain.ClientID, at time.Time) error
}

// Attestations holds the attestation history of contracts. Nothing in it is
// ever changed or taken away.
type Attestations interface {
	// Append adds an event. One whose id is there already is a conflict.
	Append(ctx context.Context, e domain.AttestationEvent) error
	// Of returns a contract's events in the order they were recorded.
	Of(ctx context.Context, n domain.ContractNumber) ([]domain.AttestationEvent, error)
	// All returns the events of all contracts that have any, each as Of does.
	All(ctx context.Context) (map[domain.ContractNumber][]domain.AttestationEvent, error)
}

// Audit keeps the record of what was done. It joins the transaction it tells of.
type Audit interface {
	Record(ctx context.Context, r domain.AuditRecord) error
}

// AuditLog reads the record.
type AuditLog interface {
	// Find returns records of an action on a target, the latest first, at most
	// limit of them. An empty action or target does not narrow.
	Find(ctx context.Context, action, target string, limit int) ([]domain.AuditRecord, error)

	// Search returns the records that match, the one kept last first.
	Search(ctx context.Context, q AuditQuery) ([]AuditEntry, error)
}
