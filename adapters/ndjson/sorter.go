package ndjson

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
)

// sorter puts any number of records in the byte order of their keys, with the
// memory of one run: full runs are sorted and wait on disk, and all are merged
// in the end. Records with equal keys come in no certain order.
type sorter struct {
	dir   string
	limit int // bytes of a run

	buf  []byte
	at   []int // where the records in buf begin
	runs []*os.File
}

func newSorter(dir string, limit int) *sorter { return &sorter{dir: dir, limit: limit} }

// record is a key and what belongs to it.
type record struct{ key, value []byte }

func (s *sorter) add(key, value []byte) error {
	if len(s.buf) > 0 && len(s.buf)+len(key)+len(value) > s.limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.at = append(s.at, len(s.buf))
	s.buf = binary.AppendUvarint(s.buf, uint64(len(key)))
	s.buf = binary.AppendUvarint(s.buf, uint64(len(value)))
	s.buf = append(append(s.buf, key...), value...)
	return nil
}

func recordAt(b []byte) (r record, size int) {
	k, n := binary.Uvarint(b)
	v, m := binary.Uvarint(b[n:])
	from := n + m
	mid, end := from+int(k), from+int(k)+int(v)
	return record{b[from:mid], b[mid:end]}, end
}

func (s *sorter) sort() {
	slices.SortFunc(s.at, func(a, b int) int {
		x, _ := recordAt(s.buf[a:])
		y, _ := recordAt(s.buf[b:])
		return bytes.Compare(x.key, y.key)
	})
}

// spill writes the run out, to a file without a name: it is gone when the
// process is, however that ends.
func (s *sorter) spill() error {
	f, err := os.CreateTemp(s.dir, "run-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	s.sort()
	w := bufio.NewWriterSize(f, 1<<18)
	for _, at := range s.at {
		_, size := recordAt(s.buf[at:])
		if _, err := w.Write(s.buf[at : at+size]); err != nil {
			return err
		}
	}
	s.buf, s.at = s.buf[:0], s.at[:0]
	return w.Flush()
}

// sorted yields all records in order. A record lives until the next is asked
// for. It ends the sorter: nothing can be added afterwards.
func (s *sorter) sorted() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		s.sort()
		m := merge{&memoryRun{s: s}}
		for _, f := range s.runs {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				yield(record{}, err)
				return
			}
			m = append(m, &diskRun{r: bufio.NewReaderSize(f, 1<<16)})
		}
		for i := len(m) - 1; i >= 0; i-- {
			if more, err := m[i].next(); err != nil {
				yield(record{}, err)
				return
			} else if !more {
				m = slices.Delete(m, i, i+1)
			}
		}
		heap.Init(&m)
		for len(m) > 0 {
			if !yield(m[0].head(), nil) {
				return
			}
			if more, err := m[0].next(); err != nil {
				yield(record{}, err)
				return
			} else if !more {
				heap.Pop(&m)
			} else {
				heap.Fix(&m, 0)
			}
		}
	}
}

func (s *sorter) close() {
	for _, f := range s.runs {
		_ = f.Close() // unlinked, and read through
	}
}

// run is one of the sorted sequences that are merged.
type run interface {
	next() (more bool, err error)
	head() record
}

type memoryRun struct {
	s *sorter
	i int
	r record
}

func (m *memoryRun) next() (bool, error) {
	if m.i == len(m.s.at) {
		return false, nil
	}
	m.r, _ = recordAt(m.s.buf[m.s.at[m.i]:])
	m.i++
	return true, nil
}

func (m *memoryRun) head() record { return m.r }

type diskRun struct {
	r   *bufio.Reader
	buf []byte
	rec record
}

func (d *diskRun) next() (bool, error) {
	k, err := binary.ReadUvarint(d.r)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	v, err2 := binary.ReadUvarint(d.r)
	if err := errors.Join(err, err2); err != nil {
		return false, err
	}
	d.buf = slices.Grow(d.buf[:0], int(k+v))[:k+v]
	if _, err := io.ReadFull(d.r, d.buf); err != nil {
		return false, err
	}
	d.rec = record{d.buf[:k], d.buf[k:]}
	return true, nil
}

func (d *diskRun) head() record { return d.rec }

// merge is a heap of runs by the keys of their heads.
type merge []run

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return bytes.Compare(m[i].head().key, m[j].head().key) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(run)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
