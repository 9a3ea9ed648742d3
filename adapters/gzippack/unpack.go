package gzippack

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/flate"

	"cms.gov/ab2d/domain"
)

// readSize is how much is read of a stored form at a time.
const readSize = 64 << 10

// decoder is the large part of a reader, kept for the next one.
type decoder struct {
	in      *bufio.Reader
	inflate io.Reader // a flate reader, which is also a flate.Resetter
	skip    []byte    // where bytes before the offset go
}

var decoders = sync.Pool{New: func() any {
	in := bufio.NewReaderSize(nil, readSize)
	return &decoder{in: in, inflate: flate.NewReader(in), skip: make([]byte, 32<<10)}
}}

// Unpack returns the plain bytes from offset to the end, and no bytes when the
// offset is at the end or beyond. With the index that Finish returned it seeks
// to the segment that holds the offset; with an empty one it reads from the
// start. Either way it skips to the offset before it returns, so that a stored
// form that cannot be entered there fails here and not while it is sent.
//
// A negative offset is an invalid error. An index or bytes that Pack did not
// make fail with ErrCorrupt, here or from Read; the reader ends with io.EOF only
// after the sum and size at the end of the stored form were right, and nothing
// came after them. Errors of src are passed on.
//
// The reader holds src until it is closed, but src is the caller's to close.
func (Packing) Unpack(src io.ReadSeeker, encoded []byte, offset int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, domain.Errorf(domain.Invalid, "A file has no byte before its first.")
	}
	r := &reader{}
	if len(encoded) > 0 {
		x, err := decodeIndex(encoded)
		if err != nil {
			return nil, err
		}
		if offset >= x.plain {
			return &reader{err: io.EOF}, nil
		}
		r.index = x
	}
	if err := r.open(src, offset); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// reader inflates, and checks while it does.
type reader struct {
	dec   *decoder
	index *index // nil without one
	next  int64  // the segment whose end is not yet reached
	at    int64  // plain bytes passed, those before the offset included
	sum   uint32 // of them
	err   error  // what Read says from now on
}

// open goes to the offset.
func (r *reader) open(src io.ReadSeeker, offset int64) error {
	start := entry{}
	if r.index != nil {
		r.next = offset / r.index.segment
		if r.next > 0 {
			start = r.index.start(r.next)
			r.at = r.next * r.index.segment
		}
	}
	if _, err := src.Seek(start.stored, io.SeekStart); err != nil {
		return err
	}
	r.dec = decoders.Get().(*decoder)
	r.dec.in.Reset(src)
	r.sum = start.sum
	if start.stored == 0 {
		if err := r.header(); err != nil {
			return err
		}
	}
	if err := r.dec.inflate.(flate.Resetter).Reset(r.dec.in, nil); err != nil {
		return err
	}
	return r.skipTo(offset)
}

// header reads the first bytes, which are always the same.
func (r *reader) header() error {
	var got [len(header)]byte
	if _, err := io.ReadFull(r.dec.in, got[:]); err != nil {
		return fixedError(err)
	}
	if got != header {
		return fmt.Errorf("%w: not the header of a stored form", ErrCorrupt)
	}
	return nil
}

// skipTo passes the bytes before the offset. An end before it is no error.
func (r *reader) skipTo(offset int64) error {
	for r.at < offset {
		_, err := r.Read(r.dec.skip[:min(offset-r.at, int64(len(r.dec.skip)))])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read returns the next plain bytes.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.dec.inflate.Read(p)
	if r.err = r.check(p[:n]); r.err != nil {
		return 0, r.err
	}
	if err == io.EOF {
		r.err = r.trailer()
	} else {
		r.err = deflateError(err)
	}
	return n, r.err
}

// check adds bytes to the sum and compares it at the end of each segment that
// they reach.
func (r *reader) check(b []byte) error {
	for r.index != nil && r.next < int64(len(r.index.entries)) {
		end := min((r.next+1)*r.index.segment, r.index.plain)
		if r.at+int64(len(b)) < end {
			break
		}
		n := end - r.at
		r.add(b[:n])
		if r.sum != r.index.entries[r.next].sum {
			return fmt.Errorf("%w: wrong sum at plain byte %d", ErrCorrupt, r.at)
		}
		b = b[n:]
		r.next++
	}
	r.add(b)
	if r.index != nil && r.at > r.index.plain {
		return fmt.Errorf("%w: longer than its index says", ErrCorrupt)
	}
	return nil
}

func (r *reader) add(b []byte) {
	r.sum = crc32.Update(r.sum, crc32.IEEETable, b)
	r.at += int64(len(b))
}

// trailer reads what comes after the final block. It returns io.EOF when all is
// as it should be.
func (r *reader) trailer() error {
	var got [trailerSize]byte
	if _, err := io.ReadFull(r.dec.in, got[:]); err != nil {
		return fixedError(err)
	}
	sum, size := binary.LittleEndian.Uint32(got[:4]), binary.LittleEndian.Uint32(got[4:])
	if sum != r.sum || size != uint32(r.at) {
		return fmt.Errorf("%w: wrong sum or size at the end", ErrCorrupt)
	}
	if r.index != nil && r.at != r.index.plain {
		return fmt.Errorf("%w: shorter than its index says", ErrCorrupt)
	}
	_, err := r.dec.in.ReadByte()
	if err == nil {
		return fmt.Errorf("%w: bytes after the end", ErrCorrupt)
	}
	return err
}

// Close lets go of src and does not close it.
func (r *reader) Close() error {
	if r.dec != nil {
		r.dec.in.Reset(nil)
		decoders.Put(r.dec)
		r.dec = nil
	}
	r.err = fs.ErrClosed
	return nil
}

// deflateError tells bytes that are wrong from bytes that could not be read.
func deflateError(err error) error {
	var bad flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// fixedError does the same for reads of a fixed length, where any end is early.
func fixedError(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return deflateError(err)
}
