// Package filestore keeps files in a directory.
//
// A file is written under a temporary name beside the final one, flushed to the
// disk, and only then given its name, so nobody can open half of one. The
// temporary name contains a '~', which no key can: it is never served, it is
// told apart in lists, and what a killed process left behind can be deleted by
// the name the list gives it.
//
// Several processes may use one directory at once. Files are readable by their
// owner alone (0600, directories 0700).
package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// retryAfter is how long to wait when the disk is full: files are swept by the
// minute, and an export should go on soon after there is room.
const retryAfter = 10 * time.Second

// createAttempts bounds how often Create makes the directories again when
// deletes of their last files take them away under it.
const createAttempts = 100

// Store is a directory of files. It is safe for concurrent use.
//
// Beyond the contract of ports.Files: a part of a key has at most 200
// characters and a key at most 1024; and since parts are directories, one key
// cannot begin with another and a slash (a conflict).
type Store struct {
	root *os.Root
	disk disk
}

var _ ports.Files = (*Store)(nil)

// New opens the store in dir, which is made when it is not there.
func New(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, failed("make the file store's directory", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failed("open the file store's directory", err)
	}
	return &Store{root: root, disk: rootDisk{root}}, nil
}

// Close lets go of the directory. Files that are open can still be read;
// nothing else works any more.
func (s *Store) Close() error { return s.root.Close() }

// Check asks whether the directory is there. A full one is: files in it can
// still be fetched and deleted.
func (s *Store) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.root.Stat("."); err != nil {
		return failed("look into the file store's directory", err)
	}
	return nil
}

// Create starts a file. A malformed key is an invalid error. When the disk is
// full it fails as unavailable. Once ctx ends, Write and Commit return its
// error. A process that dies before Commit leaves a temporary file, which List
// yields.
func (s *Store) Create(ctx context.Context, key string) (ports.FileWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	temp := key + tempMark + rand.Text()
	f, err := s.createTemp(temp)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return nil, taken(err) // a file where the key has a directory
	}
	if err != nil {
		return nil, failed("create a file", err)
	}
	return &writer{ctx: ctx, store: s, key: key, temp: temp, file: f}, nil
}

// createTemp creates the file and the directories it is in. Directories vanish
// when their last file is deleted, and that may be now; once the file is in one
// it stays.
func (s *Store) createTemp(temp string) (f handle, err error) {
	for range createAttempts {
		if err = s.disk.MkdirAll(path.Dir(temp)); err == nil {
			if f, err = s.disk.Create(temp); err == nil {
				return f, nil
			}
		}
		// A directory that is there to mkdir and gone the next moment is told as
		// one that exists.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	s.prune(path.Dir(temp))
	return nil, err
}

// Open opens a committed file, or returns not_found. A malformed key is an
// invalid error. A file that is deleted while open can be read to its end.
//
// The file is an *os.File within, so that whoever sends it can leave that to the
// kernel.
func (s *Store) Open(ctx context.Context, key string) (ports.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, failed("open a file", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist // a directory: the beginning of other keys
	}
	if err != nil {
		_ = f.Close()
		return nil, failed("open a file", err)
	}
	return &file{File: f, size: info.Size()}, nil
}

// file is an open file.
type file struct {
	*os.File
	size int64
}

// Size returns the size, which never changes.
func (f *file) Size() int64 { return f.size }

// Delete removes a file, committed or as List named it, and the directories
// that this leaves empty. One that is not there is no error; a malformed key is
// an invalid error. Deleting a file that is being written makes its Commit fail.
//
// It does not wait for the disk: after a power failure a deleted file may be
// there again, and whoever sweeps deletes it again.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(finalKey(key)); err != nil {
		return err
	}
	info, err := s.root.Lstat(key)
	if err == nil && !info.IsDir() {
		err = s.disk.Remove(key)
	}
	if err != nil && !missing(err) {
		return failed("delete a file", err)
	}
	s.prune(path.Dir(key))
	return nil
}

// prune removes directories that are empty, from dir upwards. It is a courtesy:
// the first that cannot be removed, mostly since it is not empty, ends it.
func (s *Store) prune(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		// The slash makes sure that a file which took the directory's place stays.
		if err := s.disk.Remove(dir + "/"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}

// missing tells that there is no such file; a file where the path wants a
// directory says the same.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// failed turns an error of the file system into one of ours.
func failed(what string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e := domain.Errorf(domain.Unavailable, "The file store is full.").Because(err)
		e.RetryAfter = retryAfter
		return e
	case missing(err):
		return domain.Errorf(domain.NotFound, "There is no such file.").Because(err)
	}
	return fmt.Errorf("filestore: %s: %w", what, err)
}

// taken is the conflict of a key with a file or directory that is there.
func taken(err error) error {
	return domain.Errorf(domain.Conflict, "The file store has something else under this key.").Because(err)
}
