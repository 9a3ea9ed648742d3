package riverjobs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"

	"cms.gov/ab2d/domain"
)

// Handler does the work that tasks ask for. Both methods may be called more
// often than there is work, at the same time too.
type Handler interface {
	// Plan plans a job.
	Plan(ctx context.Context, id domain.JobID) error
	// Write writes a partition: the one that a task was queued for, or another
	// whose turn it is.
	Write(ctx context.Context, queued domain.PartitionID) error
}

// Settings are how a worker works. A zero field means its default.
type Settings struct {
	Partitions int           // partitions written at once by this process; 2
	Plans      int           // jobs planned at once by this process; 1
	Poll       time.Duration // how often to look when no notice comes; 1 second
	StopWithin time.Duration // how long Stop lets running tasks go on; 20 seconds
	Logger     *slog.Logger  // gets warnings and errors only; slog.Default
}

func (s Settings) orDefaults() Settings {
	s.Partitions = cmp.Or(s.Partitions, 2)
	s.Plans = cmp.Or(s.Plans, 1)
	s.Poll = cmp.Or(s.Poll, time.Second)
	s.StopWithin = cmp.Or(s.StopWithin, 20*time.Second)
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	return s
}

// Worker takes up tasks and has a Handler do them.
type Worker struct {
	client     *river.Client[*sql.Tx]
	listener   *pgxpool.Pool // nil on SQLite
	stopWithin time.Duration
}

// NewWorker returns a worker on the database at the URL, reached through db,
// which stays the caller's. On Postgres it listens on one more connection.
func NewWorker(databaseURL string, db *sql.DB, h Handler, s Settings) (*Worker, error) {
	s = s.orDefaults()
	w := &Worker{stopWithin: s.StopWithin}
	driver, err := driverFor(databaseURL, db)
	if err != nil {
		return nil, err
	}
	if !isSQLite(databaseURL) {
		if w.listener, err = listenerPool(databaseURL); err != nil {
			return nil, err
		}
		// Without the listener a task of a unit of work would wait for the poll.
		driver = riverdatabasesql.NewWithPgxListener(db, w.listener)
	}
	if w.client, err = river.NewClient(driver, s.config(h)); err != nil {
		w.close()
		return nil, fmt.Errorf("set up the worker: %w", err)
	}
	return w, nil
}

func listenerPool(databaseURL string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	config.MinConns, config.MaxConns = 0, 1 // River takes its connection out of the pool for good
	return pgxpool.NewWithConfig(context.Background(), config)
}

func (s Settings) config(h Handler) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[planArgs]) error {
		return work(ctx, job.Args.V, func() error { return h.Plan(ctx, domain.JobID(job.Args.Job)) })
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[partitionArgs]) error {
		return idle(ctx, work(ctx, job.Args.V, func() error { return h.Write(ctx, job.Args.id()) }))
	}))
	return &river.Config{
		Workers: workers,
		Queues: map[string]river.QueueConfig{
			planQueue:      {MaxWorkers: s.Plans},
			partitionQueue: {MaxWorkers: s.Partitions},
		},
		FetchCooldown:       fetchCooldown,
		FetchPollInterval:   s.Poll,
		FetchOnlyKnownKinds: true, // others are for newer workers

		// A partition takes as long as its claims take. Its lease, renewed while
		// it goes on, says when it is over, not River.
		JobTimeout: -1,
		// River takes a task that runs longer than this for lost and runs it
		// again; then the partition's row says that it is held or done, and the
		// second run ends at once. Our own reconciler is much sooner: this
		// only cleans up after killed processes.
		RescueStuckJobsAfter: 30 * time.Minute,
		RetryPolicy:          backoff{},
		MaxAttempts:          maxAttempts,

		// Nobody looks at what is done: the rows of jobs and partitions tell more.
		CompletedJobRetentionPeriod: 10 * time.Minute,
		CancelledJobRetentionPeriod: 24 * time.Hour,
		DiscardedJobRetentionPeriod: 7 * 24 * time.Hour,

		Logger: slog.New(atLeast{slog.LevelWarn, s.Logger.Handler()}),
	}
}

// Start begins to take up tasks and returns. The worker goes on until Stop,
// also after ctx is over.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	return nil
}

// cancelWithin is how long tasks get to end after their context did.
const cancelWithin = 10 * time.Second

// Stop takes up no more tasks and waits for the running ones; when they take
// longer than the settings allow, or ctx is over, it cancels them and waits a
// little more. What did not end is left to the leases.
func (w *Worker) Stop(ctx context.Context) error {
	defer w.close()
	soft, done := context.WithTimeout(ctx, w.stopWithin)
	defer done()
	if err := w.client.Stop(soft); err == nil {
		return nil
	}
	hard, done := context.WithTimeout(context.WithoutCancel(ctx), cancelWithin)
	defer done()
	if err := w.client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("stop the worker: %w", err)
	}
	return nil
}

func (w *Worker) close() {
	if w.listener != nil {
		w.listener.Close()
	}
}

// How long to wait before a task is tried again.
const (
	newerFormWait   = 30 * time.Second // for a worker of the version that wrote it
	unavailableWait = 5 * time.Second  // when the error does not say
	longestBackoff  = time.Minute
)

// work runs a task of a form that this worker knows and translates its end.
func work(ctx context.Context, version int, do func() error) error {
	if version > formVersion {
		return river.JobSnooze(newerFormWait)
	}
	return outcome(ctx, do())
}

// idleWait is how long a task that could not begin keeps its place.
const idleWait = 500 * time.Millisecond

// idle has a task wait a moment before it is put off. What is put off makes
// room for the next task, which would find the same: that nothing may be begun
// now, or that something everybody needs is away. The place has nothing better to do,
// and the database is asked twice a second instead of hundreds of times.
func idle(ctx context.Context, err error) error {
	if errors.As(err, new(*river.JobSnoozeError)) {
		select {
		case <-time.After(idleWait):
		case <-ctx.Done():
		}
	}
	return err
}

// outcome is the error policy: what the code of an error means to the queue.
func outcome(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return river.JobSnooze(0) // this process is stopping; another may begin at once
	}
	switch domain.CodeOf(err) {
	case "", domain.Conflict:
		return nil // done, or in the hands of somebody else
	case domain.NotFound, domain.Deleted, domain.Expired, domain.Invalid, domain.Unauthenticated, domain.Forbidden, domain.BusinessRule:
		return river.JobCancel(err) // it will be no different the next time
	case domain.Unavailable, domain.Throttled:
		e := (*domain.Error)(nil)
		errors.As(err, &e)
		return river.JobSnooze(cmp.Or(max(e.RetryAfter, 0), unavailableWait))
	}
	return err // tried again, with growing pauses and not for ever
}

// backoff doubles the pause from one second on.
type backoff struct{}

func (backoff) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(min(time.Second<<min(len(job.Errors), 10), longestBackoff))
}

// atLeast passes on records from a level on.
type atLeast struct {
	level slog.Level
	slog.Handler
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.level, h.Handler.WithAttrs(attrs)}
}

func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.level, h.Handler.WithGroup(name)}
}
