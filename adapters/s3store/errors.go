package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"

	"cms.gov/ab2d/domain"
)

// retryAfter is how long to wait for a store that is full or away.
const retryAfter = 10 * time.Second

// failed turns an error of the S3 client into one of ours. What ended since ctx
// did is ctx's own error.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	said, answered := said(err)
	switch {
	case !answered && away(err):
		return unavailable("The file store does not answer.", err)
	case !answered:
	case full(said):
		return unavailable("The file store is full.", err)
	case said.Code == minio.NoSuchBucket:
		return fmt.Errorf("s3store: %s: there is no bucket %q at %s: %w", what, s.settings.Bucket, s.settings.Endpoint, err)
	case missing(err):
		return domain.Errorf(domain.NotFound, "There is no such file.").Because(err)
	case said.StatusCode == http.StatusConflict:
		return taken(err)
	case said.StatusCode == http.StatusForbidden, said.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("s3store: %s: %s refuses our keys for bucket %q: %w", what, s.settings.Endpoint, s.settings.Bucket, err)
	case said.StatusCode >= 500, said.StatusCode == http.StatusTooManyRequests, said.StatusCode == http.StatusRequestTimeout:
		return unavailable("The file store is busy.", err)
	}
	return fmt.Errorf("s3store: %s: %w", what, err)
}

func unavailable(message string, err error) error {
	e := domain.Errorf(domain.Unavailable, "%s", message).Because(err)
	e.RetryAfter = retryAfter
	return e
}

// taken is the conflict of a key with an object that is there.
func taken(err error) error {
	return domain.Errorf(domain.Conflict, "The file store has something else under this key.").Because(err)
}

// said returns what the store answered, if it did.
func said(err error) (minio.ErrorResponse, bool) {
	var answer minio.ErrorResponse
	return answer, errors.As(err, &answer) && answer.StatusCode != 0
}

// missing tells that the store answered that there is no such object or upload.
// A HEAD answers without saying more.
func missing(err error) bool {
	answer, ok := said(err)
	switch {
	case !ok, answer.StatusCode != http.StatusNotFound:
		return false
	case answer.Code == "", answer.Code == "NotFound", answer.Code == minio.NoSuchKey, answer.Code == minio.NoSuchUpload:
		return true
	}
	return false // a bucket or a user that is not there is another matter
}

// exists tells that the store answered that the key has an object.
func exists(err error) bool {
	answer, ok := said(err)
	return ok && answer.StatusCode == http.StatusPreconditionFailed
}

// full tells that the answer is one of those that stores have for no room.
func full(answer minio.ErrorResponse) bool {
	switch answer.Code {
	case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return true
	}
	return answer.StatusCode == http.StatusInsufficientStorage
}

// away tells that there was no answer: refused, cut off or timed out.
func away(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, context.DeadlineExceeded)
}
