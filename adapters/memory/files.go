package memory

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Files implements ports.Files.
type Files struct {
	mu    sync.Mutex
	files map[string]*stored
	full  bool
}

var _ ports.Files = (*Files)(nil)

// stored is one file. Its bytes do not change once it is committed.
type stored struct {
	bytes     []byte
	modified  time.Time
	committed bool
}

// NewFiles returns an empty store of files.
func NewFiles() *Files { return &Files{files: map[string]*stored{}} }

// SetFull has the store refuse further bytes, as a full disk does, or take them
// again.
func (f *Files) SetFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// Create implements ports.Files.
func (f *Files) Create(ctx context.Context, key string) (ports.FileWriter, error) {
	if err := firstOf(ctx.Err(), ports.CheckKey(key)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if there := f.files[key]; there != nil {
		return nil, domain.Errorf(domain.Conflict, "there is a file under %s already", key)
	}
	s := &stored{modified: time.Now()}
	f.files[key] = s
	return &writer{ctx: ctx, in: f, key: key, file: s}, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Open implements ports.Files.
func (f *Files) Open(ctx context.Context, key string) (ports.File, error) {
	if err := firstOf(ctx.Err(), ports.CheckKey(key)); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.files[key]
	if s == nil || !s.committed {
		return nil, domain.Errorf(domain.NotFound, "there is no file under %s", key)
	}
	return file{bytes.NewReader(s.bytes)}, nil
}

// Delete implements ports.Files.
func (f *Files) Delete(ctx context.Context, key string) error {
	if err := firstOf(ctx.Err(), ports.CheckKey(key)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, key)
	return nil
}

// List implements ports.Files.
func (f *Files) List(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		for _, info := range f.under(prefix) {
			if err := ctx.Err(); err != nil {
				yield(ports.FileInfo{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(ports.FileInfo{}, err)
		}
	}
}

func (f *Files) under(prefix string) []ports.FileInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	var infos []ports.FileInfo
	for key, s := range f.files {
		if strings.HasPrefix(key, prefix) {
			infos = append(infos, ports.FileInfo{Key: key, Bytes: int64(len(s.bytes)), Modified: s.modified, Committed: s.committed})
		}
	}
	slices.SortFunc(infos, func(a, b ports.FileInfo) int { return strings.Compare(a.Key, b.Key) })
	return infos
}

type writer struct {
	ctx  context.Context
	in   *Files
	key  string
	file *stored
	done bool
}

var errDone = errors.New("the file is finished")

func (w *writer) Write(p []byte) (int, error) {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	switch {
	case w.done:
		return 0, errDone
	case w.ctx.Err() != nil:
		return 0, w.ctx.Err()
	case w.in.full:
		return 0, domain.Errorf(domain.Unavailable, "the store is full")
	}
	w.file.bytes = append(w.file.bytes, p...)
	w.file.modified = time.Now()
	return len(p), nil
}

func (w *writer) Commit() error {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	if w.done {
		if w.file.committed {
			return nil
		}
		return errDone
	}
	w.done = true
	if err := w.ctx.Err(); err != nil {
		w.drop()
		return err
	}
	if w.in.files[w.key] != w.file {
		return domain.Errorf(domain.NotFound, "%s was deleted while it was written", w.key)
	}
	w.file.committed = true
	return nil
}

func (w *writer) Abort() error {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	if !w.done {
		w.done = true
		w.drop()
	}
	return nil
}

func (w *writer) drop() {
	if w.in.files[w.key] == w.file {
		delete(w.in.files, w.key)
	}
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }
