package s3store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"cms.gov/ab2d/domain"
)

// Headers of checksums. The upload as a whole has one of all its bytes.
const (
	checksumHeader    = "X-Amz-Checksum-Crc32c"
	checksumAlgorithm = "X-Amz-Checksum-Algorithm"
	checksumKind      = "X-Amz-Checksum-Type"
	wholeFile         = "FULL_OBJECT"

	// writerHeader goes with an object, so that a writer knows its own.
	writerHeader = "X-Amz-Meta-Ab2d-Writer"
	writerMeta   = "Ab2d-Writer"
)

// afterwards bounds what is still asked once a writer failed or its ctx ended.
const afterwards = 15 * time.Second

// againAfter is the wait before the end of a file is asked for again.
const againAfter = 20 * time.Millisecond

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoded returns a checksum as S3 writes it.
func encoded(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// writer writes one file.
type writer struct {
	ctx    context.Context // of Create: the work this file is for
	cancel context.CancelFunc
	store  *Store
	key    string // with the prefix
	id     string // of this writer alone

	buffer *[]byte // what is not sent yet; nil when that is nothing
	spare  *[]byte // the other buffer, while no part is under way
	size   int64
	sum    uint32 // of all that was written

	upload string // the store's number for it, once there is more than one part
	parts  []minio.CompletePart
	sent   chan sentPart // gives the part under way; nil when there is none

	state state
	err   error // the first failure; such a file cannot be committed
}

// state is how far a writer is.
type state int

const (
	writing state = iota
	committed
	dropped
)

// sentPart is what became of a part.
type sentPart struct {
	part   minio.CompletePart
	err    error
	buffer *[]byte // free again
}

// Write takes bytes and sends what makes a full part, waiting while the one
// before is still under way. It returns an unavailable error when the store is
// full or away. After an error the file can only be aborted.
func (w *writer) Write(p []byte) (n int, err error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	for len(p) > 0 {
		if w.buffer == nil {
			w.buffer = w.empty()
		}
		room := cap(*w.buffer) - len(*w.buffer)
		if room == 0 {
			if w.err = w.flush(); w.err != nil {
				return n, w.err
			}
			continue
		}
		piece := p[:min(room, len(p))]
		*w.buffer = append(*w.buffer, piece...)
		w.sum = crc32.Update(w.sum, castagnoli, piece)
		w.size += int64(len(piece))
		n, p = n+len(piece), p[len(piece):]
	}
	return n, nil
}

func (w *writer) usable() error {
	if w.state != writing {
		return fmt.Errorf("s3store: the file is finished: %w", fs.ErrClosed)
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	return w.err
}

// flush sends the buffer as a part, once the one before is done.
func (w *writer) flush() error {
	if w.upload == "" {
		upload, err := w.store.client.NewMultipartUpload(w.ctx, w.store.settings.Bucket, w.key, minio.PutObjectOptions{
			UserMetadata:         map[string]string{checksumAlgorithm: "CRC32C", checksumKind: wholeFile, writerHeader: w.id},
			ServerSideEncryption: w.store.sse,
		})
		if err != nil {
			return w.store.failed(w.ctx, "start an upload", err)
		}
		w.upload = upload
	}
	if err := w.wait(); err != nil {
		return err
	}
	if len(w.parts) == maxParts {
		return fmt.Errorf("s3store: the file has more than %d parts; larger ones are needed", maxParts)
	}
	sent, buffer, number := make(chan sentPart, 1), w.buffer, len(w.parts)+1
	w.sent, w.buffer = sent, nil
	go func() {
		part, err := w.send(number, *buffer)
		*buffer = (*buffer)[:0]
		sent <- sentPart{part, err, buffer}
	}()
	return nil
}

// send uploads a part with its checksum, which the store compares.
func (w *writer) send(number int, content []byte) (minio.CompletePart, error) {
	sum := encoded(crc32.Checksum(content, castagnoli))
	part, err := w.store.client.PutObjectPart(w.ctx, w.store.settings.Bucket, w.key, w.upload, number, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectPartOptions{CustomHeader: http.Header{checksumHeader: {sum}}, DisableContentSha256: true})
	if err != nil {
		return minio.CompletePart{}, err
	}
	if part.ChecksumCRC32C != "" && part.ChecksumCRC32C != sum {
		return minio.CompletePart{}, fmt.Errorf("the store has other bytes than were sent: checksum %s, not %s", part.ChecksumCRC32C, sum)
	}
	return minio.CompletePart{PartNumber: number, ETag: part.ETag, ChecksumCRC32C: sum}, nil
}

// empty returns a buffer to fill: the spare one, or that of an earlier writer.
func (w *writer) empty() *[]byte {
	if b := w.spare; b != nil {
		w.spare = nil
		return b
	}
	return w.store.parts.Get().(*[]byte)
}

// release gives the buffers to later writers.
func (w *writer) release() {
	for _, b := range []*[]byte{w.buffer, w.spare} {
		if b != nil {
			*b = (*b)[:0]
			w.store.parts.Put(b)
		}
	}
	w.buffer, w.spare = nil, nil
}

// wait waits for the part under way.
func (w *writer) wait() error {
	if w.sent == nil {
		return nil
	}
	sent := <-w.sent
	w.sent, w.spare = nil, sent.buffer
	switch {
	case sent.err == nil:
		w.parts = append(w.parts, sent.part)
		return nil
	case missing(sent.err):
		return deleted(sent.err)
	}
	return w.store.failed(w.ctx, "upload a part", sent.err)
}

func deleted(err error) error {
	return domain.Errorf(domain.Conflict, "The file was deleted while it was written.").Because(err)
}

// Commit makes the file durable and visible, and asks the store whether it has
// what was sent. After an error nothing is left of it, as far as the store can
// be asked: of one that is cut off right then, List may show a file that nobody
// was told of. A key that has a file is a conflict, and that file stays as it
// is; so is an upload that was deleted meanwhile. A second time it does nothing,
// and fails if the file was dropped.
func (w *writer) Commit() error {
	if w.state == committed {
		return nil
	}
	if err := w.usable(); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.publish(); err != nil {
		return errors.Join(err, w.drop())
	}
	w.state = committed
	w.cancel()
	w.release()
	return nil
}

// publish does the steps of Commit. Writers have keys of their own, so the look
// before is not for a race but for a mistake; stores that know If-None-Match
// exclude the race too.
func (w *writer) publish() error {
	switch _, err := w.store.stat(w.ctx, w.key); {
	case err == nil:
		return taken(fs.ErrExist)
	case !missing(err):
		return w.store.failed(w.ctx, "look for a file", err)
	}
	for try := 1; ; try++ {
		err := w.finish()
		again := passing(err)
		if err = w.settle(err); err == nil {
			return nil
		}
		if try == tries || !again && !errors.Is(err, errNotThere) {
			return err
		}
		select {
		case <-time.After(againAfter << try):
		case <-w.ctx.Done():
		}
	}
}

// passing tells that something done to neighbours at this moment was in the way:
// S3 says to ask again. It is the answer too where a key begins with another.
func passing(err error) bool {
	answer, ok := said(err)
	return ok && answer.StatusCode == http.StatusConflict
}

// errNotThere is of a store that took a file and does not have it.
var errNotThere = errors.New("what was uploaded is not there")

// finish sends what is left and makes the file visible.
func (w *writer) finish() error {
	options := minio.PutObjectOptions{UserMetadata: map[string]string{checksumHeader: encoded(w.sum)}}
	options.SetMatchETagExcept("*")
	if w.upload == "" {
		var content []byte
		if w.buffer != nil {
			content = *w.buffer
		}
		options.UserMetadata[writerHeader] = w.id
		options.ServerSideEncryption = w.store.sse
		options.DisableContentSha256 = true
		_, err := w.store.client.PutObject(w.ctx, w.store.settings.Bucket, w.key, bytes.NewReader(content), w.size, "", "", options)
		return err
	}
	if w.buffer != nil {
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
	options.UserMetadata[checksumKind] = wholeFile
	_, err := w.store.client.CompleteMultipartUpload(w.ctx, w.store.settings.Bucket, w.key, w.upload, w.parts, options)
	return err
}

// settle looks at what the store has after finish returned err. The answer to a
// request that succeeded can be lost, and asking again then fails; so what
// counts is whether this writer's file is there, whole.
func (w *writer) settle(err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), afterwards)
	defer cancel()
	found, look := w.store.stat(ctx, w.key)
	switch {
	case missing(look) && err == nil:
		return unavailable("The file store lost a file.", errNotThere)
	case look != nil && err == nil:
		return w.store.failed(ctx, "look for what was uploaded", look)
	case look != nil || found.UserMetadata[writerMeta] != w.id:
		return w.cause(err)
	case found.Size == w.size && (found.ChecksumCRC32C == "" || found.ChecksumCRC32C == encoded(w.sum)):
		return nil
	}
	bad := fmt.Errorf("s3store: the store has other bytes than were sent: %d with checksum %s, not %d with %s",
		found.Size, found.ChecksumCRC32C, w.size, encoded(w.sum))
	return errors.Join(bad, w.store.client.RemoveObject(ctx, w.store.settings.Bucket, w.key, minio.RemoveObjectOptions{}))
}

// cause tells why finish failed, or why what it did is not there any more.
func (w *writer) cause(err error) error {
	coded := (*domain.Error)(nil)
	switch {
	case err == nil, exists(err):
		return taken(err)
	case errors.As(err, &coded):
		return err
	case missing(err):
		return deleted(err)
	}
	return w.store.failed(w.ctx, "finish a file", err)
}

// Abort drops the file. After Commit, or a second time, it does nothing.
func (w *writer) Abort() error {
	if w.state != writing {
		return nil
	}
	return w.drop()
}

// drop ends what is under way and removes what was uploaded.
func (w *writer) drop() error {
	w.state = dropped
	w.cancel()
	if w.sent != nil {
		w.spare = (<-w.sent).buffer
		w.sent = nil
	}
	w.release()
	if w.upload == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), afterwards)
	defer cancel()
	return w.store.abort(ctx, w.key, w.upload)
}

// stat asks for an object with its checksum.
func (s *Store) stat(ctx context.Context, key string) (minio.ObjectInfo, error) {
	return s.client.StatObject(ctx, s.settings.Bucket, key, minio.StatObjectOptions{Checksum: true})
}
