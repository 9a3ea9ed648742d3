package ports

import (
	"context"
	"time"

	"cms.gov/ab2d/domain"
)

// Sessions holds the sessions of the people who use the console.
type Sessions interface {
	// Put adds or replaces the session.
	Put(ctx context.Context, s domain.Session) error

	// Get returns the session, or not_found. Whether its time is over is not its
	// business.
	Get(ctx context.Context, id string) (domain.Session, error)

	// Remove removes all sessions that match in every field given, and returns
	// how many. A match without any field matches none.
	Remove(ctx context.Context, m SessionMatch) (int, error)

	// List returns the sessions that people are signed in with and that end after
	// the time, those seen last first.
	List(ctx context.Context, endAfter time.Time) ([]domain.Session, error)
}

// SessionMatch says which sessions are meant. A zero field does not narrow.
type SessionMatch struct {
	ID          string
	Staff       string // the person's id
	Provider    string // the identity provider's name for its own session
	EndedBefore time.Time
}

// Switches holds the settings that staff change while everything runs.
type Switches interface {
	// Put sets a switch.
	Put(ctx context.Context, s domain.Switch) error
	// Get returns a switch: one with its name alone when nobody ever set it.
	Get(ctx context.Context, name string) (domain.Switch, error)
}

// JobFigures counts over jobs for those who oversee them.
type JobFigures interface {
	// Of returns the figures of jobs. A job that is not there is not in them.
	Of(ctx context.Context, ids []domain.JobID) (map[domain.JobID]domain.JobFigures, error)

	// Ended returns the jobs that ended at or after from and before to, in the
	// order in which they did.
	Ended(ctx context.Context, from, to time.Time) ([]domain.EndedJob, error)

	// LastExports returns when the latest complete export of each contract ended,
	// whether or not its files can still be fetched. Contracts without one are
	// not in it.
	LastExports(ctx context.Context) (map[domain.ContractNumber]time.Time, error)
}

// AuditQuery narrows a look at the audit trail. A zero field does not narrow.
type AuditQuery struct {
	Actor   string // the id of who did it
	Action  string // exactly, or what it begins with where it ends in a dot, as "export."
	Target  string // on what, and on what belongs to it: a job's id finds its files too
	Outcome string // exactly; "refused" for all but "done" and "repeated"
	From    time.Time
	To      time.Time // records of this time are not in it
	Before  int64     // only records kept before the one of this number
	Limit   int       // 0 is 100
}
