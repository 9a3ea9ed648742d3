package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"cms.gov/ab2d/domain"
)

// writer writes one file.
type writer struct {
	ctx   context.Context // of Create: the work this file is for
	store *Store
	key   string
	temp  string
	file  handle

	state state
	err   error // the first failure; such a file cannot be committed
}

// state is how far a writer is.
type state int

const (
	writing state = iota
	committed
	dropped
)

// Write writes to the temporary file. When the disk is full it returns an
// unavailable error. After an error the file can only be aborted.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = failed("write a file", err)
	}
	return n, w.err
}

func (w *writer) usable() error {
	if w.state != writing {
		return fmt.Errorf("filestore: the file is finished: %w", fs.ErrClosed)
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	return w.err
}

// Commit flushes the file to the disk, gives it its name, and flushes the
// directories: when it returns nil, the file survives a power failure. After an
// error nothing is left of it. A key that has a file is a conflict, and that
// file stays as it is; so is a temporary file that was deleted meanwhile. A
// second time it does nothing, and fails if the file was dropped.
func (w *writer) Commit() error {
	if w.state == committed {
		return nil
	}
	if err := w.usable(); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.publish(); err != nil {
		return errors.Join(err, w.drop())
	}
	w.state = committed
	return nil
}

// publish does the steps of Commit, the temporary file being open.
func (w *writer) publish() error {
	if err := w.file.Sync(); err != nil {
		return failed("flush a file", err)
	}
	err := w.file.Close()
	w.file = nil
	if err != nil {
		return failed("flush a file", err)
	}
	// A rename replaces what is there. Writers have keys of their own, so this
	// look before it is not for a race but for a mistake.
	if _, err := w.store.root.Lstat(w.key); err == nil {
		return taken(fs.ErrExist)
	}
	err = w.store.disk.Rename(w.temp, w.key)
	if missing(err) {
		return domain.Errorf(domain.Conflict, "The file was deleted while it was written.").Because(err)
	}
	if err != nil {
		return failed("name a file", err)
	}
	if err := w.store.syncDirs(path.Dir(w.key)); err != nil {
		return errors.Join(failed("flush a directory", err), w.remove(w.key))
	}
	return nil
}

// syncDirs makes the names from dir up to the root durable. It does not matter
// who made the directories: another writer that did may not have flushed yet.
func (s *Store) syncDirs(dir string) error {
	for {
		if err := s.disk.SyncDir(dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// Abort drops the file. After Commit, or a second time, it does nothing.
func (w *writer) Abort() error {
	if w.state != writing {
		return nil
	}
	return w.drop()
}

// drop removes what was written, and the directories that this leaves empty.
func (w *writer) drop() error {
	w.state = dropped
	if w.file != nil {
		_ = w.file.Close() // its bytes are not wanted, and a full disk may complain here
		w.file = nil
	}
	err := w.remove(w.temp)
	w.store.prune(path.Dir(w.temp))
	return err
}

func (w *writer) remove(name string) error {
	if err := w.store.disk.Remove(name); err != nil && !missing(err) {
		return failed("remove a file", err)
	}
	return nil
}
