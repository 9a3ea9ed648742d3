// Package sqlitetest gives tests an embedded database.
package sqlitetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cms.gov/ab2d/adapters/entstore"
)

// URL returns the URL of a database of the test's own with the schema in place,
// which goes away with the test. Its path has what URLs stumble over.
func URL(t testing.TB) string {
	t.Helper()
	content, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "odd #name%3f")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ab2d.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// migrated is the file of a database with nothing but the schema. To copy it is
// a hundred times as fast as to take all steps again.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "ab2d-sqlite-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ab2d.db")
	ctx := context.Background()
	s, err := entstore.Open(ctx, "sqlite:"+path, nil)
	if err != nil {
		return nil, err
	}
	err = s.Migrate(ctx)
	s.Close() // the last to leave puts all of it into the one file
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
