package ports

import "context"

// UnitOfWork makes several changes one fact.
type UnitOfWork interface {
	// Do runs fn in one transaction: when fn returns nil everything it did
	// through tx is kept, else nothing of it is, queue entries included. fn may
	// run more than once, so it does nothing remote and nothing that cannot be
	// undone. The tx is dead when fn returns, and fn uses nothing but tx to
	// reach the store: with the embedded database anything else would wait for
	// fn itself.
	Do(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// View runs fn on one consistent state of the store, for reading only. A
	// change made through tx fails.
	View(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Tx is what one unit of work can reach.
type Tx struct {
	Jobs         Jobs
	JobList      JobList
	Keys         IdempotencyKeys
	Partitions   Partitions
	Leases       Leases
	Files        OutputFiles
	Downloads    Downloads
	Polls        Polls
	Sponsors     Sponsors
	Contracts    Contracts
	Clients      Clients
	Activity     ClientActivity
	Attestations Attestations
	Preferences  Preferences
	Holds        Holds
	Errands      Errands
	Intakes      Intakes
	Gathering    Gathering
	Audit        Audit
	AuditTrail   AuditTrail
	Seals        AuditSeals
	Archives     AuditArchives
	Queue        Queue
	Sessions     Sessions
	Switches     Switches
	JobFigures   JobFigures
	Approvals    Approvals
	Onboardings  Onboardings
	OneTimeLinks OneTimeLinks

	Processes     Processes
	SourceFigures SourceFigures
	ErrandBook    ErrandBook
}
