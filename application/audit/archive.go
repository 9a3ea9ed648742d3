package audit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Archiver moves old records out of the database into files. The seals stay, and
// go into the file too, so that it can be verified by itself.
//
// A record leaves the database only after the file that has it is durable, was
// read back whole, and is bound to its seals. A process that dies in between
// leaves a file that nobody knows of, or records that the next run removes.
type Archiver struct {
	Store    ports.UnitOfWork
	Files    ports.Files
	Clock    ports.Clock
	Keys     domain.SealKeys
	Log      *slog.Logger
	Settings ArchiveSettings
}

// ArchiveSettings are how long records stay in the database.
type ArchiveSettings struct {
	Keep time.Duration // 0 is for ever
}

// Bounds of one archive.
const (
	archiveSeals   = 10_000
	archiveRecords = 200_000
)

// Archive moves all records out that were sealed longer ago than they are kept,
// and returns the archives it made. It moves none of a seal that does not stand
// or whose records are not what it vouches for; then somebody has to look.
func (u *Archiver) Archive(ctx context.Context) (made []domain.AuditArchive, err error) {
	if u.Settings.Keep <= 0 {
		return nil, nil
	}
	if err := u.finish(ctx); err != nil {
		return nil, err
	}
	for {
		a, err := u.next(ctx)
		if err != nil || a.Last == 0 {
			return made, err
		}
		made = append(made, a)
		if _, err := u.empty(ctx, a); err != nil {
			return made, err
		}
		u.Log.InfoContext(ctx, "audit records went into an archive", "seals", fmt.Sprintf("%d-%d", a.First, a.Last), "records", a.Records, "file", a.Key, "sha256", a.SHA256)
	}
}

// finish removes what a run that did not come to its end left in the database.
func (u *Archiver) finish(ctx context.Context) error {
	archives, err := u.list(ctx)
	if err != nil {
		return err
	}
	for _, a := range slices.Backward(archives) {
		if n, err := u.empty(ctx, a); err != nil || n == 0 {
			return err // those before it were emptied before it was begun
		}
	}
	return nil
}

func (u *Archiver) list(ctx context.Context) (archives []domain.AuditArchive, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		archives, err = tx.Archives.List(ctx)
		return err
	})
	return archives, err
}

// empty removes the records of an archive from the database. The file is read
// once more before: what is not in it stays.
func (u *Archiver) empty(ctx context.Context, a domain.AuditArchive) (removed int, err error) {
	left, err := u.left(ctx, a)
	if err != nil || !left {
		return 0, err
	}
	file, err := openArchive(ctx, u.Files, a)
	if err != nil {
		return 0, fmt.Errorf("the archive %s cannot be read, so its records stay in the database: %w", a.Key, err)
	}
	defer file.close()
	if err := file.check(u.Keys); err != nil {
		return 0, fmt.Errorf("the archive %s is not whole, so its records stay in the database: %w", a.Key, err)
	}
	for n := a.First; n <= a.Last; n++ {
		err := u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
			seals, err := tx.Seals.After(ctx, n-1, 1)
			if err != nil || len(seals) == 0 || seals[0].Number != n {
				return err
			}
			count, err := tx.AuditTrail.Remove(ctx, seals[0].Records)
			removed += count
			return err
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// left reports whether the database still has records of an archive. They are
// removed seal by seal, so those of the last seal that has any go last.
func (u *Archiver) left(ctx context.Context, a domain.AuditArchive) (left bool, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		for n := a.Last; n >= a.First; n-- {
			seals, err := tx.Seals.After(ctx, n-1, 1)
			if err != nil {
				return err
			}
			if len(seals) == 0 || seals[0].Number != n || len(bytes.Trim(seals[0].Leaves, "\x00")) == 0 {
				continue
			}
			found, err := tx.AuditTrail.Records(ctx, seals[0].Records)
			left = len(found) > 0
			return err
		}
		return nil
	})
	return left, err
}

// next writes and binds one archive. It returns the zero archive when nothing is
// old enough.
func (u *Archiver) next(ctx context.Context) (a domain.AuditArchive, err error) {
	archives, err := u.list(ctx)
	if err != nil {
		return a, err
	}
	last := domain.AuditArchive{}
	if len(archives) > 0 {
		last = archives[len(archives)-1]
	}
	if a, err = u.write(ctx, last.Last); err != nil || a.Last == 0 {
		return a, err
	}
	file, err := openArchive(ctx, u.Files, a)
	if err != nil {
		return a, err
	}
	defer file.close()
	if err := file.check(u.Keys); err != nil {
		return a, fmt.Errorf("the archive %s was not stored whole: %w", a.Key, err)
	}
	return a, u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Archives.Add(ctx, a); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, domain.AuditRecord{At: a.At, Actor: domain.System("audit"), Action: "audit.archive", Target: a.Key, Outcome: "done",
			Detail: map[string]string{"seals": domain.Numbers{{First: a.First, Last: a.Last}}.String(), "records": fmt.Sprint(a.Records), "sha256": a.SHA256}})
	})
}

// write writes the records of the seals after one, as far as they are old enough
// and one archive holds, into a file that nobody knows of yet.
func (u *Archiver) write(ctx context.Context, after int64) (a domain.AuditArchive, err error) {
	now := u.Clock.Now()
	before := now.Add(-u.Settings.Keep)
	first, err := u.sealAfter(ctx, after)
	if err != nil || first.Number == 0 || !first.At.Before(before) {
		return a, err
	}
	a = domain.AuditArchive{First: first.Number, At: now.UTC().Truncate(time.Microsecond)}
	a.Key = fmt.Sprintf("%s%010d-%s.ndjson.gz", archiveRoot, a.First, rand.Text())
	file, err := u.Files.Create(ctx, a.Key)
	if err != nil {
		return a, err
	}
	defer file.Abort() //nolint:errcheck // does nothing after Commit
	sum := sha256.New()
	counted := &counter{to: io.MultiWriter(file, sum)}
	packed := gzip.NewWriter(counted)
	for seal := first; seal.Number > 0 && seal.At.Before(before) && a.Last-a.First < archiveSeals && a.Records < archiveRecords; {
		n, err := u.put(ctx, packed, seal)
		if err != nil {
			return a, err
		}
		a.Last = seal.Number
		a.Records += n
		if seal, err = u.sealAfter(ctx, seal.Number); err != nil {
			return a, err
		}
	}
	if err := packed.Close(); err != nil {
		return a, err
	}
	a.Bytes, a.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	return a, file.Commit()
}

func (u *Archiver) sealAfter(ctx context.Context, number int64) (seal domain.Seal, err error) {
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.Seals.After(ctx, number, 1)
		if len(found) > 0 {
			seal = found[0]
		}
		return err
	})
	return seal, err
}

// put writes a seal and its records, and returns how many these are.
func (u *Archiver) put(ctx context.Context, w io.Writer, s domain.Seal) (n int64, err error) {
	if !s.Whole() || !u.Keys.Signed(s) {
		return 0, lookFirst("seal %d does not stand", s.Number)
	}
	var found []ports.AuditEntry
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		found, err = tx.AuditTrail.Records(ctx, s.Records)
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(append(s.Line(), '\n')); err != nil {
		return 0, err
	}
	for leaf := range slices.Chunk(s.Leaves, domain.LeafBytes) {
		if bytes.Equal(leaf, domain.NoLeaf) {
			continue
		}
		if len(found) == 0 {
			return n, lookFirst("records of seal %d are missing", s.Number)
		}
		line := found[0].Canonical(found[0].Number)
		if !bytes.Equal(domain.Leaf(line), leaf) {
			return n, lookFirst("record %d is not what seal %d vouches for", found[0].Number, s.Number)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return n, err
		}
		found = found[1:]
		n++
	}
	return n, nil
}

func lookFirst(format string, args ...any) error {
	return domain.Errorf(domain.Conflict, format+", so nothing goes into an archive", args...).WithNext("See what ab2d audit verify says.")
}

// counter counts what is written.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// opened is an archive that is being read from its start.
type opened struct {
	domain.AuditArchive
	file  ports.File
	sum   hash.Hash
	raw   io.Reader
	lines *bufio.Scanner
	read  int64 // records so far
}

// lineLimit is more than any record or seal takes.
const lineLimit = 64 << 20

func openArchive(ctx context.Context, files ports.Files, a domain.AuditArchive) (*opened, error) {
	f, err := files.Open(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	o := &opened{AuditArchive: a, file: f, sum: sha256.New()}
	o.raw = bufio.NewReaderSize(io.TeeReader(f, o.sum), 64<<10)
	plain, err := gzip.NewReader(o.raw)
	if err != nil {
		o.close()
		return nil, fmt.Errorf("it is not packed as it was: %w", err)
	}
	o.lines = bufio.NewScanner(plain)
	o.lines.Buffer(nil, lineLimit)
	return o, nil
}

func (o *opened) close() {
	if o != nil {
		_ = o.file.Close() // it was only read
	}
}

func (o *opened) line() ([]byte, error) {
	if o.lines.Scan() {
		return o.lines.Bytes(), nil
	}
	return nil, cmpErr(o.lines.Err(), io.ErrUnexpectedEOF)
}

// next reads the next seal and its records, and calls each with a record's line.
// It fails when they are not what the seal vouches for.
func (o *opened) next(keys domain.SealKeys, each func(line []byte)) (domain.Seal, error) {
	line, err := o.line()
	if err != nil {
		return domain.Seal{}, err
	}
	seal, err := domain.ParseSeal(line)
	if err != nil {
		return seal, err
	}
	if !seal.Whole() || !keys.Signed(seal) {
		return seal, fmt.Errorf("its seal %d does not stand", seal.Number)
	}
	for leaf := range slices.Chunk(seal.Leaves, domain.LeafBytes) {
		if bytes.Equal(leaf, domain.NoLeaf) {
			continue
		}
		line, err := o.line()
		if err != nil {
			return seal, err
		}
		if !bytes.Equal(domain.Leaf(line), leaf) {
			return seal, fmt.Errorf("a record of seal %d is not what was sealed: %.200s", seal.Number, line)
		}
		each(line)
		o.read++
	}
	return seal, nil
}

// end reads to the end and fails when the file is not the one that was bound.
func (o *opened) end() error {
	if o.lines.Scan() {
		return errors.New("it goes on behind its last record")
	}
	if o.read != o.Records {
		return fmt.Errorf("it has %d records, and %d were bound", o.read, o.Records)
	}
	if err := o.lines.Err(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, o.raw); err != nil {
		return err
	}
	if got := hex.EncodeToString(o.sum.Sum(nil)); got != o.SHA256 {
		return fmt.Errorf("its SHA-256 is %s, and %s was bound", got, o.SHA256)
	}
	return nil
}

// check reads the whole archive.
func (o *opened) check(keys domain.SealKeys) error {
	for n := o.First; n <= o.Last; n++ {
		seal, err := o.next(keys, func([]byte) {})
		if err != nil {
			return err
		}
		if seal.Number != n {
			return fmt.Errorf("it has seal %d in the place of seal %d", seal.Number, n)
		}
	}
	return o.end()
}

// enter makes the archive that has a seal the one that is read, and leaves the
// one before it.
func (v *verification) enter(ctx context.Context, seal int64) error {
	if v.open != nil && seal > v.open.Last {
		if err := v.open.end(); err != nil {
			v.spoiled(err)
		}
		v.open.close()
		v.open = nil
	}
	for len(v.archives) > 0 && v.open == nil && v.archives[0].First <= seal {
		a := v.archives[0]
		v.archives = v.archives[1:]
		if a.Last < seal {
			v.problem(ArchiveChanged, a.First, nil, "the archive %s is bound to seals %s, which are not there", a.Key, domain.Numbers{{First: a.First, Last: a.Last}})
			continue
		}
		v.span = domain.Run{First: a.First, Last: a.Last}
		o, err := openArchive(ctx, v.Files, a)
		if domain.CodeOf(err) == domain.NotFound {
			v.problem(ArchiveMissing, a.First, nil, "the archive %s with the records of seals %s is not in the store of files", a.Key, domain.Numbers{v.span})
			return nil
		} else if err != nil && domain.CodeOf(err) == domain.Unavailable {
			return err
		} else if err != nil {
			v.problem(ArchiveChanged, a.First, nil, "the archive %s with the records of seals %s cannot be read: %v", a.Key, domain.Numbers{v.span}, err)
			return nil
		}
		v.open = o
	}
	return nil
}

// archived reports whether the records of a seal went into an archive, and looks
// at them there.
func (v *verification) archived(s domain.Seal) bool {
	if s.Number < v.span.First || s.Number > v.span.Last {
		return false
	}
	if v.open == nil {
		return true // and it was told what is wrong with it
	}
	seal, err := v.open.next(v.Keys, func(line []byte) {
		v.Archived++
		v.hear(line)
	})
	if err == nil && (seal.Number != s.Number || seal.Hash != s.Hash) {
		err = fmt.Errorf("its seal %d is not the one in the database", seal.Number)
	}
	if err != nil {
		v.spoiled(err)
		v.open.close()
		v.open = nil
	}
	return true
}

func (v *verification) spoiled(err error) {
	v.problem(ArchiveChanged, v.span.First, nil, "the archive %s with the records of seals %s was changed: %v", v.open.Key, domain.Numbers{v.span}, err)
}

// strays notes files among the archives that are bound to no seals.
func (v *verification) strays(ctx context.Context) error {
	archives, err := v.tx.Archives.List(ctx)
	if err != nil {
		return err
	}
	for f, err := range v.Files.List(ctx, archiveRoot) {
		if err != nil {
			return err
		}
		if f.Committed && !slices.ContainsFunc(archives, func(a domain.AuditArchive) bool { return a.Key == f.Key }) {
			v.Notes = append(v.Notes, fmt.Sprintf("the file %s is bound to no seals: writing it did not come to its end, or what bound it was removed", f.Key))
		}
	}
	return nil
}
