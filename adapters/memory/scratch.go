package memory

import (
	"bytes"
	"sync/atomic"

	"cms.gov/ab2d/ports"
)

// Scratch gives room in memory. It counts how often it was asked.
type Scratch struct{ opened atomic.Int64 }

var _ ports.Scratch = (*Scratch)(nil)

// Opened returns how many files were asked for so far.
func (s *Scratch) Opened() int { return int(s.opened.Load()) }

// Open implements ports.Scratch.
func (s *Scratch) Open() (ports.ScratchFile, error) {
	s.opened.Add(1)
	return &scratchFile{}, nil
}

type scratchFile struct{ bytes.Buffer }

func (f *scratchFile) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(f.Bytes()).ReadAt(b, off)
}

func (f *scratchFile) Close() error { return nil }
