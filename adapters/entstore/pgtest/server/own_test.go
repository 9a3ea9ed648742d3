package server_test

import (
	"database/sql"
	"net/url"
	"os"
	"testing"

	"cms.gov/ab2d/adapters/entstore/pgtest/server"
)

// What was committed is there again at the same address, however it ended.
func TestOwn(t *testing.T) {
	s, err := server.Own("max_connections=20")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	address := s.URL()
	exec := func(statement string, want int) {
		t.Helper()
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := db.QueryRow("SELECT count(*) FROM kept").Scan(&got); err != nil || got != want {
			t.Errorf("%d rows are there, %v, want %d", got, err, want)
		}
	}
	exec("CREATE TABLE kept (n int)", 0)
	for i, how := range []server.Mode{server.Fast, server.Immediate, server.Killed} {
		exec("INSERT INTO kept VALUES (1)", i+1)
		s.Stop(how)
		s.Stop(how) // nothing more happens
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Ping(); err == nil {
			t.Errorf("it still answers after %d", how)
		}
		db.Close()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err == nil {
			t.Error("it was started twice")
		}
		exec("SELECT", i+1)
	}
	s.Close()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(u.Query().Get("host")); !os.IsNotExist(err) {
		t.Errorf("its folder is left behind: %v", err)
	}
}
