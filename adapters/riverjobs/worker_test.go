package riverjobs_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/adapters/riverjobs"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

// databases are the kinds of database, each with what makes one
// with the schema in place.
var databases = map[string]func(t *testing.T) string{
	"SQLite":   func(t *testing.T) string { return sqlitetest.URL(t) },
	"Postgres": func(t *testing.T) string { return pgtest.URL(t) },
}

// bundle is a store whose units of work schedule on River.
type bundle struct {
	url   string
	store *entstore.Store
}

func setup(t *testing.T, url string) bundle {
	t.Helper()
	queue, err := riverjobs.Queue(url)
	if err != nil {
		t.Fatal(err)
	}
	store, err := entstore.Open(t.Context(), url, queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return bundle{url, store}
}

func (b bundle) schedule(t *testing.T, tasks ...ports.Task) {
	t.Helper()
	err := b.store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error { return tx.Queue.Schedule(ctx, tasks...) })
	if err != nil {
		t.Fatal(err)
	}
}

// work starts a worker that hands every task to do, until the test ends.
func (b bundle) work(t *testing.T, s riverjobs.Settings, do func(context.Context, ports.Task) error) *riverjobs.Worker {
	t.Helper()
	if s.Logger == nil {
		s.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	w, err := riverjobs.NewWorker(b.url, b.store.DB(), handler(do), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

type handler func(context.Context, ports.Task) error

func (h handler) Plan(ctx context.Context, id domain.JobID) error { return h(ctx, ports.Task{Job: id}) }

func (h handler) Write(ctx context.Context, id domain.PartitionID) error {
	return h(ctx, ports.Task{Job: id.Job, Partition: id.Seq})
}

func each(t *testing.T, test func(t *testing.T, b bundle)) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, url(t)))
		})
	}
}

func TestQueue(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			porttest.Queue(t, func(t *testing.T) porttest.QueueHarness {
				b := setup(t, url(t))
				taken := make(chan ports.Task, 2000)
				b.work(t, riverjobs.Settings{Partitions: 20}, func(_ context.Context, task ports.Task) error {
					taken <- task
					return nil
				})
				return porttest.QueueHarness{Work: b.store, Taken: taken}
			})
		})
	}
}

// A View cannot schedule.
func TestViewSchedulesNothing(t *testing.T) {
	each(t, func(t *testing.T, b bundle) {
		err := b.store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Queue.Schedule(ctx, ports.Task{Job: "a"})
		})
		if err == nil {
			t.Error("a View scheduled a task")
		}
	})
}

// What fails for no known reason, or panics, is tried again; so is what is
// unavailable. What is refused is not.
func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, b bundle) {
		failures := map[int]func() error{
			1: func() error { return errors.New("odd") },
			2: func() error { panic("odd") },
			3: func() error {
				e := domain.Errorf(domain.Unavailable, "the source is away")
				e.RetryAfter = time.Second
				return e
			},
			4: func() error { return domain.Errorf(domain.Conflict, "held") },
			5: func() error { return domain.Errorf(domain.BusinessRule, "not attested") },
			6: func() error { return domain.Errorf(domain.NotFound, "no such partition") },
		}
		taken := make(chan int, 100)
		seen := map[int]int{}
		b.work(t, riverjobs.Settings{Partitions: 1}, func(_ context.Context, task ports.Task) error { // one at a time, so seen needs no lock
			seen[task.Partition]++
			taken <- task.Partition
			if fail := failures[task.Partition]; fail != nil && seen[task.Partition] == 1 {
				return fail()
			}
			return nil
		})
		for n := range failures {
			b.schedule(t, ports.Task{Job: "a", Partition: n})
		}
		times := map[int]int{}
		for deadline := time.After(time.Minute); times[1] < 2 || times[2] < 2 || times[3] < 2; {
			select {
			case n := <-taken:
				times[n]++
			case <-deadline:
				t.Fatalf("the tasks were taken up %v times", times)
			}
		}
		for n := 4; n <= 6; n++ {
			if times[n] != 1 {
				t.Errorf("task %d was taken up %d times, want once", n, times[n])
			}
		}
	})
}

// Stop waits for what runs, but not for ever; what it cuts off another worker
// takes up.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, b bundle) {
		began, ended := make(chan int, 10), make(chan int, 10)
		w := b.work(t, riverjobs.Settings{StopWithin: 300 * time.Millisecond}, func(ctx context.Context, task ports.Task) error {
			began <- task.Partition
			if task.Partition == 1 {
				time.Sleep(100 * time.Millisecond)
				ended <- 1
				return nil
			}
			<-ctx.Done()
			ended <- 2
			return ctx.Err()
		})
		b.schedule(t, ports.Task{Job: "a", Partition: 1}, ports.Task{Job: "a", Partition: 2})
		<-began
		<-began
		if err := w.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first, second := <-ended, <-ended; first != 1 || second != 2 {
			t.Errorf("%d ended before %d", first, second)
		}
		again := make(chan int, 10)
		b.work(t, riverjobs.Settings{}, func(_ context.Context, task ports.Task) error {
			again <- task.Partition
			return nil
		})
		select {
		case n := <-again:
			if n != 2 {
				t.Errorf("task %d was taken up again, though it was done", n)
			}
		case <-time.After(time.Minute):
			t.Error("what was cut off was lost")
		}
	})
}

// A worker goes on after the context that started it is over.
func TestStartOutlivesItsContext(t *testing.T) {
	b := setup(t, databases["SQLite"](t))
	taken := make(chan ports.Task, 1)
	w, err := riverjobs.NewWorker(b.url, b.store.DB(), handler(func(_ context.Context, task ports.Task) error {
		taken <- task
		return nil
	}), riverjobs.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	b.schedule(t, ports.Task{Job: "a"})
	select {
	case <-taken:
	case <-time.After(time.Minute):
		t.Error("the worker stopped")
	}
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A task whose arguments a newer version wrote is left to newer workers.
func TestNewerArguments(t *testing.T) {
	each(t, func(t *testing.T, b bundle) {
		b.schedule(t, ports.Task{Job: "a", Partition: 1}, ports.Task{Job: "a", Partition: 2})
		newer := `{"v":3,"job":"a","partition":1}`
		if _, err := b.store.DB().Exec("UPDATE river_job SET args = $1 WHERE id = (SELECT min(id) FROM river_job)", newer); err != nil {
			t.Fatal(err)
		}
		taken := make(chan int, 10)
		b.work(t, riverjobs.Settings{}, func(_ context.Context, task ports.Task) error {
			taken <- task.Partition
			return nil
		})
		if n := <-taken; n != 2 {
			t.Errorf("task %d was taken up", n)
		}
		for deadline := time.Now().Add(time.Minute); state(t, b.store.DB(), 1) != "scheduled"; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the newer task is %s", state(t, b.store.DB(), 1))
			}
		}
		if len(taken) > 0 {
			t.Error("the newer task was taken up")
		}
	})
}

func state(t *testing.T, db *sql.DB, id int) (state string) {
	t.Helper()
	if err := db.QueryRow("SELECT state FROM river_job WHERE id = $1", id).Scan(&state); err != nil {
		t.Fatal(err)
	}
	return state
}

func TestUnknownDatabase(t *testing.T) {
	if _, err := riverjobs.Queue("mysql://localhost"); err == nil {
		t.Error("there is a queue on a database that we do not know")
	}
}
