package riverjobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/ports"
)

// aged makes a task look as if it had been done an hour ago.
var aged = map[string]string{
	"SQLite":   "UPDATE river_job SET finalized_at = strftime('%Y-%m-%d %H:%M:%f', finalized_at, '-1 hour') WHERE CAST(args AS text) LIKE '%old%'",
	"Postgres": "UPDATE river_job SET finalized_at = finalized_at - interval '1 hour' WHERE args->>'job' = 'old'",
}

// What is done leaves River's tables soon, so that they stay small.
func TestDoneTasksAreRemoved(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			b := setup(t, url(t))
			kept := func() string {
				rows, err := b.store.DB().Query("SELECT CAST(args AS text) FROM river_job WHERE state = 'completed' ORDER BY id")
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				var all []string
				for rows.Next() {
					var args string
					if err := rows.Scan(&args); err != nil {
						t.Fatal(err)
					}
					for _, job := range []string{"old", "new"} {
						if strings.Contains(args, job) {
							all = append(all, job)
						}
					}
				}
				return strings.Join(all, " ")
			}
			until := func(want string) {
				t.Helper()
				for deadline := time.Now().Add(30 * time.Second); kept() != want; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("completed tasks: %q, want %q", kept(), want)
					}
				}
			}
			b.schedule(t, ports.Task{Job: "old"}, ports.Task{Job: "old", Partition: 1}, ports.Task{Job: "new"})
			done := func(context.Context, ports.Task) error { return nil }
			worker, err := riverjobs.NewWorker(b.url, b.store.DB(), handler(done), riverjobs.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			if err := worker.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			until("old old new")
			if err := worker.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			changed, err := b.store.DB().Exec(aged[name])
			if err != nil {
				t.Fatal(err)
			}
			if n, err := changed.RowsAffected(); err != nil || n != 2 {
				t.Fatalf("%d tasks have aged, %v", n, err)
			}
			b.work(t, riverjobs.Settings{}, done) // it cleans up when it begins, and twice a minute
			until("new")
		})
	}
}
