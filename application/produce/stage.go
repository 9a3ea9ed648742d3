package produce

import (
	"errors"
	"fmt"
	"sync"

	"cms.gov/ab2d/ports"
)

// stage holds the finished lines of one enrollee until all of that person's
// pages have come: in memory up to a limit, on disk beyond it.
type stage struct {
	limit   int
	scratch ports.Scratch
	ahead   *ahead
	counted int // bytes of it that ahead knows of

	mem    []byte
	held   *[]byte // where mem is from, nil while there is none
	file   ports.ScratchFile
	chunks []int // the lengths of what was spilled, whole lines each
	buf    []byte
}

// scratchError tells a want of room of ours from a fault of the source.
type scratchError struct{ error }

func (e scratchError) Unwrap() error { return e.error }

// rooms are buffers that no stage holds. Every partition has stages of its own,
// each of which would make its buffer anew: that was two thirds of all that an
// export from BFD allocated.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// room returns the buffer that the next line is appended to.
func (s *stage) room() []byte {
	if s.held == nil {
		s.held = rooms.Get().(*[]byte)
		s.mem = (*s.held)[:0]
	}
	return s.mem
}

// keep takes back what room returned with one more line appended.
func (s *stage) keep(mem []byte) error {
	more := len(mem) - len(s.mem)
	s.mem, s.counted = mem, s.counted+more
	full := s.ahead.take(more)
	if len(s.mem) < s.limit && !(full && len(s.mem) >= keptRoom) {
		return nil
	}
	return s.spill()
}

func (s *stage) spill() error {
	if s.file == nil {
		file, err := s.scratch.Open()
		if err != nil {
			return scratchError{fmt.Errorf("staging an enrollee's claims: %w", err)}
		}
		s.file = file
	}
	if _, err := s.file.Write(s.mem); err != nil {
		return scratchError{fmt.Errorf("staging an enrollee's claims: %w", err)}
	}
	s.chunks = append(s.chunks, len(s.mem))
	s.mem = s.mem[:0]
	return nil
}

// size returns how many bytes were kept.
func (s *stage) size() int64 {
	n := int64(len(s.mem))
	for _, chunk := range s.chunks {
		n += int64(chunk)
	}
	return n
}

// each passes everything that was kept to fn, in pieces of whole lines.
func (s *stage) each(fn func(chunk []byte) error) error {
	at := int64(0)
	for _, n := range s.chunks {
		if cap(s.buf) < n {
			s.buf = make([]byte, n)
		}
		if _, err := s.file.ReadAt(s.buf[:n], at); err != nil {
			return scratchError{fmt.Errorf("reading back an enrollee's claims: %w", err)}
		}
		at += int64(n)
		if err := fn(s.buf[:n]); err != nil {
			return err
		}
	}
	if len(s.mem) == 0 {
		return nil
	}
	return fn(s.mem)
}

// keptRoom is how much room in memory is kept for the next enrollee, and how
// little is not worth a scratch file when there is little room.
const keptRoom = 256 << 10

// leave tells that what is staged does not wait any more.
func (s *stage) leave() {
	s.ahead.give(s.counted)
	s.counted = 0
	if s.held == nil {
		return
	}
	if cap(s.mem) <= keptRoom {
		*s.held = s.mem
		rooms.Put(s.held)
	}
	s.mem, s.held = nil, nil
}

// reset empties the stage for another enrollee, or the same one again. Few
// people fill a scratch file, so it is not kept for the next.
func (s *stage) reset() error {
	s.leave()
	s.chunks = s.chunks[:0]
	return s.close()
}

func (s *stage) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.buf = nil, nil
	if err != nil {
		return scratchError{errors.New("closing scratch: " + err.Error())}
	}
	return nil
}
