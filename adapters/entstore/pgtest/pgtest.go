// Package pgtest gives tests a Postgres. It never skips: where there is no
// server and none can be started, the test fails and says what is missing.
package pgtest

import (
	"context"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
)

// once starts the server of this test program and makes the database that
// others are copied from. The server goes away with the program.
var once = sync.OnceValues(func() (*template, error) {
	s, err := server.Start()
	if err != nil {
		return nil, err
	}
	migrated, err := s.Create(context.Background(), "")
	if err != nil {
		return nil, err
	}
	store, err := entstore.Open(context.Background(), migrated, nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := store.Migrate(context.Background()); err != nil {
		return nil, err
	}
	return &template{server: s, migrated: migrated}, nil
})

type template struct {
	server   *server.Server
	migrated string

	mu sync.Mutex // Postgres copies one database at a time
}

func (tm *template) create(t testing.TB, from string) string {
	t.Helper()
	tm.mu.Lock()
	defer tm.mu.Unlock()
	url, err := tm.server.Create(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tm.server.Drop(context.Background(), url); err != nil {
			t.Log(err)
		}
	})
	return url
}

// URL returns the URL of a database of the test's own with the schema in
// place, which goes away with the test. See server.Variable for which server.
func URL(t testing.TB) string {
	t.Helper()
	tm := started(t)
	return tm.create(t, tm.migrated)
}

// Empty returns the URL of a database without any table.
func Empty(t testing.TB) string {
	t.Helper()
	return started(t).create(t, "")
}

func started(t testing.TB) *template {
	t.Helper()
	tm, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return tm
}
