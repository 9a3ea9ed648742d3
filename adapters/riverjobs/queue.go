package riverjobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"cms.gov/ab2d/ports"
)

// fetchCooldown is the least time between two looks at a queue. River's 100 ms
// would be most of the time that a small task waits.
const fetchCooldown = 20 * time.Millisecond

// noticeCooldown is the least time between two notices that something was
// inserted. A notice kept back leaves the task to the poll, so it is River's least.
const noticeCooldown = time.Millisecond

// chunk is how many tasks one statement inserts.
const chunk = 1000

// Queue returns what gives a transaction of the database at sqlite:PATH or
// postgres://... its queue. It needs River's tables there, no connection of its own.
func Queue(databaseURL string) (func(*sql.Tx) ports.Queue, error) {
	driver, err := driverFor(databaseURL, nil)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(driver, &river.Config{FetchCooldown: noticeCooldown, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("set up the queue: %w", err)
	}
	return func(tx *sql.Tx) ports.Queue { return queue{client, tx} }, nil
}

// driverFor returns River's driver over db, which may be nil where only
// transactions are used.
func driverFor(databaseURL string, db *sql.DB) (riverdriver.Driver[*sql.Tx], error) {
	if isSQLite(databaseURL) {
		return riversqlite.New(db), nil
	}
	if !strings.HasPrefix(databaseURL, "postgres://") && !strings.HasPrefix(databaseURL, "postgresql://") {
		return nil, errors.New("the database URL must begin with sqlite: or postgres://")
	}
	return riverdatabasesql.New(db), nil
}

func isSQLite(databaseURL string) bool { return strings.HasPrefix(databaseURL, "sqlite:") }

// queue implements ports.Queue within one transaction.
type queue struct {
	client *river.Client[*sql.Tx]
	tx     *sql.Tx
}

func (q queue) Schedule(ctx context.Context, tasks ...ports.Task) error {
	for some := range slices.Chunk(tasks, chunk) {
		params := make([]river.InsertManyParams, len(some))
		for i, t := range some {
			params[i].Args = argsOf(t)
		}
		if _, err := q.client.InsertManyFastTx(ctx, q.tx, params); err != nil {
			return fmt.Errorf("schedule %d tasks: %w", len(some), err)
		}
	}
	return nil
}
