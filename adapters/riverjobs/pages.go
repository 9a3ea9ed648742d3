package riverjobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/riverqueue/river"
	"riverqueue.com/riverui"
)

// Pages returns River's own pages over the queue in a database, for addresses
// that begin with prefix. They look after themselves until the context ends, know
// nothing of who asks, and change whatever they are asked to: see ReadOnly.
func Pages(ctx context.Context, databaseURL string, db *sql.DB, prefix string, log *slog.Logger) (http.Handler, error) {
	driver, err := driverFor(databaseURL, db)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(driver, &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("set up the queue's pages: %w", err)
	}
	pages, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(client, nil), Logger: log, Prefix: prefix, JobListHideArgsByDefault: true})
	if err != nil {
		return nil, fmt.Errorf("set up the queue's pages: %w", err)
	}
	if err := pages.Start(ctx); err != nil {
		return nil, fmt.Errorf("start the queue's pages: %w", err)
	}
	return ReadOnly(pages), nil
}

// ReadOnly lets a handler see only what asks, and nothing that would change
// something: cancelling a task there would go round the rules of exports.
func ReadOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, `{"message":"These pages only show the queue. Cancel an export on its own page."}`, http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
