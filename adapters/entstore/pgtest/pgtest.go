// Package pgtest gives tests a Postgres. It never skips: where there is no
// server and none can be started, the test fails and says what is missing.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
)

// once starts the server of this test program, which goes away with it, and
// makes the database that others are copied from.
var once = sync.OnceValues(func() (*source, error) {
	s, err := server.Start()
	if err != nil {
		return nil, err
	}
	if !s.Ours() {
		return &source{server: s}, nil // a database to copy from would stay behind
	}
	migrated, err := s.Create(context.Background(), "")
	if err != nil {
		return nil, err
	}
	return &source{server: s, migrated: migrated}, migrate(context.Background(), migrated)
})

func migrate(ctx context.Context, url string) error {
	store, err := entstore.Open(ctx, url, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Migrate(ctx)
}

// source is where databases come from.
type source struct {
	server   *server.Server
	migrated string // the URL of one with the schema in place, if there is one

	mu sync.Mutex // Postgres copies one database at a time
}

func (s *source) create(t testing.TB, from string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	url, err := s.server.Create(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	if !s.server.Ours() {
		t.Cleanup(func() {
			if err := s.server.Drop(context.Background(), url); err != nil {
				t.Log(err)
			}
		})
	}
	return url
}

// URL returns the URL of a database of the test's own with the schema in
// place, which goes away with the test. See server.Variable for which server.
func URL(t testing.TB) string {
	t.Helper()
	s := started(t)
	url := s.create(t, s.migrated)
	if s.migrated == "" {
		if err := migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// Empty returns the URL of a database without any table.
func Empty(t testing.TB) string {
	t.Helper()
	return started(t).create(t, "")
}

func started(t testing.TB) *source {
	t.Helper()
	s, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Role makes a role that may do nothing in a database and returns its name and
// the database's URL for it. It goes away with the test.
func Role(t testing.TB, database string) (name, asRole string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name, password := "role_"+strings.ToLower(rand.Text()), rand.Text()
	if _, err := db.Exec("CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'"); err != nil {
		t.Fatal(err)
	}
	return name, As(t, database, name, password)
}

// As returns a database's URL for a role that is or will be made, and which goes
// away with the test.
func As(t testing.TB, database, name, password string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", database)
		if err == nil {
			defer db.Close()
			_, err = db.Exec("DROP OWNED BY " + name + "; DROP ROLE " + name)
		}
		if err != nil {
			t.Log(err)
		}
	})
	if q := u.Query(); q.Has("user") {
		q.Set("user", name)
		q.Set("password", password)
		u.RawQuery = q.Encode()
	} else {
		u.User = url.UserPassword(name, password)
	}
	return u.String()
}
