package entstore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// databases are the kinds of database, each with what makes an empty one with
// the schema in place.
var databases = map[string]func(t *testing.T) string{
	"SQLite":   func(t *testing.T) string { return sqlitetest.URL(t) },
	"Postgres": func(t *testing.T) string { return pgtest.URL(t) },
}

func emptySQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "odd #name%3f", "ab2d.db")
}

func open(t testing.TB, url string, queue entstore.QueueFactory, options ...entstore.Option) *entstore.Store {
	t.Helper()
	s, err := entstore.Open(t.Context(), url, queue, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			porttest.Stores(t, func(t *testing.T) porttest.Store {
				s := open(t, url(t), joinTable)
				if _, err := s.DB().Exec("CREATE TABLE tasks_of_the_test (id integer, job text, part integer)"); err != nil {
					t.Fatal(err)
				}
				return porttest.Store{UnitOfWork: s, Coverage: s, Secrets: s, AuditLog: s,
					Scheduled: func(t *testing.T) []ports.Task { return scheduled(t, s.DB()) }}
			})
		})
	}
}

func TestBounds(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			porttest.Assertions(t, func(t *testing.T) ports.Assertions { return open(t, url(t), nil) })
			porttest.Limits(t, func(t *testing.T) ports.Limits { return open(t, url(t), nil) })
		})
	}
}

// tableQueue is a queue that is a table, in the transaction that it joins.
type tableQueue struct{ tx *sql.Tx }

func joinTable(tx *sql.Tx) ports.Queue { return tableQueue{tx} }

func (q tableQueue) Schedule(ctx context.Context, tasks ...ports.Task) error {
	for i, t := range tasks {
		if _, err := q.tx.ExecContext(ctx, "INSERT INTO tasks_of_the_test VALUES ($1, $2, $3)", i, string(t.Job), t.Partition); err != nil {
			return err
		}
	}
	return nil
}

func scheduled(t *testing.T, db *sql.DB) (tasks []ports.Task) {
	rows, err := db.Query("SELECT job, part FROM tasks_of_the_test ORDER BY job, id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var task ports.Task
		if err := rows.Scan(&task.Job, &task.Partition); err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tasks
}

func TestWithoutAQueueNothingIsScheduled(t *testing.T) {
	s := open(t, sqlitetest.URL(t), nil)
	err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error { return tx.Queue.Schedule(ctx, ports.Task{Job: "x"}) })
	if err == nil {
		t.Error("a task went nowhere without an error")
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "mysql://localhost/x", "ab2d.db", "postgres://localhost:1/none?connect_timeout=1"} {
		s, err := entstore.Open(t.Context(), url, nil)
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", url)
		}
	}
}

// The store is closed and opened again: what was kept is there, durably.
func TestReopen(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			u := url(t)
			s := open(t, u, nil)
			err := s.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				return tx.Sponsors.Put(ctx, domain.Sponsor{ID: "a"})
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			err = open(t, u, nil).View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
				_, err := tx.Sponsors.Get(ctx, "a")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Nobody but the owner reads the file, nor those that SQLite puts beside it.
func TestSQLiteIsPrivate(t *testing.T) {
	url := emptySQLite(t)
	if err := open(t, url, nil).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(strings.TrimPrefix(url, "sqlite:")), "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("there are %v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s, %v", file, info.Mode(), err)
		}
	}
}

// What SQLite promises about crashes rests on these settings.
func TestSQLiteIsDurable(t *testing.T) {
	db := open(t, sqlitetest.URL(t), nil).DB()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || !strings.EqualFold(got, want) {
			t.Errorf("%s is %s, %v, want %s", pragma, got, err, want)
		}
	}
}

func sqliteFor(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "ab2d.db") }

func postgresFor(b *testing.B) string { return pgtest.Empty(b) }
