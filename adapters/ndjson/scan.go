package ndjson

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// maxLine is far beyond any resource: what is longer is no NDJSON, and would
// not fit into flat memory.
const maxLine = 256 << 20

// place is where a line lies in the plain bytes of its file. Length is without
// the white space around it.
type place struct {
	number         int // from 1
	offset, length int64
}

// scan hands over every line of a file that is not blank. plain, when given,
// gets the plain bytes of a gzip file as well. An error names file and line.
func scan(ctx context.Context, path string, gzipped bool, plain io.Writer, take func(raw []byte, at place) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = f
	if gzipped {
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		in = io.TeeReader(z, plain)
	}
	lines := &lineReader{in: bufio.NewReaderSize(in, 1<<20)}
	at := place{}
	for {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		at.number++
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			text := bytes.TrimRight(raw, " \t\r\n")
			at.length = int64(len(text))
			if space(text, 0) < len(text) {
				err = take(text, at)
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, at.number, err)
		}
		at.offset += int64(len(raw))
	}
}

// lineReader reads lines of any length with a buffer for those that are longer
// than most.
type lineReader struct {
	in  *bufio.Reader
	buf []byte
}

// next returns the next line with its newline, valid until the following call,
// and io.EOF after the last. The last may lack the newline.
func (l *lineReader) next() ([]byte, error) {
	part, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.buf = l.buf[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if l.buf = append(l.buf, part...); len(l.buf) > maxLine {
				return nil, fmt.Errorf("longer than %d bytes", maxLine)
			}
			part, err = l.in.ReadSlice('\n')
		}
		l.buf = append(l.buf, part...)
		part = l.buf
	}
	if errors.Is(err, io.EOF) && len(part) > 0 {
		return part, nil
	}
	return part, err
}
