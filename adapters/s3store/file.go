package s3store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Reading goes on so often after the stream broke, each time after a wait that
// doubles; a byte that comes starts the count anew.
const (
	resumes     = 5
	resumeAfter = 50 * time.Millisecond
)

// Open opens a committed file, or returns not_found. A malformed key is an
// invalid error. ctx is for opening alone; reading ends with Close.
//
// The bytes stream from the store as they are read: nothing is held but what
// is on its way. A stream that breaks goes on where it broke. A file that is
// deleted while open is an error when the store has no more of it, and one that
// was replaced is an error always.
func (s *Store) Open(ctx context.Context, key string) (ports.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := ports.CheckKey(key); err != nil {
		return nil, err
	}
	info, err := s.stat(ctx, s.prefix+key)
	if err != nil {
		return nil, s.failed(ctx, "open a file", err)
	}
	f := &file{store: s, key: s.prefix + key, etag: info.ETag, size: info.Size}
	if info.ChecksumMode == wholeFile {
		f.want = info.ChecksumCRC32C
	}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

// file is an open file.
type file struct {
	store  *Store
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	key    string // with the prefix
	etag   string
	size   int64

	offset int64
	body   io.ReadCloser // from offset on; nil when there is none

	want   string // the checksum of the whole, if the store knows it
	summed int64  // the bytes from the start that sum is of
	sum    uint32
}

// Size returns the size, which never changes.
func (f *file) Size() int64 { return f.size }

// Seek drops the stream unless it is at the place already.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.size
	default:
		return 0, fmt.Errorf("s3store: no such whence: %d: %w", whence, fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, fmt.Errorf("s3store: a place before the start: %w", fs.ErrInvalid)
	}
	if offset != f.offset {
		f.drop()
		f.offset = offset
	}
	return offset, nil
}

// Read reads from the stream, and opens one where there is none. Having come
// from the start to the end it fails if that is not what was written.
func (f *file) Read(p []byte) (int, error) {
	for broken := 0; ; broken++ {
		switch {
		case f.ctx.Err() != nil:
			return 0, fmt.Errorf("s3store: the file is closed: %w", fs.ErrClosed)
		case f.offset >= f.size:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		if f.body == nil {
			if err := f.stream(); err != nil {
				return 0, err
			}
		}
		n, err := f.body.Read(p[:min(int64(len(p)), f.size-f.offset)])
		if n > 0 {
			return n, f.took(p[:n])
		}
		if err == nil {
			continue
		}
		f.drop()
		if broken == resumes {
			return 0, f.store.failed(f.ctx, "read a file", errors.Join(err, io.ErrUnexpectedEOF))
		}
		select {
		case <-time.After(resumeAfter << broken):
		case <-f.ctx.Done():
		}
	}
}

// took counts what was read and, at the end of the whole, compares it.
func (f *file) took(p []byte) error {
	if f.summed == f.offset {
		f.sum = crc32.Update(f.sum, castagnoli, p)
		f.summed += int64(len(p))
	}
	f.offset += int64(len(p))
	if f.offset < f.size {
		return nil
	}
	f.drop()
	if f.want != "" && f.summed == f.size && encoded(f.sum) != f.want {
		return fmt.Errorf("s3store: %s is not what was written: checksum %s, not %s", f.key, encoded(f.sum), f.want)
	}
	return nil
}

// stream asks for the bytes from offset on.
func (f *file) stream() error {
	options := minio.GetObjectOptions{}
	if err := options.SetMatchETag(f.etag); err != nil {
		return err
	}
	if f.offset > 0 {
		if err := options.SetRange(f.offset, f.size-1); err != nil {
			return err
		}
	}
	body, info, header, err := f.store.client.GetObject(f.ctx, f.store.settings.Bucket, f.key, options)
	if answer, ok := said(err); ok && answer.StatusCode == http.StatusPreconditionFailed {
		return replaced(err)
	}
	if err != nil {
		return f.store.failed(f.ctx, "read a file", err)
	}
	// Not all stores know all conditions, so the answer is looked at.
	if info.ETag != f.etag {
		_ = body.Close()
		return replaced(nil)
	}
	if got := header.Get("Content-Range"); f.offset > 0 && !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", f.offset)) {
		_ = body.Close()
		return fmt.Errorf("s3store: asked for the bytes from %d on, the store sent %q", f.offset, got)
	}
	f.body = body
	return nil
}

func replaced(err error) error {
	return domain.Errorf(domain.Conflict, "The file was replaced while it was read.").Because(err)
}

func (f *file) drop() {
	if f.body != nil {
		_ = f.body.Close()
		f.body = nil
	}
}

// Close ends reading.
func (f *file) Close() error {
	f.cancel()
	f.drop()
	return nil
}
