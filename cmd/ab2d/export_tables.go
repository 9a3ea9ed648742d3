package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cms.gov/ab2d/adapters/claimtables"
)

// place is how files are put in their place, nil for as they are.
func (e *exporting) place() (func(ctx context.Context, ndjson, folder, name string) error, error) {
	switch e.format {
	case "ndjson":
		return nil, nil
	case "parquet":
		return e.tables, nil
	}
	return nil, usageFault("--format is " + e.format + "; it can be ndjson or parquet")
}

// tables makes tables of the claims of a file. What no table has, as patients,
// stays in NDJSON.
func (e *exporting) tables(ctx context.Context, ndjson, folder, name string) error {
	base := filepath.Join(folder, strings.TrimSuffix(name, ".ndjson"))
	n, err := claimtables.ConvertFile(ctx, ndjson, base+".claims.parquet", base+".lines.parquet")
	if err != nil || n.Others == 0 && n.Claims > 0 && !e.keepNDJSON {
		return err
	}
	// Another name for the same bytes: the client takes its own away later.
	if err := os.Remove(base + ".ndjson"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(ndjson, base+".ndjson")
}
