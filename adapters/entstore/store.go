package entstore

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"modernc.org/sqlite"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ent"
	"cms.gov/ab2d/ports"
)

// QueueFactory gives the queue that joins a transaction: what it schedules is
// there when the transaction commits and never was when it does not.
type QueueFactory func(*sql.Tx) ports.Queue

// Store is the database. It implements ports.UnitOfWork, ports.Coverage,
// ports.Secrets, ports.AuditLog, ports.Assertions and ports.Limits, and is safe for concurrent use.
type Store struct {
	connection
	queue  QueueFactory
	reader *ent.Client // reads outside of units of work
}

var (
	_ ports.UnitOfWork = (*Store)(nil)
	_ ports.Coverage   = (*Store)(nil)
	_ ports.Secrets    = (*Store)(nil)
	_ ports.AuditLog   = (*Store)(nil)
	_ ports.Assertions = (*Store)(nil)
	_ ports.Limits     = (*Store)(nil)
)

// Open opens the database at sqlite:PATH or postgres://..., which the caller
// closes. It does not touch the schema: see Migrate and Check. Units of work
// schedule on what queue returns; without one, scheduling is refused.
func Open(ctx context.Context, databaseURL string, queue QueueFactory, options ...Option) (*Store, error) {
	c, err := connect(ctx, databaseURL, options...)
	if err != nil {
		return nil, err
	}
	if queue == nil {
		queue = func(*sql.Tx) ports.Queue { return noQueue{} }
	}
	return &Store{connection: c, queue: queue, reader: ent.NewClient(ent.Driver(entsql.OpenDB(c.dialect, c.read)))}, nil
}

// DB returns the connections that write, for a queue that lives in the same
// database. They are the store's to close. On SQLite there is one, so whoever
// holds it must not ask for another.
func (s *Store) DB() *sql.DB { return s.write }

// Close closes the database.
func (s *Store) Close() error {
	s.release()
	return nil
}

// begin begins a transaction. A connection may have died since it was last used,
// so when it did, all that lie idle are given up and a new one is tried.
func (s *Store) begin(ctx context.Context, db *sql.DB, options *sql.TxOptions) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, options)
	if err != nil && s.dialect == dialect.Postgres && away(err) && domain.CodeOf(err) != domain.Unavailable {
		s.renew()
		tx, err = db.BeginTx(ctx, options)
	}
	return tx, err
}

// beginOn is begin for whoever needs the connection too, which is to be closed
// after the transaction.
func (s *Store) beginOn(ctx context.Context, db *sql.DB) (*sql.Conn, *sql.Tx, error) {
	for again := false; ; again = true {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err == nil {
			return conn, tx, nil
		}
		_ = conn.Close()
		if again || s.dialect != dialect.Postgres || !away(err) {
			return nil, nil, err
		}
		s.renew() // a connection that died while nobody used it
	}
}

// Do implements ports.UnitOfWork. A transaction that the database gave up in
// favour of another is tried again; when that goes on it returns unavailable,
// as it does at once when the database is away. When it goes away during the
// commit, nobody knows whether that happened.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	var options *sql.TxOptions
	if s.dialect == dialect.Postgres {
		// Each statement sees what was kept before it: whoever waited for a lock
		// reads what the one before left, whatever the server's default is.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	err := retry(ctx, func() error {
		tx, err := s.begin(ctx, s.write, options)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // does nothing after Commit
		if err := fn(ctx, s.within(tx, false)); err != nil {
			return err
		}
		return tx.Commit()
	})
	return s.told(err)
}

// View implements ports.UnitOfWork.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, tx ports.Tx) error) error {
	var options *sql.TxOptions // the readers of SQLite refuse writes by themselves
	if s.dialect == dialect.Postgres {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	err := retry(ctx, func() error {
		tx, err := s.begin(ctx, s.read, options)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // it only read
		return fn(ctx, s.within(tx, true))
	})
	if refused(err, readsOnly) {
		return err // fn tried to write
	}
	return s.told(err)
}

// unit is one transaction of the database.
type unit struct {
	*ent.Client
	tx       *sql.Tx
	dialect  string
	readOnly bool
}

// within gives the ports of one transaction.
func (s *Store) within(tx *sql.Tx, readOnly bool) ports.Tx {
	in := s.unit(tx, readOnly)
	return ports.Tx{
		Jobs:         jobs{in},
		JobList:      jobs{in},
		Keys:         keys{in},
		Partitions:   partitions{in},
		Leases:       leases{in},
		Files:        outputFiles{in},
		Downloads:    downloads{in},
		Polls:        polls{in},
		Sponsors:     sponsors{in},
		Contracts:    contracts{in},
		Clients:      clients{in},
		Activity:     activity{in},
		Attestations: attestations{in},
		Preferences:  preferences{in},
		Holds:        holds{in},
		Approvals:    approvals{in}, Onboardings: onboardings{in}, OneTimeLinks: oneTimeLinks{in},
		Errands:    errands{in},
		Intakes:    intakes{in},
		Gathering:  gathering{in},
		Audit:      audit{in},
		AuditTrail: auditTrail{in},
		Seals:      auditSeals{in},
		Archives:   auditArchives{in},
		Queue:      s.queue(tx),
		Sessions:   sessions{in},
		Switches:   switches{in},
		JobFigures: figures{in},
		Processes:  processes{in}, SourceFigures: sourceFigures{in}, ErrandBook: errandBook{in},
	}
}

func (s *Store) unit(tx *sql.Tx, readOnly bool) unit {
	driver := joined{entsql.NewDriver(s.dialect, entsql.Conn{ExecQuerier: tx})}
	return unit{Client: ent.NewClient(ent.Driver(driver)), tx: tx, dialect: s.dialect, readOnly: readOnly}
}

// joined runs ent in a transaction that is not ent's own. Where ent would begin
// one for itself it stays in the one it is in.
type joined struct{ *entsql.Driver }

func (d joined) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }

func (d joined) BeginTx(context.Context, *sql.TxOptions) (dialect.Tx, error) {
	return dialect.NopTx(d), nil
}

func (d joined) Close() error { return nil }

// locks reports whether rows have to be locked one by one: not on SQLite, where
// a unit of work is the only writer, and not by those who only read.
func (s unit) locks() bool { return s.dialect == dialect.Postgres && !s.readOnly }

// attempts is how often a unit of work is begun before its caller is told that
// the database is too busy.
const attempts = 8

func retry(ctx context.Context, once func() error) error {
	for n := 1; ; n++ {
		err := once()
		if err == nil || !passing(err) {
			return err
		}
		if n == attempts {
			return unreachable(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(1+rand.IntN(10<<min(n, 5))) * time.Millisecond):
		}
	}
}

// passing reports whether the database gave a transaction up only because of
// others at the same time.
func passing(err error) bool {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return busy(e)
	}
	return refused(err, "40001", "40P01") // serialization failure, deadlock
}

// noQueue refuses all tasks.
type noQueue struct{}

func (noQueue) Schedule(context.Context, ...ports.Task) error {
	return errors.New("this store was opened without a queue")
}
