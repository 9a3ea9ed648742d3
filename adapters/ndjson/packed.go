package ndjson

import (
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
)

// blockSize is how many plain bytes of a gzip file are packed together: enough
// to pack well, and little to unpack for one claim.
const blockSize = 128 << 10

// packer packs plain bytes into blocks, all of the same plain size but the last.
type packer struct {
	out    *indexWriter
	plain  []byte
	packed []byte
	starts []int64 // where each block begins in the index
}

func (p *packer) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		room := min(blockSize-len(p.plain), len(b))
		p.plain = append(p.plain, b[:room]...)
		b = b[room:]
		if len(p.plain) == blockSize {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (p *packer) flush() error {
	if len(p.plain) == 0 {
		return nil
	}
	p.starts = append(p.starts, p.out.at)
	p.packed = s2.Encode(p.packed[:cap(p.packed)], p.plain)
	p.plain = p.plain[:0]
	_, err := p.out.Write(p.packed)
	return err
}

// end packs what is left and returns where every block begins, and where the
// last one ends.
func (p *packer) end() ([]int64, error) {
	err := p.flush()
	return append(p.starts, p.out.at), err
}

// unpacker reads packed bytes at any place. It keeps the block it was at.
type unpacker struct {
	index  *os.File
	starts []int64
	*buffers
	block int // the one in plain; -1 for none
}

// ReadAt implements io.ReaderAt over the plain bytes.
func (u *unpacker) ReadAt(b []byte, offset int64) (int, error) {
	done := 0
	for done < len(b) {
		block, from := int((offset+int64(done))/blockSize), int((offset+int64(done))%blockSize)
		if block >= len(u.starts)-1 {
			return done, io.EOF
		}
		if err := u.enter(block); err != nil {
			return done, err
		}
		if from >= len(u.plain) {
			return done, io.EOF
		}
		done += copy(b[done:], u.plain[from:])
	}
	return done, nil
}

func (u *unpacker) enter(block int) error {
	if block == u.block {
		return nil
	}
	u.block = -1
	size := int(u.starts[block+1] - u.starts[block])
	if cap(u.packed) < size {
		u.packed = make([]byte, size)
	}
	u.packed = u.packed[:size]
	if _, err := u.index.ReadAt(u.packed, u.starts[block]); err != nil {
		return fmt.Errorf("the index of claims: %w", err)
	}
	plain, err := s2.Decode(u.plain[:cap(u.plain)], u.packed)
	if err != nil {
		return fmt.Errorf("the index of claims: %w", err)
	}
	u.plain, u.block = plain, block
	return nil
}
