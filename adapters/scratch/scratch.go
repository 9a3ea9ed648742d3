// Package scratch gives room on disk for what is being put together. A file is
// unlinked as soon as it is open, so the system takes it back however the
// process ends.
package scratch

import (
	"errors"
	"os"
	"syscall"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Dir is a directory to make scratch files in.
type Dir struct{ path string }

var _ ports.Scratch = Dir{}

// New makes the directory if need be. An empty path is the system's own place
// for temporary files.
func New(path string) (Dir, error) {
	if path == "" {
		path = os.TempDir()
	}
	return Dir{path}, os.MkdirAll(path, 0o700)
}

// Open returns an empty file that nobody else can reach.
func (d Dir) Open() (ports.ScratchFile, error) {
	f, err := os.CreateTemp(d.path, "ab2d-scratch-*")
	if err != nil {
		return nil, full(err)
	}
	return &file{f}, os.Remove(f.Name())
}

type file struct{ *os.File }

func (f *file) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, full(err)
}

// full turns a want of room into the error that makes work wait rather than fail.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e := domain.Errorf(domain.Unavailable, "There is no room for temporary files.").Because(err)
		e.RetryAfter = 30 * time.Second
		return e
	}
	return err
}
