package gzippack

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"cms.gov/ab2d/ports"
)

var errFinished = errors.New("gzippack: write after Finish")

// writeSize is how much is gathered before dst is written to: the compressor
// hands out a few hundred bytes at a time.
const writeSize = 64 << 10

// encoder is the large part of a packer, kept for the next one.
type encoder struct {
	deflate *flate.Writer
	out     *bufio.Writer
	written int64 // stored bytes, those that out still holds included
}

// Write is where deflate puts what it made.
func (e *encoder) Write(p []byte) (int, error) {
	e.written += int64(len(p))
	return e.out.Write(p)
}

var encoders = sync.Pool{New: func() any { return newEncoder(level) }}

func newEncoder(level int) *encoder {
	e := &encoder{out: bufio.NewWriterSize(nil, writeSize)}
	var err error
	if e.deflate, err = flate.NewWriter(e, level); err != nil {
		panic(err) // the level is a constant of ours
	}
	return e
}

// Pack returns a packer that writes the stored form to dst, in pieces of up to
// 64 KiB and to the end by Finish. The bytes depend on nothing but what is
// written to it. Once dst fails, Write and Finish return its error.
//
// A packer that is dropped without Finish leaves nothing behind; dst is the
// caller's to close.
func (Packing) Pack(dst io.Writer) ports.Packer {
	return encoders.Get().(*encoder).begin(dst)
}

// begin starts a file.
func (e *encoder) begin(dst io.Writer) *packer {
	e.out.Reset(dst)
	e.written = 0
	p := &packer{enc: e}
	_, p.err = e.Write(header[:])
	return p
}

// packer is one file in the making.
type packer struct {
	enc     *encoder
	index   index
	sum     uint32 // of all plain bytes so far
	segment int    // plain bytes in the segment that is open; 0 when none is
	err     error  // the first failure; nothing is written after it
}

// Write packs b. It returns an error of dst, also one of an earlier piece, and
// always fails after Finish.
func (p *packer) Write(b []byte) (n int, err error) {
	for p.err == nil && len(b) > 0 {
		part := b[:min(len(b), segmentSize-p.segment)]
		p.add(part)
		if p.err == nil {
			n += len(part)
		}
		b = b[len(part):]
	}
	return n, p.err
}

// add takes bytes of one segment.
func (p *packer) add(b []byte) {
	if p.segment == 0 {
		p.enc.deflate.Reset(p.enc)
	}
	if _, p.err = p.enc.deflate.Write(b); p.err != nil {
		return
	}
	p.sum = crc32.Update(p.sum, crc32.IEEETable, b)
	p.index.plain += int64(len(b))
	p.segment += len(b)
	if p.segment == segmentSize {
		p.endSegment()
	}
}

func (p *packer) endSegment() {
	if p.err = p.enc.deflate.Flush(); p.err != nil {
		return
	}
	p.index.entries = append(p.index.entries, entry{p.enc.written, p.sum})
	p.segment = 0
}

// Finish writes the end and returns the index, which readers need to start in
// the middle. It is called once.
func (p *packer) Finish() ([]byte, error) {
	if p.err == nil && p.segment > 0 {
		p.endSegment()
	}
	if p.err == nil {
		p.err = p.end()
	}
	if p.err != nil {
		// The encoder is not used again: it may hold half a segment.
		p.enc = nil
		return nil, p.err
	}
	p.enc.out.Reset(nil)
	encoders.Put(p.enc)
	p.enc, p.err = nil, errFinished
	p.index.segment = segmentSize
	return p.index.encode(), nil
}

// end writes the final block and the trailer, and all that was held back.
func (p *packer) end() error {
	var tail [len(finalBlock) + trailerSize]byte
	n := copy(tail[:], finalBlock[:])
	binary.LittleEndian.PutUint32(tail[n:], p.sum)
	binary.LittleEndian.PutUint32(tail[n+4:], uint32(p.index.plain))
	if _, err := p.enc.Write(tail[:]); err != nil {
		return err
	}
	return p.enc.out.Flush()
}
