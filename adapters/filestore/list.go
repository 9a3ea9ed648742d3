package filestore

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"

	"cms.gov/ab2d/ports"
)

// listBatch is how many names of a directory are held at a time.
const listBatch = 256

// List yields the files whose names begin with the prefix, in no order. Those
// that are being written, or were when their process died, come with
// Committed false and a key that Delete takes. Names that are neither are not
// ours and are left out. A prefix that no key begins with yields nothing.
//
// What comes and goes meanwhile may be in it or not; deleting what was just
// yielded is fine. Any error, that of ctx too, ends the list.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		dir := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			if dir = prefix[:i]; checkKey(dir) != nil {
				return
			}
		}
		l := lister{ctx: ctx, store: s, prefix: prefix, yield: yield}
		if err := l.walk(dir); err != nil && !l.stopped {
			yield(ports.FileInfo{}, err)
		}
	}
}

type lister struct {
	ctx     context.Context
	store   *Store
	prefix  string
	yield   func(ports.FileInfo, error) bool
	stopped bool
}

// walk lists a directory and those in it. One that vanished has nothing in it.
func (l *lister) walk(dir string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	d, err := l.store.root.Open(dir)
	if missing(err) {
		return nil
	}
	if err != nil {
		return failed("list files", err)
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(listBatch)
		for _, e := range entries {
			if err := l.visit(path.Join(dir, e.Name()), e); err != nil || l.stopped {
				return err
			}
		}
		if err == io.EOF || missing(err) {
			return nil
		}
		if err != nil {
			return failed("list files", err)
		}
	}
}

func (l *lister) visit(name string, e fs.DirEntry) error {
	if e.IsDir() {
		if checkKey(name) != nil || !l.leads(name) {
			return nil
		}
		return l.walk(name)
	}
	key := finalKey(name)
	if !e.Type().IsRegular() || !strings.HasPrefix(name, l.prefix) || checkKey(key) != nil {
		return nil
	}
	if err := l.ctx.Err(); err != nil {
		return err
	}
	info, err := l.store.root.Lstat(name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return failed("list files", err)
	}
	l.stopped = !l.yield(ports.FileInfo{
		Key:       name,
		Bytes:     info.Size(),
		Modified:  info.ModTime(),
		Committed: key == name,
	}, nil)
	return nil
}

// leads tells whether names in the directory can begin with the prefix.
func (l *lister) leads(dir string) bool {
	dir += "/"
	return strings.HasPrefix(dir, l.prefix) || strings.HasPrefix(l.prefix, dir)
}
