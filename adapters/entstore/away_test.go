package entstore_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/entstore/pgtest/server"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// uses are the ways to the database, each reaching it.
func uses(s *entstore.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Do":   func(ctx context.Context) error { return s.Do(ctx, put) },
		"View": func(ctx context.Context) error { return s.View(ctx, get) },
		"VersionAt": func(ctx context.Context) error {
			_, err := s.VersionAt(ctx, "S0001", time.Unix(1, 0))
			return err
		},
		"Members": func(ctx context.Context) error {
			for _, err := range s.Members(ctx, "S0001", 1, domain.KeyRange{}) {
				return err
			}
			return nil
		},
		"Load": func(ctx context.Context) error {
			_, err := s.Load(ctx, "S0001", ports.At(time.Unix(1, 0)), people(3))
			return err
		},
		"Find": func(ctx context.Context) error {
			_, err := s.Find(ctx, "", "", 1)
			return err
		},
		"Ensure": func(ctx context.Context) error {
			_, err := s.Ensure(ctx, "name", func() ([]byte, error) { return []byte{1}, nil })
			return err
		},
		"Forget": func(ctx context.Context) error { return s.Forget(ctx, "none/") },
	}
}

func put(ctx context.Context, tx ports.Tx) error {
	return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "a", Name: "A"})
}

func get(ctx context.Context, tx ports.Tx) error {
	_, err := tx.JobList.Find(ctx, ports.JobQuery{})
	return err
}

// unavailable checks that an error tells its caller to come back, and nothing
// of how we are built.
func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	e := (*domain.Error)(nil)
	if !errors.As(err, &e) || e.Code != domain.Unavailable || e.RetryAfter <= 0 || e.Err == nil {
		t.Errorf("%s: the error is %v, want one that is unavailable, with a time to come back and a cause", what, err)
		return
	}
	for _, word := range []string{"SQL", "postgres", "connect", "pool", "context"} {
		if strings.Contains(strings.ToLower(e.Message+e.Next), strings.ToLower(word)) {
			t.Errorf("%s: the message tells of %q: %s %s", what, word, e.Message, e.Next)
		}
	}
}

func working(t *testing.T, s *entstore.Store) {
	t.Helper()
	for what, use := range uses(s) {
		if err := use(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whoever finds every connection in use is told so within the wait, and within
// their own time when that is shorter.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	const wait = 300 * time.Millisecond
	s := open(t, pgtest.URL(t), nil, entstore.Conns(1), entstore.Wait(wait))
	working(t, s)
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
			close(held)
			<-release
			return put(ctx, tx)
		})
	}()
	<-held
	for what, use := range uses(s) {
		begun := time.Now()
		unavailable(t, what, use(t.Context()))
		if took := time.Since(begun); took < wait || took > wait+10*time.Second {
			t.Errorf("%s took %s", what, took)
		}
	}
	brief, cancel := context.WithTimeout(t.Context(), wait/10)
	defer cancel()
	unavailable(t, "a shorter time", s.Do(brief, put))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Do(gone, put); !errors.Is(err, context.Canceled) || domain.CodeOf(err) == domain.Unavailable {
		t.Errorf("who hung up is told %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	working(t, s)
}

func owned(t *testing.T, settings ...string) *server.Owned {
	t.Helper()
	o, err := server.Own(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	s := open(t, o.URL(), nil)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	return o
}

// idle leaves n connections in the pool that nobody uses.
func idle(t *testing.T, s *entstore.Store, n int) {
	t.Helper()
	var all sync.WaitGroup
	all.Add(n)
	errs := make(chan error, n)
	for range n {
		go func() {
			errs <- s.Do(t.Context(), func(context.Context, ports.Tx) error {
				all.Done()
				all.Wait() // so that each has one of its own
				return nil
			})
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// While the server is away everything says so, and when it is back everything
// works, without anybody doing anything about it.
func TestServerAway(t *testing.T) {
	t.Parallel()
	o := owned(t)
	s := open(t, o.URL(), nil, entstore.Wait(2*time.Second))
	for name, how := range map[string]server.Mode{"fast": server.Fast, "immediate": server.Immediate, "killed": server.Killed} {
		t.Run(name, func(t *testing.T) {
			working(t, s)
			idle(t, s, 5)
			err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				o.Stop(how)
				return put(ctx, tx)
			})
			unavailable(t, "a unit of work that was cut off", err)
			for what, use := range uses(s) {
				unavailable(t, what, use(t.Context()))
			}
			if err := o.Start(); err != nil {
				t.Fatal(err)
			}
			working(t, s)
		})
	}
}

// A restart that nobody noticed leaves connections that are dead. A unit of work
// and a load find a new one; whoever reads without one is told to come again, once.
func TestServerRestarted(t *testing.T) {
	t.Parallel()
	o := owned(t)
	s := open(t, o.URL(), nil)
	for what, use := range uses(s) {
		idle(t, s, 5)
		o.Stop(server.Immediate)
		if err := o.Start(); err != nil {
			t.Fatal(err)
		}
		if err := use(t.Context()); err != nil {
			if unavailable(t, what, err); what == "Do" || what == "View" || what == "Load" {
				t.Errorf("%s after a restart: %v", what, err)
			}
		}
		working(t, s)
	}
}

func TestTooManyClients(t *testing.T) {
	t.Parallel()
	o := owned(t, "max_connections=5")
	s := open(t, o.URL(), nil)
	others, err := sql.Open("pgx", o.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	var full error
	for range 10 {
		conn, err := others.Conn(t.Context())
		if full = err; full != nil {
			break
		}
		defer conn.Close()
	}
	if full == nil {
		t.Fatal("there is room for 10 clients")
	}
	// With the one that the store has in use, it needs one more.
	err = s.View(t.Context(), func(context.Context, ports.Tx) error {
		unavailable(t, "Do", s.Do(t.Context(), put))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// After a failover the one that was reached before only reads.
func TestServerOnlyReads(t *testing.T) {
	t.Parallel()
	o := owned(t)
	s := open(t, o.URL(), nil)
	working(t, s)
	admin, err := sql.Open("pgx", o.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	turn := func(on string) {
		t.Helper()
		conn, err := admin.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, statement := range []string{"SET default_transaction_read_only = off", "ALTER DATABASE postgres SET default_transaction_read_only = " + on,
			// with a time, so that they are gone when it answers
			"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"} {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	turn("on")
	// A connection that was being made meanwhile may still write.
	var refused error
	settles(t, "Do", func() error { refused = s.Do(t.Context(), put); return refused }, func(err error) bool { return err != nil })
	unavailable(t, "Do", refused)
	settles(t, "View", func() error { return s.View(t.Context(), get) }, works)
	settles(t, "View that writes", func() error { return s.View(t.Context(), put) }, func(err error) bool {
		return err != nil && domain.CodeOf(err) != domain.Unavailable // it is whoever writes there who is wrong
	})
	turn("off")
	settles(t, "Do", func() error { return s.Do(t.Context(), put) }, works)
	for what, use := range uses(s) {
		settles(t, what, func() error { return use(t.Context()) }, works)
	}
	working(t, s)
}

func works(err error) bool { return err == nil }

// settles repeats what may meet connections of before until it ends as it should.
// Each failure on the way must say that it passes.
func settles(t *testing.T, what string, use func() error, done func(error) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := use()
		if done(err) {
			return
		}
		if err != nil {
			unavailable(t, what, err)
		}
		if time.Now().After(end) {
			t.Fatalf("%s: still %v", what, err)
		}
	}
}

func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	s := open(t, sqlitetest.URL(t), nil)
	limit := func(pages int) {
		t.Helper()
		if _, err := s.DB().Exec("PRAGMA max_page_count = " + map[bool]string{true: "1", false: "1000000"}[pages == 1]); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes what it has already as the least
	big := func(ctx context.Context, tx ports.Tx) error {
		return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "b", Name: strings.Repeat("x", 1<<20)})
	}
	unavailable(t, "Do", s.Do(t.Context(), big))
	_, err := s.Load(t.Context(), "S0001", ports.At(time.Unix(1, 0)), people(30_000))
	unavailable(t, "Load", err)
	limit(0)
	if err := s.Do(t.Context(), big); err != nil {
		t.Error(err)
	}
	working(t, s)
}

// The enrollment may come from over the network too.
func TestErrorsOfTheSequenceAreNotTheDatabases(t *testing.T) {
	for name, url := range databases {
		s := open(t, url(t), nil)
		_, err := s.Load(t.Context(), "S0001", ports.At(time.Unix(1, 0)), func(yield func(domain.Enrollee, error) bool) {
			yield(domain.Enrollee{}, io.ErrUnexpectedEOF)
		})
		if !errors.Is(err, io.ErrUnexpectedEOF) || domain.CodeOf(err) == domain.Unavailable {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
