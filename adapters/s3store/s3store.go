// Package s3store keeps files in a bucket of an S3 store.
//
// A small file is one PUT; a larger one is a multipart upload, whose parts go
// out while the next is being written. Either way nobody can open it before
// Commit. The store checks a CRC-32C of every part as it comes in and one of the
// whole at the end, and what is read from start to end is checked against it
// again. What a killed process uploaded is listed under a name with a '~', which
// no key has, and can be deleted by that name.
//
// Several processes may use one bucket and prefix at once.
package s3store

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Styles of naming the bucket in addresses.
const (
	Auto    = "auto"    // virtual with stores that are known to have it, else path
	Path    = "path"    // https://host/bucket/key
	Virtual = "virtual" // https://bucket.host/key
)

// Ways to have the store encrypt what it keeps.
const (
	NoEncryption = "none" // as the bucket has it by itself
	S3Encryption = "s3"   // with the store's own keys (SSE-S3)
	KMS          = "kms"  // with a key of the key service (SSE-KMS)
)

// Sizes of a part. The least is what S3 takes.
const (
	DefaultPartSize = 8 << 20
	MinPartSize     = 5 << 20
	maxParts        = 10_000
)

// tries is how often a request is made that the store does not take, which is
// over within seconds.
const tries = 4

// Settings say where the store is. The keys come from where those of the AWS
// tools do: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the
// shared credentials file, or the role of the machine.
type Settings struct {
	Endpoint   string // its URL, http or https
	Bucket     string // must be there already
	Prefix     string // of all keys, without slashes at its ends; may be empty
	Region     string // us-east-1 when empty
	PathStyle  string // Auto when empty
	Encryption string // NoEncryption when empty
	KMSKey     string // for KMS; the bucket's own when empty
	PartSize   int64  // bytes; DefaultPartSize when 0. A file has at most 10,000 parts.

	// Transport, when set, carries the requests.
	Transport http.RoundTripper
}

// Store is a bucket of files. It is safe for concurrent use.
//
// Beyond the contract of ports.Files: a key with its prefix has at most 1024
// characters, and some stores do not let one key begin with another and a slash
// (a conflict).
type Store struct {
	settings Settings
	prefix   string // with its slash, or empty
	client   *minio.Core
	sse      encrypt.ServerSide
	parts    sync.Pool // of *[]byte, for what is not uploaded yet
}

var _ ports.Files = (*Store)(nil)

// New returns the store that the settings describe, without asking whether it is
// there; see Check. What cannot be a store is an invalid error.
func New(_ context.Context, settings Settings) (*Store, error) {
	if settings.PartSize == 0 {
		settings.PartSize = DefaultPartSize
	}
	if settings.Region == "" {
		settings.Region = "us-east-1"
	}
	s := &Store{settings: settings}
	s.parts.New = func() any { b := make([]byte, 0, settings.PartSize); return &b }
	if s.prefix = strings.Trim(settings.Prefix, "/"); s.prefix != "" {
		if err := ports.CheckKey(s.prefix); err != nil {
			return nil, wrong("the prefix %q: %w", settings.Prefix, err)
		}
		s.prefix += "/"
	}
	u, err := url.Parse(settings.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, wrong("the endpoint %q is no http or https address", settings.Endpoint)
	}
	if settings.Bucket == "" {
		return nil, wrong("a bucket is needed")
	}
	if settings.PartSize < MinPartSize {
		return nil, wrong("a part has at least %d bytes", MinPartSize)
	}
	lookup, ok := map[string]minio.BucketLookupType{"": minio.BucketLookupAuto, Auto: minio.BucketLookupAuto,
		Path: minio.BucketLookupPath, Virtual: minio.BucketLookupDNS}[settings.PathStyle]
	if !ok {
		return nil, wrong("the style %q is none", settings.PathStyle)
	}
	if s.sse, err = encryption(settings); err != nil {
		return nil, err
	}
	if s.settings.Transport == nil {
		s.settings.Transport = newTransport()
	}
	s.client, err = minio.NewCore(u.Host, &minio.Options{Secure: u.Scheme == "https", Region: settings.Region, BucketLookup: lookup,
		Transport: s.settings.Transport, MaxRetries: tries, Creds: keys()})
	if err != nil {
		return nil, wrong("%w", err)
	}
	return s, nil
}

func wrong(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return domain.Errorf(domain.Invalid, "The settings of the S3 store are wrong: %v.", err).Because(err)
}

func encryption(settings Settings) (encrypt.ServerSide, error) {
	switch settings.Encryption {
	case "", NoEncryption:
		return nil, nil
	case S3Encryption:
		return encrypt.NewSSE(), nil
	case KMS:
		return encrypt.NewSSEKMS(settings.KMSKey, nil)
	}
	return nil, wrong("the encryption %q is none", settings.Encryption)
}

func keys() *credentials.Credentials {
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.FileAWSCredentials{},
		&credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}}, // near, or not there at all
	})
}

// Check asks whether the bucket is there and takes our keys.
func (s *Store) Check(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.settings.Bucket)
	if err != nil {
		return s.failed(ctx, "look for the bucket", err)
	}
	if !there {
		return fmt.Errorf("s3store: there is no bucket %q at %s", s.settings.Bucket, s.settings.Endpoint)
	}
	return nil
}

// Close lets go of connections that are not in use.
func (s *Store) Close() error {
	if t, ok := s.settings.Transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// Create starts a file. A malformed key is an invalid error. Nothing is sent
// before the first part is full, so a store that is away or full shows in Write
// or Commit. Once ctx ends, they return its error.
//
// A writer holds at most two parts in memory: the one being filled and the one
// being sent. A file of at most one part is sent by Commit alone.
func (s *Store) Create(ctx context.Context, key string) (ports.FileWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := ports.CheckKey(key); err != nil {
		return nil, err
	}
	if len(s.prefix)+len(key) > ports.KeyLimit {
		return nil, ports.NoKey("it is too long")
	}
	ctx, cancel := context.WithCancel(ctx)
	return &writer{ctx: ctx, cancel: cancel, store: s, key: s.prefix + key, id: rand.Text()}, nil
}

// Delete removes a file, or what was uploaded of one by the name that List gave
// it. One that is not there is no error; a malformed key is an invalid error.
// Deleting what is being written makes its Commit fail.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, upload, err := parseName(key)
	if err != nil {
		return err
	}
	if upload != "" {
		return s.abort(ctx, s.prefix+key, upload)
	}
	err = s.client.RemoveObject(ctx, s.settings.Bucket, s.prefix+key, minio.RemoveObjectOptions{})
	if err != nil && !missing(err) {
		return s.failed(ctx, "delete a file", err)
	}
	return nil
}

func (s *Store) abort(ctx context.Context, key, upload string) error {
	err := s.client.AbortMultipartUpload(ctx, s.settings.Bucket, key, upload)
	if err != nil && !missing(err) {
		return s.failed(ctx, "drop an upload", err)
	}
	return nil
}
