package exportclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// private is the folder within an export's own where what is not finished lives.
const private = ".ab2d"

// state is what is known of an export. It is on disk whenever something outside
// depends on it.
type state struct {
	Format   int             `json:"format"`
	Order    Order           `json:"order"`
	Key      string          `json:"idempotencyKey"`
	Begun    time.Time       `json:"begun"`
	Job      string          `json:"job,omitempty"`      // once the server has accepted it
	Manifest json.RawMessage `json:"manifest,omitempty"` // once it is complete
	Expires  time.Time       `json:"expires,omitzero"`   // when the server will delete the files
	Files    []file          `json:"files,omitempty"`
	Done     bool            `json:"done,omitempty"`
}

type fileKind string

const (
	output   fileKind = "output"
	failures fileKind = "error"
	deleted  fileKind = "deleted"
)

// file is one of the manifest and what became of it.
type file struct {
	Name        string   `json:"name"`
	Kind        fileKind `json:"kind"`
	Type        string   `json:"type,omitempty"`
	URL         string   `json:"url"`
	Token       bool     `json:"token"` // whether it is asked for with one
	Count       *int64   `json:"count,omitempty"`
	PlainBytes  int64    `json:"plainBytes"` // -1 when it is not known
	WireBytes   int64    `json:"wireBytes"`
	PlainSHA256 string   `json:"plainSha256,omitempty"`
	WireSHA256  string   `json:"wireSha256,omitempty"`

	Found  *facts `json:"found,omitempty"` // once it was checked; it may be about to be put in its place
	Placed bool   `json:"placed,omitempty"`
}

// folder is the folder of an export. It belongs to one process at a time.
type folder struct {
	dir  string
	lock *flock.Flock
}

// openFolder makes the folder where it is not there. What is in it is people's
// claims, so nobody else may look.
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, private), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, private, "lock"))
	if mine, err := lock.TryLock(); err != nil {
		return nil, err
	} else if !mine {
		return nil, fault(Usage, "Wait for it, or give this one a folder of its own.", "another process is fetching an export into %s", dir)
	}
	return &folder{dir, lock}, nil
}

func (f *folder) close() { _ = f.lock.Close() }

func (f *folder) path(name string) string    { return filepath.Join(f.dir, name) }
func (f *folder) private(name string) string { return filepath.Join(f.dir, private, name) }

// load returns what is known of the export in the folder, and nil if there is none.
func (f *folder) load() (*state, error) {
	text, err := os.ReadFile(f.private("state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", f.private("state.json"), err)
	}
	if s.Format != 1 {
		return nil, fault(Usage, "Use that version, or another folder.", "%s was begun by another version of this program", f.dir)
	}
	return &s, nil
}

func (f *folder) save(s *state) error {
	s.Format = 1
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeDurably(f.private("state.json"), text)
}

// forget removes what is known of the export, and what was fetched of it.
func (f *folder) forget(s *state) error {
	var errs []error
	for _, one := range s.Files {
		names, err := filepath.Glob(f.path(strings.TrimSuffix(one.Name, ".ndjson") + ".*"))
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(name))
		}
	}
	errs = append(errs, f.tidy())
	if err := os.Remove(f.path("manifest.json")); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	// Last: as long as it is there, this can be done again.
	return errors.Join(append(errs, os.Remove(f.private("state.json")), syncDir(filepath.Join(f.dir, private)))...)
}

// tidy removes what a process that was killed had no time to remove.
func (f *folder) tidy() error {
	entries, err := os.ReadDir(filepath.Join(f.dir, private))
	errs := []error{err}
	for _, e := range entries {
		if e.Name() != "lock" && e.Name() != "state.json" {
			errs = append(errs, os.Remove(f.private(e.Name())))
		}
	}
	return errors.Join(errs...)
}

// writeDurably puts a file in its place as a whole: after a power cut there is
// the old one or the new one.
func writeDurably(name string, content []byte) error {
	temporary := name + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return moveDurably(temporary, name)
}

// moveDurably renames a file whose bytes are on disk already.
func moveDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir has the names in a folder on disk. Windows keeps a journal of them, and
// has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
