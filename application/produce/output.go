package produce

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// output writes the lines of one kind into files, a new one whenever the next
// line would take the file beyond the roll. A line is compressed, hashed and
// counted on its way and never looked at again.
type output struct {
	files   ports.Files
	packing ports.Packing
	prefix  string
	kind    domain.FileKind
	roll    int64

	header []byte // of the block at hand, for each file that it runs into; nil where there are no blocks

	open *openFile
	done []domain.StoredFile
}

// begin begins a block of so many bytes, in a new file when it does not fit into
// the one that is open. Only a block that fits into no file is parted.
func (o *output) begin(ctx context.Context, header []byte, size int64) error {
	if o.open != nil && o.open.plain.n+int64(len(header))+size > o.roll {
		if err := o.finish(); err != nil {
			return err
		}
	}
	if o.open == nil {
		if err := o.create(ctx); err != nil {
			return err
		}
	}
	o.header = header
	return o.open.write(header)
}

// end ends the block at hand.
func (o *output) end() { o.header = nil }

// write takes whole lines.
func (o *output) write(ctx context.Context, lines []byte) error {
	for len(lines) > 0 {
		if o.open == nil {
			if err := o.create(ctx); err != nil {
				return err
			}
			if o.header != nil {
				o.done[len(o.done)-1].Continues = true
				if err := o.open.write(o.header); err != nil {
					return err
				}
			}
		}
		n := fitting(lines, o.roll-o.open.plain.n, o.open.plain.n == int64(len(o.header)))
		if n == 0 {
			if err := o.finish(); err != nil {
				return err
			}
			continue
		}
		if err := o.open.write(lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// fitting returns the length of the whole lines at the start of lines that fit
// into room. An empty file takes one line whatever its length.
func fitting(lines []byte, room int64, empty bool) int {
	if int64(len(lines)) <= room {
		return len(lines)
	}
	n := 0
	if room > 0 {
		n = bytes.LastIndexByte(lines[:room], '\n') + 1
	}
	if n == 0 && empty {
		n = bytes.IndexByte(lines, '\n') + 1
	}
	return n
}

func (o *output) create(ctx context.Context) error {
	suffix := ".ndjson.gz"
	if o.kind != domain.DataFile {
		suffix = "_" + string(o.kind) + suffix
	}
	key := fmt.Sprintf("%s%04d%s", o.prefix, len(o.done)+1, suffix)
	w, err := o.files.Create(ctx, key)
	if err != nil {
		return err
	}
	o.open = &openFile{key: key, file: w, plain: counted{hash: sha256.New()}, stored: counted{hash: sha256.New()}}
	o.open.packer = o.packing.Pack(io.MultiWriter(w, &o.open.stored))
	return nil
}

func (o *output) finish() error {
	f := o.open
	index, err := f.packer.Finish()
	if err != nil {
		return err
	}
	if err := f.file.Commit(); err != nil {
		return err
	}
	o.done = append(o.done, domain.StoredFile{Kind: o.kind, Key: f.key, Lines: f.lines,
		Plain: f.plain.content(), Stored: f.stored.content(), Index: index})
	o.open = nil
	return nil
}

// close finishes the file that is open and returns all of them.
func (o *output) close() ([]domain.StoredFile, error) {
	if o.open != nil {
		if err := o.finish(); err != nil {
			return nil, err
		}
	}
	return o.done, nil
}

// abort drops the file that is open. It is for the way out after an error,
// which is the one to tell; what cannot be dropped is swept later.
func (o *output) abort() {
	if o.open != nil {
		_ = o.open.file.Abort()
		o.open = nil
	}
}

// openFile is a file being written.
type openFile struct {
	key           string
	file          ports.FileWriter
	packer        ports.Packer
	plain, stored counted
	lines         int
}

func (f *openFile) write(lines []byte) error {
	_, hashErr := f.plain.Write(lines)
	_, err := f.packer.Write(lines)
	f.lines += bytes.Count(lines, []byte{'\n'})
	return errors.Join(hashErr, err)
}

// counted hashes and counts what is written to it.
type counted struct {
	hash hash.Hash
	n    int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.hash.Write(b)
}

func (c *counted) content() domain.Content {
	return domain.Content{Bytes: c.n, SHA256: hex.EncodeToString(c.hash.Sum(nil))}
}
