package entstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"github.com/pressly/goose/v3"

	"cms.gov/ab2d/adapters/entstore/migrations"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/ports"
)

// empty are databases without any table.
var empty = map[string]struct {
	dialect string
	url     func(t *testing.T) string
}{
	"SQLite":   {dialect.SQLite, emptySQLite},
	"Postgres": {dialect.Postgres, func(t *testing.T) string { return pgtest.Empty(t) }},
}

func TestMigrate(t *testing.T) {
	for name, kind := range empty {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, kind.url(t), nil)
			steps, err := s.Status(t.Context())
			if err != nil || len(steps) < 2 {
				t.Fatalf("the steps of an empty database are %v, %v", steps, err)
			}
			for _, m := range steps {
				if m.Applied {
					t.Errorf("%s is applied before anybody did", m.Name)
				}
			}
			if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), steps[0].Name) {
				t.Errorf("Check says %v, want that %s is missing", err, steps[0].Name)
			}
			for range 2 { // the second time there is nothing to do
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			steps, err = s.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range steps {
				if !m.Applied {
					t.Errorf("%s is not applied", m.Name)
				}
			}
		})
	}
}

// Looking must not change: a server in production looks without migrating.
func TestStatusChangesNothing(t *testing.T) {
	s := open(t, emptySQLite(t), nil)
	if _, err := s.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	var tables int
	if err := s.DB().QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("there are %d tables, %v", tables, err)
	}
}

func TestMigrateTogether(t *testing.T) {
	url := pgtest.Empty(t)
	var all sync.WaitGroup
	for range 4 {
		s := open(t, url, nil)
		all.Go(func() {
			if err := s.Migrate(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// The migrations lead to the schema of package ent, no more and no less.
func TestMigrationsAgreeWithTheSchema(t *testing.T) {
	for name, kind := range empty {
		t.Run(name, func(t *testing.T) {
			s := open(t, kind.url(t), nil)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := difference(t, kind.dialect, s.DB()); got != "" {
				t.Errorf("make a migration (see package migrations): to be as the schema says, the database still needs\n%s", got)
			}
			// The proof can fail.
			if _, err := s.DB().Exec("ALTER TABLE polls ADD COLUMN extra integer"); err != nil {
				t.Fatal(err)
			}
			if got := difference(t, kind.dialect, s.DB()); !strings.Contains(got, "polls") {
				t.Errorf("a column that the schema does not have is not noticed: %q", got)
			}
		})
	}
}

func difference(t *testing.T, name string, db *sql.DB) string {
	t.Helper()
	var out bytes.Buffer
	driver := &schema.WriteDriver{Driver: entsql.OpenDB(name, db), Writer: &out}
	m, err := schema.NewMigrate(driver, schema.WithDropColumn(true), schema.WithDropIndex(true))
	if err != nil {
		t.Fatal(err)
	}
	tables, err := migrations.Tables(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(t.Context(), tables...); err != nil {
		t.Fatal(err)
	}
	var statements []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "BEGIN") && !strings.HasPrefix(line, "COMMIT") && !strings.HasPrefix(line, "PRAGMA") {
			statements = append(statements, line)
		}
	}
	return strings.Join(statements, "")
}

// Processes of the version before go on while the schema is brought up to date
// under them, and what they write meanwhile the new version reads.
func TestMigrateUnderProcessesOfTheVersionBefore(t *testing.T) {
	const before = 20261123999999 // the steps of that version
	for name, kind := range empty {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, kind.url(t), nil)
			files, err := migrations.For(kind.dialect)
			if err != nil {
				t.Fatal(err)
			}
			dialects := map[string]goose.Dialect{dialect.SQLite: goose.DialectSQLite3, dialect.Postgres: goose.DialectPostgres}
			old, err := goose.NewProvider(dialects[kind.dialect], s.DB(), files, goose.WithDisableGlobalRegistry(true))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := old.UpTo(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			add := func(n int) error {
				_, err := s.DB().ExecContext(t.Context(), `INSERT INTO export_jobs (id, sponsor, client, contracts, skipped, fhir_version, request, state, created_at, plans, accounts, failure)
					VALUES ($1, 's', 'c', '["S0001"]', '[]', 'R4', 'r', 'submitted', '2026-03-01 12:00:00+00:00', '[]', '[]', '{}')`, fmt.Sprintf("%08d-0000-4000-8000-000000000000", n))
				return err
			}
			if err := add(0); err != nil {
				t.Fatal(err)
			}
			stop, added := make(chan struct{}), make(chan int)
			go func() {
				n := 1
				defer func() { added <- n }()
				for ; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := add(n); err != nil {
						t.Errorf("what the version before writes is refused: %v", err)
						return
					}
				}
			}()
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			close(stop)
			want := <-added
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				jobs, err := tx.JobList.Find(ctx, ports.JobQuery{Limit: want + 1})
				if len(jobs) != want {
					t.Errorf("%d jobs are found, want %d", len(jobs), want)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
