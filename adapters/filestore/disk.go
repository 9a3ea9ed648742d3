package filestore

import (
	"io"
	"os"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// disk is what changes something, apart so that tests can have it fail where a
// real one would: at any byte, at a flush, at the rename.
type disk interface {
	MkdirAll(dir string) error
	Create(name string) (handle, error) // fails when it exists
	Rename(from, to string) error
	Remove(name string) error // a file or an empty directory
	SyncDir(dir string) error // makes the names in it durable
}

// handle is a file that is being written.
type handle interface {
	io.WriteCloser
	Sync() error
}

// rootDisk is the real one. A root never leads out of its directory, by a
// symbolic link neither.
type rootDisk struct{ root *os.Root }

func (d rootDisk) MkdirAll(dir string) error    { return d.root.MkdirAll(dir, dirMode) }
func (d rootDisk) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d rootDisk) Remove(name string) error     { return d.root.Remove(name) }

func (d rootDisk) Create(name string) (handle, error) {
	return d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
}

func (d rootDisk) SyncDir(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
