package s3store

import (
	"context"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"cms.gov/ab2d/ports"
)

// page is how many the store names at a time.
const page = 1000

// List yields the files whose names begin with the prefix, in no order. Uploads
// that are under way, or were when their process died, come with Committed
// false, the bytes of the parts that arrived, and a key that Delete takes. What
// is neither is not ours and is left out. A prefix that no key begins with
// yields nothing.
//
// What comes and goes meanwhile may be in it or not; deleting what was just
// yielded is fine. Any error, that of ctx too, ends the list.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		start, _, _ := strings.Cut(prefix, uploadMark) // names of uploads are ours, not the store's
		if i := strings.LastIndexByte(start, '/'); i >= 0 && ports.CheckKey(start[:i]) != nil {
			return
		}
		if err := ctx.Err(); err != nil {
			yield(ports.FileInfo{}, err)
			return
		}
		// Uploads first: one that is committed meanwhile is then among the files.
		for _, list := range []func(context.Context, string) iter.Seq2[ports.FileInfo, error]{s.uploads, s.files} {
			for info, err := range list(ctx, s.prefix+start) {
				if err == nil && !strings.HasPrefix(info.Key, prefix) {
					continue
				}
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}

func (s *Store) files(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: page}
		for object := range s.client.ListObjectsIter(ctx, s.settings.Bucket, options) {
			if object.Err != nil {
				yield(ports.FileInfo{}, s.failed(ctx, "list files", object.Err))
				return
			}
			key := strings.TrimPrefix(object.Key, s.prefix)
			if ports.CheckKey(key) != nil {
				continue
			}
			if !yield(ports.FileInfo{Key: key, Bytes: object.Size, Modified: object.LastModified, Committed: true}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil { // the client ends its list without a word
			yield(ports.FileInfo{}, err)
		}
	}
}

// uploads asks page by page itself, each from the last key on: a place within
// the uploads of one key is understood differently by stores. Keys have one
// writer; of one that has several, a page's end can hide some until the others
// are deleted.
func (s *Store) uploads(ctx context.Context, prefix string) iter.Seq2[ports.FileInfo, error] {
	return func(yield func(ports.FileInfo, error) bool) {
		after := ""
		for {
			found, err := s.client.ListMultipartUploads(ctx, s.settings.Bucket, prefix, after, "", "", page)
			if err != nil {
				yield(ports.FileInfo{}, s.failed(ctx, "list uploads", err))
				return
			}
			for _, u := range found.Uploads {
				key := strings.TrimPrefix(u.Key, s.prefix)
				if !strings.HasPrefix(u.Key, prefix) || ports.CheckKey(key) != nil {
					continue
				}
				size, err := s.uploaded(ctx, u)
				if missing(err) {
					continue
				}
				if err != nil {
					yield(ports.FileInfo{}, s.failed(ctx, "list uploads", err))
					return
				}
				if !yield(ports.FileInfo{Key: uploadName(key, u.UploadID), Bytes: size, Modified: u.Initiated}, nil) {
					return
				}
			}
			if !found.IsTruncated || found.NextKeyMarker <= after {
				return
			}
			after = found.NextKeyMarker
		}
	}
}

// uploaded returns the bytes of the parts that arrived.
func (s *Store) uploaded(ctx context.Context, u minio.ObjectMultipartInfo) (size int64, err error) {
	for after := 0; ; {
		found, err := s.client.ListObjectParts(ctx, s.settings.Bucket, u.Key, u.UploadID, after, page)
		if err != nil {
			return 0, err
		}
		for _, p := range found.ObjectParts {
			size += p.Size
		}
		if !found.IsTruncated || found.NextPartNumberMarker <= after {
			return size, nil
		}
		after = found.NextPartNumberMarker
	}
}
