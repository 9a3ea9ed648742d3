package entstore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"entgo.io/ent/dialect"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"cms.gov/ab2d/adapters/entstore/migrations"
)

// MigrationState tells of one step of the schema.
type MigrationState struct {
	Name      string // as 20261123221012_schema.sql, or queue/8 for the queue's tables
	Applied   bool
	AppliedAt time.Time
}

// Status lists the steps of the schema in order, those of the queue's tables
// last. It changes nothing.
func (s *Store) Status(ctx context.Context) ([]MigrationState, error) {
	out, err := s.ownStatus(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of the schema: %w", err)
	}
	queue, err := s.queueMigrations()
	if err != nil {
		return nil, err
	}
	applied, err := queue.ExistingVersions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of the queue's tables: %w", err)
	}
	for _, m := range queue.AllVersions() {
		there := slices.ContainsFunc(applied, func(a rivermigrate.Migration) bool { return a.Version == m.Version })
		out = append(out, MigrationState{Name: fmt.Sprintf("queue/%d", m.Version), Applied: there})
	}
	return out, nil
}

// Migrate brings the schema up to date. Of several processes that do so at
// once one works and the others wait for it. A step that fails leaves the steps
// before it.
func (s *Store) Migrate(ctx context.Context) error {
	release, err := s.lockSchema(ctx)
	if err != nil {
		return err
	}
	defer release()
	own, err := s.ownMigrations()
	if err != nil {
		return err
	}
	if _, err := own.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	queue, err := s.queueMigrations()
	if err != nil {
		return err
	}
	if _, err := queue.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue's tables: %w", err)
	}
	return nil
}

// Check returns an error that names the first missing step when the schema is
// not up to date. It changes nothing. Steps of a newer program do not
// disturb it: they only ever add what an older one does not look at.
func (s *Store) Check(ctx context.Context) error {
	steps, err := s.Status(ctx)
	if err != nil {
		return err
	}
	for _, m := range steps {
		if !m.Applied {
			return fmt.Errorf("the database is not up to date: %s is missing; run the migrations first", m.Name)
		}
	}
	return nil
}

// ownStatus reads goose's table by itself, since goose makes the table when it
// is asked for the state.
func (s *Store) ownStatus(ctx context.Context) ([]MigrationState, error) {
	applied, err := s.applied(ctx)
	if err != nil {
		return nil, err
	}
	files, err := migrations.For(s.dialect)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	out := make([]MigrationState, len(names))
	for i, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, err
		}
		at, there := applied[version]
		out[i] = MigrationState{Name: name, Applied: there, AppliedAt: at}
	}
	return out, nil
}

func (s *Store) applied(ctx context.Context) (map[int64]time.Time, error) {
	exists := "SELECT count(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')"
	if s.dialect == dialect.SQLite {
		exists = "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'"
	}
	var tables int
	if err := s.read.QueryRowContext(ctx, exists).Scan(&tables); err != nil || tables == 0 {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, "SELECT version_id, tstamp FROM goose_db_version WHERE is_applied")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at.UTC()
	}
	return applied, rows.Err()
}

func (s *Store) ownMigrations() (*goose.Provider, error) {
	files, err := migrations.For(s.dialect)
	if err != nil {
		return nil, err
	}
	name := goose.DialectPostgres
	if s.dialect == dialect.SQLite {
		name = goose.DialectSQLite3
	}
	return goose.NewProvider(name, s.write, files, goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
}

func (s *Store) queueMigrations() (*rivermigrate.Migrator[*sql.Tx], error) {
	var driver riverdriver.Driver[*sql.Tx] = riverdatabasesql.New(s.write)
	if s.dialect == dialect.SQLite {
		driver = riversqlite.New(s.write)
	}
	return rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
}

// schemaLock is the number of the advisory lock that migrating takes on Postgres.
const schemaLock = 0x61623264

// lockSchema keeps other processes from migrating. On SQLite each step
// is a transaction that locks the file, and the data directory has one process.
func (s *Store) lockSchema(ctx context.Context) (release func(), err error) {
	if s.dialect == dialect.SQLite {
		return func() {}, nil
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", schemaLock); err != nil {
		conn.Close()
		return nil, err
	}
	return func() {
		// Also when ctx is over; should it fail, closing the connection unlocks too.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", schemaLock)
		conn.Close()
	}, nil
}
