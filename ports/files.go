package ports

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// Files keeps finished files as bytes under keys. Keys are made of the
// characters a-z, A-Z, 0-9, '-', '_', '.' and '/', with no part empty or made
// of dots only (see CheckKey).
//
// Neither a rename nor a PUT can be fenced, so whoever writes uses keys that
// nobody else uses; a key is written once.
type Files interface {
	// Create starts a file. Nobody can open or list it before Commit, and a
	// writer that is aborted or dies leaves nothing that is ever served.
	Create(ctx context.Context, key string) (FileWriter, error)

	// Open opens a committed file, or returns not_found. A file that is deleted
	// while open can be read to its end where the store allows it.
	Open(ctx context.Context, key string) (File, error)

	// Delete removes a file. Deleting one that is not there is no error.
	Delete(ctx context.Context, key string) error

	// List yields everything under a prefix that takes space, in no order, what
	// is not committed included.
	List(ctx context.Context, prefix string) iter.Seq2[FileInfo, error]
}

// FileWriter writes one file. It is used by one goroutine.
type FileWriter interface {
	// Write returns an unavailable error when the store is full.
	io.Writer
	// Commit makes the file durable and visible. After an error it is neither.
	Commit() error
	// Abort drops the file. After Commit it does nothing.
	Abort() error
}

// File is an open file.
type File interface {
	io.ReadSeekCloser
	Size() int64
}

// FileInfo tells of a stored file.
type FileInfo struct {
	Key       string
	Bytes     int64
	Modified  time.Time
	Committed bool
}

// Packing is the stored form of an NDJSON file: one gzip member, built so that
// it can be entered in the middle.
type Packing interface {
	// Pack returns a writer that packs what is written to it into dst. The
	// bytes depend on what is written alone, not on how it is cut into writes.
	Pack(dst io.Writer) Packer

	// Unpack returns the plain bytes of a stored form from offset to the end.
	// With the index that Pack returned it starts near the offset; without it
	// it reads from the start.
	Unpack(src io.ReadSeeker, index []byte, offset int64) (io.ReadCloser, error)
}

// Packer packs one file.
type Packer interface {
	io.Writer
	// Finish writes the end and returns the index.
	Finish() (index []byte, err error)
}

// Scratch gives room beside memory for what is being put together. Nothing in
// it outlives the process, however that ends.
type Scratch interface {
	// Open returns an empty file that is gone once it is closed. It returns
	// unavailable when there is no room.
	Open() (ScratchFile, error)
}

// ScratchFile is written and then read back.
type ScratchFile interface {
	io.Writer // returns unavailable when there is no room
	io.ReaderAt
	io.Closer
}

// KeyLimit is how many bytes a key of Files may have, as S3 has it.
const KeyLimit = 1024

// CheckKey returns an invalid error for what is no key of Files, whichever store
// it is for. A store may bound keys further.
func CheckKey(key string) error {
	if len(key) > KeyLimit {
		return NoKey("it is too long")
	}
	for part := range strings.SplitSeq(key, "/") {
		if strings.Trim(part, ".") == "" {
			return NoKey("a part of it is empty or made of dots")
		}
		if strings.IndexFunc(part, notInKey) >= 0 {
			return NoKey("it has a character other than letters, digits, '-', '_', '.' and '/'")
		}
	}
	return nil
}

// NoKey returns the error for what is no key, and why it is none.
func NoKey(why string) error {
	return domain.Errorf(domain.Invalid, "This is no key of a file: %s.", why)
}

func notInKey(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}
