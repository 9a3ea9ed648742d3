package ndjson

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// contractsFile is the name of the file, in the folder itself, that says who is
// enrolled where no Coverage does.
const contractsFile = "contracts.csv"

// sourceFile is a file of the folder as it was when it was listed.
type sourceFile struct {
	Path     string    `json:"path"` // below the folder, with slashes
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

func (f sourceFile) gzipped() bool { return strings.HasSuffix(f.Path, ".gz") }

// same reports whether nothing shows that the file changed since.
func (f sourceFile) same(other sourceFile) bool {
	return f.Path == other.Path && f.Size == other.Size && f.Modified.Equal(other.Modified)
}

// list returns the NDJSON files in and below the folder and its contracts.csv,
// in the byte order of their paths. Names that begin with a dot are left out.
func list(dir string) (files []sourceFile, err error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && path != root {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || d.IsDir() || rel != contractsFile && !strings.HasSuffix(rel, ".ndjson") && !strings.HasSuffix(rel, ".ndjson.gz") {
			return err
		}
		info, err := os.Stat(path) // what a link leads to
		if err == nil && info.Mode().IsRegular() {
			files = append(files, sourceFile{filepath.ToSlash(rel), info.Size(), info.ModTime().UTC()})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no *.ndjson and no *.ndjson.gz file", dir)
	}
	slices.SortFunc(files, func(a, b sourceFile) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}
