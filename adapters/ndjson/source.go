package ndjson

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Settings say where the claims and the index are.
type Settings struct {
	Dir      string // the folder of NDJSON
	IndexDir string // where the index is kept; made if need be, of this source alone

	// Margin is what is taken off the time that a source vouches for, because
	// its clock may differ. There is no clock here, so the source adds it:
	// otherwise the newest claims of a folder would never be delivered.
	Margin time.Duration

	RunBytes int          // what a sorter of the index holds in memory; 0 for 32 MB
	Log      *slog.Logger // nil for none
}

// Source is the claims of a folder. It is safe for concurrent use.
type Source struct {
	settings Settings
	index    *index
	buffers  sync.Pool // of *buffers
}

// buffers are what a reader needs, and outlive it.
type buffers struct {
	ahead  []byte // read from a file, plain
	packed []byte // a block of the index, as it is there
	plain  []byte // and what it was packed from
}

func newSource(s Settings, x *index) *Source {
	return &Source{settings: s, index: x, buffers: sync.Pool{New: func() any { return new(buffers) }}}
}

var _ ports.Claims = (*Source)(nil)

// Open returns the source of a folder as it is now, after indexing it if there
// is no index of exactly these files. Indexing reads everything once. A line
// that cannot be taken in is an error that names file and line; so is a folder
// without any NDJSON. After an error, or when the process is killed meanwhile,
// the index that was there is still there.
func Open(ctx context.Context, s Settings) (*Source, error) {
	if s.RunBytes == 0 {
		s.RunBytes = 32 << 20
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	files, err := list(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of claims: %w", err)
	}
	unlock, err := lock(s.IndexDir)
	if err != nil {
		return nil, fmt.Errorf("the index of claims: %w", err)
	}
	defer unlock()
	name := filepath.Join(s.IndexDir, "index")
	var past time.Time
	x, err := openIndex(name)
	if err == nil && x.catalog.isOf(files) {
		s.Log.Debug("the index of claims is used again", "folder", s.Dir)
		return newSource(s, x), nil
	} else if err == nil {
		past = x.catalog.CompleteThrough
		_ = x.f.Close() // it was only read
	}
	if err := build(ctx, s, files, name, past); err != nil {
		return nil, err
	}
	if x, err = openIndex(name); err != nil {
		return nil, err
	}
	return newSource(s, x), nil
}

// lock waits until no other process indexes in the directory.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		return nil, err
	}
	return func() { _ = lock.Close() }, nil
}

// build puts a new index in the place of the old one, at once and when it is
// whole.
func build(ctx context.Context, s Settings, files []sourceFile, name string, past time.Time) error {
	if left, err := filepath.Glob(filepath.Join(s.IndexDir, "run-*")); err == nil {
		for _, f := range left {
			_ = os.Remove(f) // of a process that was killed just as it made one
		}
	}
	begin, unfinished := time.Now(), name+".building"
	s.Log.Info("indexing the folder of claims", "folder", s.Dir, "files", len(files))
	b := &builder{ctx: ctx, past: past, dir: s.Dir, index: s.IndexDir, run: s.RunBytes, log: s.Log}
	err := b.build(files, unfinished)
	if err == nil {
		var now []sourceFile
		if now, err = list(s.Dir); err == nil && !b.catalog.isOf(now) {
			err = fmt.Errorf("%s changed while it was indexed; start again when nobody writes to it", s.Dir)
		}
	}
	if err == nil {
		err = os.Rename(unfinished, name)
	}
	if err == nil {
		err = syncDir(s.IndexDir)
	}
	if err != nil {
		_ = os.Remove(unfinished)
		return err
	}
	s.Log.Info("the folder of claims is indexed", "folder", s.Dir, "claims", b.catalog.Versions, "contracts", len(b.catalog.Contracts),
		"passed_over", b.catalog.Others, "MB", b.read/1e6, "index_MB", b.out.at/1e6, "seconds", int(time.Since(begin).Seconds()))
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Close closes the index. No reader may be used afterwards.
func (s *Source) Close() error { return s.index.f.Close() }

// Contract is a contract of the folder and how many were ever enrolled in it.
type Contract struct {
	Number    domain.ContractNumber
	Enrollees int
}

// Contracts returns the contracts that the folder names, in the order of their
// numbers.
func (s *Source) Contracts() (all []Contract) {
	for _, c := range s.index.catalog.Contracts {
		all = append(all, Contract{c.Number, c.Count})
	}
	return all
}

// Enrollments yields who was ever enrolled in a contract, in ascending byte
// order of their ids, and nobody for a contract that the folder does not name.
// Memory stays flat. An error ends the sequence.
func (s *Source) Enrollments(n domain.ContractNumber) iter.Seq2[domain.Enrollee, error] {
	return s.index.enrollees(n)
}

// AsOf returns the instant that the folder as it is stands for: that of its
// newest claim, or a little more. It is later after every change. The package
// says more of it.
func (s *Source) AsOf() time.Time { return s.index.catalog.CompleteThrough }

// CompleteThrough returns AsOf and the margin, which is taken off again.
func (s *Source) CompleteThrough(ctx context.Context) (time.Time, error) {
	return s.completeThrough(), ctx.Err()
}

func (s *Source) completeThrough() time.Time { return s.AsOf().Add(s.settings.Margin) }

// Read starts to read a person's claims, in the order of the folder's files by
// their paths and of the lines in them. The bounds of the query are kept but
// for a millisecond; claims that do not say when they were updated, or until
// when they were served, always come. A person who is not in the folder has no
// claims. It returns an invalid error for a version that the folder holds no
// claims in.
func (s *Source) Read(ctx context.Context, q ports.ClaimsQuery) (ports.ClaimReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if held := s.index.catalog.Versions; held[q.Version].Claims == 0 && len(held) > 0 {
		return nil, s.refuse(q.Version)
	}
	entry, err := s.index.claimsOf(q.Patient)
	if err != nil {
		return nil, domain.Errorf(domain.Unavailable, "The index of claims cannot be read.").Because(err)
	}
	return &reader{ctx: ctx, source: s, bounds: newBounds(&q), entry: entry, last: claim{file: -1}, file: -1,
		buffers: s.buffers.Get().(*buffers)}, nil
}

func (s *Source) refuse(v domain.FHIRVersion) error {
	var held []string
	for _, has := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		if s.index.catalog.Versions[has].Claims > 0 {
			held = append(held, string(has))
		}
	}
	return domain.Errorf(domain.Invalid, "The claims source is a folder of claims in %s; it has none in %s.", strings.Join(held, " and "), v).
		WithNext("Export in " + strings.Join(held, " or ") + ", or put the same claims in " + string(v) + " into the folder and start again.")
}

// bounds are those of a query as the index can keep them.
type bounds struct {
	version       domain.FHIRVersion
	from, through int64 // milliseconds
	served        domain.Date
}

func newBounds(q *ports.ClaimsQuery) bounds {
	b := bounds{version: q.Version, from: -1 << 61, through: 1 << 61, served: q.ServedFrom}
	if !q.UpdatedFrom.IsZero() {
		b.from = q.UpdatedFrom.UnixMilli()
	}
	if !q.UpdatedThrough.IsZero() {
		b.through = q.UpdatedThrough.UnixMilli()
	}
	return b
}

// allow reports whether a claim may be asked for. Times are cut on both sides,
// so that one within the same millisecond as a bound always comes.
func (b *bounds) allow(c *claim) bool {
	if c.version != b.version {
		return false
	}
	if c.updated != noUpdate && (c.updated < b.from || c.updated > b.through) {
		return false
	}
	return c.ended.IsZero() || c.ended >= b.served
}

// errClosed is not io.EOF, so that a reader closed early cannot pass for one
// that was read to the end.
var errClosed = errors.New("ndjson: the reader is closed")

// reader reads one person's claims.
type reader struct {
	ctx    context.Context
	source *Source
	bounds bounds

	entry []byte // the claims that are still to come
	last  claim

	file     int // the one that is open, -1 for none
	plain    *os.File
	packed   *unpacker
	at       int64 // where the bytes read ahead begin
	*buffers       // nil when the reader is closed
}

// readAhead is how many bytes are read at once where a person's claims lie
// together.
const readAhead = 256 << 10

// Next returns the next claim, valid until the following call.
func (r *reader) Next() ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.buffers == nil {
		return nil, errClosed
	}
	for len(r.entry) > 0 {
		r.last, r.entry = cutClaim(r.entry, r.last)
		if !r.bounds.allow(&r.last) {
			continue
		}
		b, err := r.bytes(r.last)
		if err != nil {
			return nil, r.fault(err)
		}
		return b, nil
	}
	if err := r.leave(); err != nil {
		return nil, r.fault(err)
	}
	return nil, io.EOF
}

// bytes returns the bytes of a claim.
func (r *reader) bytes(c claim) ([]byte, error) {
	if c.file != r.file {
		if err := r.enter(c.file); err != nil {
			return nil, err
		}
	}
	if c.offset < r.at || c.offset+c.length > r.at+int64(len(r.ahead)) {
		if err := r.fill(c); err != nil {
			return nil, err
		}
	}
	from := c.offset - r.at
	return r.ahead[from : from+c.length], nil
}

// fill reads the claim and those right after it that are wanted too.
func (r *reader) fill(c claim) error {
	end := c.offset + c.length
	for rest, next := r.entry, c; len(rest) > 0; {
		before := next
		next, rest = cutClaim(rest, next)
		if next.file != c.file || next.offset != before.offset+before.length+1 || !r.bounds.allow(&next) || next.offset+next.length-c.offset > readAhead {
			break
		}
		end = next.offset + next.length
	}
	size := int(end - c.offset)
	if cap(r.ahead) < size {
		r.ahead = make([]byte, max(size, readAhead))
	}
	r.ahead, r.at = r.ahead[:size], c.offset
	var in io.ReaderAt = r.plain
	if r.packed != nil {
		in = r.packed
	}
	_, err := in.ReadAt(r.ahead, r.at)
	if err != nil {
		r.ahead = r.ahead[:0]
	}
	return err
}

// enter opens a file, which must be the one that was indexed.
func (r *reader) enter(file int) error {
	if err := r.leave(); err != nil {
		return err
	}
	r.ahead, r.file = r.ahead[:0], file
	x := r.source.index
	if starts := x.blocks[file]; starts != nil {
		r.packed = &unpacker{index: x.f, starts: starts, block: -1, buffers: r.buffers}
		return nil
	}
	f, err := os.Open(filepath.Join(r.source.settings.Dir, filepath.FromSlash(x.catalog.Files[file].Path)))
	if err != nil {
		return err
	}
	r.plain = f
	return r.unchanged()
}

// leave closes the file that is open. That it did not change while it was read
// is asked last: until then a claim could have been cut in two.
func (r *reader) leave() error {
	f := r.plain
	if f == nil {
		r.packed = nil
		return nil
	}
	err := r.unchanged()
	r.plain, r.file = nil, -1
	return errors.Join(err, f.Close())
}

func (r *reader) unchanged() error {
	info, err := r.plain.Stat()
	if err != nil {
		return err
	}
	if was := r.source.index.catalog.Files[r.file]; info.Size() != was.Size || !info.ModTime().Equal(was.Modified) {
		return fmt.Errorf("%s changed since it was indexed", was.Path)
	}
	return nil
}

// fault makes an error one that may pass: the folder may come back as it was,
// or the process may be started on the folder as it is.
func (r *reader) fault(err error) error {
	return domain.Errorf(domain.Unavailable, "The folder of claims changed, or cannot be read.").Because(err).
		WithNext("Restart the process to index the folder anew.")
}

// AsOf returns the instant that the folder is complete through.
func (r *reader) AsOf() time.Time { return r.source.completeThrough() }

// Close closes what is open and gives the buffers back.
func (r *reader) Close() error {
	if r.buffers == nil {
		return nil
	}
	if cap(r.ahead) <= 4*readAhead { // one huge claim is not kept room for
		r.source.buffers.Put(r.buffers)
	}
	r.buffers, r.packed, r.entry = nil, nil, nil
	if r.plain == nil {
		return nil
	}
	f := r.plain
	r.plain, r.file = nil, -1
	return f.Close()
}
