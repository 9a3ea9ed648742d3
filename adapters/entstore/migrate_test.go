package entstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"

	"cms.gov/ab2d/adapters/entstore/migrations"
	"cms.gov/ab2d/adapters/entstore/pgtest"
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
