package audit_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/entstore/pgtest"
	"cms.gov/ab2d/adapters/entstore/sqlitetest"
	"cms.gov/ab2d/adapters/filestore"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/audit"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// databases are the kinds of database, each with what makes a new one.
var databases = map[string]func(t *testing.T) string{
	"SQLite":   func(t *testing.T) string { return sqlitetest.URL(t) },
	"Postgres": func(t *testing.T) string { return pgtest.URL(t) },
}

func open(t *testing.T, url string) *entstore.Store {
	t.Helper()
	s, err := entstore.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// world is a real database, a real store of files, and what guards the trail.
type world struct {
	*testing.T
	store  *entstore.Store
	db     *sql.DB
	files  *filestore.Store
	clock  *memory.Clock
	signer memory.Signer
	keys   domain.SealKeys
	keep   time.Duration
}

var start = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	files, err := filestore.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	w := &world{T: t, store: open(t, url), files: files, clock: memory.NewClock(start), signer: memory.NewSigner(), keep: 24 * time.Hour}
	w.db = w.store.DB()
	w.keys = domain.SealKeysOf(w.signer.PublicKey())
	return w
}

func (w *world) record(n int) {
	w.Helper()
	for range n {
		w.clock.Advance(time.Second)
		err := w.store.Do(w.Context(), func(ctx context.Context, tx ports.Tx) error {
			return tx.Audit.Record(ctx, domain.AuditRecord{At: w.clock.Now(), Actor: domain.Actor{Kind: "client", ID: "c1", From: "192.0.2.1"},
				Action: "export.start", Target: "S0001", Outcome: "done", Detail: map[string]string{"request": "https://a/b?c=1&d=2", "version": "R4"}})
		})
		if err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) sealer() *audit.Sealer {
	return &audit.Sealer{Store: w.store, Files: w.files, Clock: w.clock, Signer: w.signer, Log: slog.New(slog.DiscardHandler)}
}

func (w *world) archiver() *audit.Archiver {
	return &audit.Archiver{Store: w.store, Files: w.files, Clock: w.clock, Keys: w.keys, Log: slog.New(slog.DiscardHandler),
		Settings: audit.ArchiveSettings{Keep: w.keep}}
}

func (w *world) seal() {
	w.Helper()
	if err := w.sealer().Seal(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) archive() []domain.AuditArchive {
	w.Helper()
	made, err := w.archiver().Archive(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return made
}

// sealed is three seals of three records each, 1-3, 4-6 and 7-9, and record 10
// that waits.
func (w *world) sealed() *world {
	w.Helper()
	for range 3 {
		w.record(3)
		w.seal()
	}
	w.record(1)
	return w
}

func (w *world) verify() *audit.Report {
	w.Helper()
	v := &audit.Verifier{Store: w.store, Files: w.files, Clock: w.clock, Keys: w.keys}
	r, err := v.Verify(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// found returns what a verifier finds, as kind, seal and records.
func (w *world) found() (all []string) {
	w.Helper()
	for _, p := range w.verify().Problems {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s", p.Kind, p.Seal, p.Records)))
	}
	return all
}

func (w *world) wantFound(want ...string) {
	w.Helper()
	r := w.verify()
	got := w.found()
	if !slices.Equal(got, want) {
		w.Errorf("found %q, want %q", got, want)
		for _, p := range r.Problems {
			w.Log(p.Text)
		}
	}
}

func (w *world) exec(statement string, args ...any) {
	w.Helper()
	res, err := w.db.ExecContext(w.Context(), statement, args...)
	if err != nil {
		w.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		w.Fatalf("%s changed %d rows, %v", statement, n, err)
	}
}

// keysUnder returns the keys of files under a prefix.
func (w *world) keysUnder(prefix string) (keys []string) {
	w.Helper()
	for f, err := range w.files.List(w.Context(), prefix) {
		if err != nil {
			w.Fatal(err)
		}
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	return keys
}

func (w *world) read(key string) []byte {
	w.Helper()
	f, err := w.files.Open(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		w.Fatal(err)
	}
	return content
}

func (w *world) remove(key string) {
	w.Helper()
	if err := w.files.Delete(w.Context(), key); err != nil {
		w.Fatal(err)
	}
}

// replace puts other bytes under a key.
func (w *world) replace(key string, content []byte) {
	w.Helper()
	w.remove(key)
	f, err := w.files.Create(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		w.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		w.Fatal(err)
	}
}
