package audit

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Verifier finds out whether the audit trail is what was once recorded and
// sealed. It changes nothing, and it needs no more than public keys.
type Verifier struct {
	Store ports.UnitOfWork
	Files ports.Files
	Clock ports.Clock
	Keys  domain.SealKeys
}

// Kind says for a machine what is wrong.
type Kind string

// The kinds of problems.
const (
	RecordChanged  Kind = "record_changed"  // it is not what was sealed
	RecordRemoved  Kind = "record_removed"  // it was sealed, or waited for it, and is gone
	RecordAdded    Kind = "record_added"    // it is in no seal and does not wait for one
	SealMissing    Kind = "seal_missing"    // seals after it are there
	SealChanged    Kind = "seal_changed"    // it is not what was signed
	SealForged     Kind = "seal_forged"     // nobody with a key that is known signed it
	SealUnlinked   Kind = "seal_unlinked"   // it does not follow the one before
	ArchiveMissing Kind = "archive_missing" // the file is not in the store of files
	ArchiveChanged Kind = "archive_changed" // the file is not what was written
	DatabaseLags   Kind = "database_lags"   // a seal was exported that the database does not have
	HeadRemoved    Kind = "head_removed"    // an exported head is gone, later ones are there
	HeadUnreadable Kind = "head_unreadable" // a file among the heads is none
)

const (
	problemsAtMost = 1000 // that are told one by one
	numbersAtOnce  = 1000 // of records or heads that are looked at in memory
	exportsWithin  = time.Hour
)

// Problem is one thing that is wrong.
type Problem struct {
	Kind    Kind
	Seal    int64  // which one it is about, if any
	Records string // which ones it is about, if any, as 1-100,103
	Text    string // the same in words
}

// Report is what a Verifier found.
type Report struct {
	Records  int64 // in the database
	Waiting  int64 // of these, those that wait to be sealed
	Archived int64 // in archives
	Seals    int64
	Heads    int64 // outside the database
	Last     domain.Seal
	Lost     []Lost // what the database does not have although it was exported
	Problems []Problem
	More     int      // problems that are not in Problems
	Notes    []string // what is as it should be and yet worth knowing
}

// Holds reports whether nothing is wrong.
func (r *Report) Holds() bool { return len(r.Problems) == 0 }

func (r *Report) problem(kind Kind, seal int64, records domain.Numbers, format string, args ...any) {
	if len(r.Problems) >= problemsAtMost {
		r.More++
		return
	}
	r.Problems = append(r.Problems, Problem{kind, seal, records.String(), fmt.Sprintf(format, args...)})
}

// Verify looks at every record, seal, archive and exported head. An error means
// that it could not look at all of them.
func (v *Verifier) Verify(ctx context.Context) (*Report, error) {
	// A head is written after its seal is kept, so what is listed before is in
	// what is read after.
	heads, err := v.listed(ctx)
	if err != nil {
		return nil, err
	}
	var report *Report
	var restored map[string]bool
	err = v.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		report, restored = &Report{}, map[string]bool{} // another time when it is tried again
		in := &verification{Report: report, Verifier: v, tx: tx, stands: true, restored: restored}
		if err := in.seals(ctx); err != nil {
			return err
		}
		if err := in.others(ctx); err != nil {
			return err
		}
		return in.strays(ctx)
	})
	if err != nil {
		return nil, err
	}
	report.Heads = heads.Count()
	return report, v.compareHeads(ctx, report, heads, restored)
}

// verification is one look at one state of the database.
type verification struct {
	*Report
	*Verifier
	tx       ports.Tx
	archives []domain.AuditArchive
	open     *opened         // the archive that is read at the moment
	span     domain.Run      // the seals of it, also when it cannot be read
	sealed   domain.Numbers  // the records in seals, whether these stand or not
	stands   bool            // the last seal does
	restored map[string]bool // the hashes of heads that were lost with a restore, as the trail says
}

// seals goes through the chain of seals, and through the records of each.
func (v *verification) seals(ctx context.Context) (err error) {
	if v.archives, err = v.tx.Archives.List(ctx); err != nil {
		return err
	}
	defer func() { v.open.close() }()
	for {
		seals, err := v.tx.Seals.After(ctx, v.Last.Number, page)
		if err != nil {
			return err
		}
		if len(seals) == 0 {
			return v.enter(ctx, math.MaxInt64)
		}
		for _, seal := range seals {
			if err := v.enter(ctx, seal.Number); err != nil {
				return err
			}
			v.stands = v.chain(seal)
			if err := v.records(ctx, seal); err != nil {
				return err
			}
			for _, r := range seal.Records {
				v.sealed = v.sealed.With(r)
			}
			v.Last = seal
			v.Seals++
		}
	}
}

// chain looks at the seal itself and at how it follows the last one.
func (v *verification) chain(s domain.Seal) (stands bool) {
	signed := v.Keys.Signed(s)
	stands = signed && s.Whole()
	switch {
	case stands:
	case v.Keys[s.Key] == nil && s.Whole():
		v.problem(SealForged, s.Number, s.Records, "seal %d is signed with key %s, which is not known: either it was forged, or the public key is missing in what you gave", s.Number, s.Key)
	case s.Whole():
		v.problem(SealForged, s.Number, s.Records, "seal %d was not signed with key %s: it was forged", s.Number, s.Key)
	default:
		v.problem(SealChanged, s.Number, s.Records, "seal %d was changed, so nothing vouches for its records %s", s.Number, s.Records)
	}
	if s.Number != v.Last.Number+1 {
		missing := domain.Run{First: v.Last.Number + 1, Last: s.Number - 1}
		v.problem(SealMissing, missing.First, nil, "%s removed: seal %d is the next there is", seals(domain.Numbers{missing}, "was", "were"), s.Number)
	} else if s.Previous != v.Last.Hash && v.stands && stands {
		v.problem(SealUnlinked, s.Number, nil, "seal %d does not follow the seal before it: that one took the place of another", s.Number)
	}
	return stands
}

// records compares the records of a seal with it, those in its archive and those
// in the database.
func (v *verification) records(ctx context.Context, s domain.Seal) error {
	archived := v.archived(s)
	if !v.stands {
		return nil
	}
	found, err := v.tx.AuditTrail.Records(ctx, s.Records)
	if err != nil {
		return err
	}
	var changed, removed, before domain.Numbers
	leaves := slices.Chunk(s.Leaves, domain.LeafBytes)
	next, stop := iter.Pull(leaves)
	defer stop()
	for n := range s.Records.All() {
		leaf, _ := next()
		var line []byte
		if len(found) > 0 && found[0].Number == n {
			line, found = found[0].Canonical(n), found[1:]
		}
		switch one := (domain.Run{First: n, Last: n}); {
		case bytes.Equal(leaf, domain.NoLeaf):
			before = before.With(one)
		case line == nil && !archived:
			removed = removed.With(one)
		case line != nil && !bytes.Equal(domain.Leaf(line), leaf):
			changed = changed.With(one)
		case line != nil:
			v.hear(line)
		}
	}
	when := s.At.Format(time.RFC3339)
	if len(before) > 0 {
		v.problem(RecordRemoved, s.Number, before, "%s removed before seal %d of %s could vouch for %s", records(before, "was", "were"), s.Number, when, them(before))
	}
	if len(removed) > 0 {
		v.problem(RecordRemoved, s.Number, removed, "%s removed: seal %d of %s vouches for %s", records(removed, "was", "were"), s.Number, when, them(removed))
	}
	if len(changed) > 0 {
		v.problem(RecordChanged, s.Number, changed, "%s not what seal %d of %s vouches for: changed, or put in the place of another", records(changed, "is", "are"), s.Number, when)
	}
	return nil
}

// others looks at the records that are in no seal: each has to wait for one.
func (v *verification) others(ctx context.Context) error {
	numbers, stopNumbers := iter.Pull2(pages(ctx, v.tx.AuditTrail.Numbers))
	defer stopNumbers()
	waiting, stopWaiting := iter.Pull2(pages(ctx, v.tx.AuditTrail.Unsealed))
	defer stopWaiting()
	var added, gone domain.Numbers
	w, err, more := waiting()
	n, nErr, there := numbers()
	for there || more {
		if err != nil || nErr != nil {
			return cmpErr(err, nErr)
		}
		waits := more && there && w == n
		switch {
		case more && (!there || w < n):
			gone = gone.With(domain.Run{First: w, Last: w})
			w, err, more = waiting()
			continue
		case waits:
			v.Waiting++
		case !v.sealed.Has(n):
			added = added.With(domain.Run{First: n, Last: n})
		}
		v.Records++
		if waits {
			w, err, more = waiting()
		}
		n, nErr, there = numbers()
	}
	if len(added) > 0 {
		v.problem(RecordAdded, 0, added, "%s in no seal and %s not wait for one: added past the program, or sealed by a seal that is gone", records(added, "is", "are"), do(added))
	}
	if len(gone) > 0 {
		v.problem(RecordRemoved, 0, gone, "%s removed while %s to be sealed", records(gone, "was", "were"), waited(gone))
	}
	return cmpErr(err, nErr)
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// pages yields all numbers, page by page.
func pages(ctx context.Context, next func(ctx context.Context, after int64, limit int) ([]int64, error)) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for after := int64(0); ; {
			numbers, err := next(ctx, after, numbersAtOnce)
			if err != nil {
				yield(0, err)
				return
			}
			for _, n := range numbers {
				if !yield(n, nil) {
					return
				}
			}
			if len(numbers) < numbersAtOnce {
				return
			}
			after = numbers[len(numbers)-1]
		}
	}
}

// listed returns the numbers of the heads outside the database.
func (v *Verifier) listed(ctx context.Context) (heads domain.Numbers, err error) {
	for f, err := range v.Files.List(ctx, headRoot) {
		if err != nil {
			return nil, err
		}
		if h, ok := parseHead(f.Key); ok && f.Committed {
			heads = heads.With(domain.Run{First: h.number, Last: h.number})
		}
	}
	return heads, nil
}

// compareHeads looks for heads that the database does not have, and for heads
// that are gone.
func (v *Verifier) compareHeads(ctx context.Context, report *Report, before domain.Numbers, restored map[string]bool) error {
	var unknown, some []head
	compare := func() error {
		lost, err := v.unknown(ctx, some)
		unknown, some = append(unknown, lost...), some[:0]
		return err
	}
	for f, err := range v.Files.List(ctx, headRoot) {
		if err != nil {
			return err
		}
		h, ok := parseHead(f.Key)
		switch {
		case !f.Committed:
			continue
		case !ok:
			report.problem(HeadUnreadable, 0, nil, "the file %s is no exported head", f.Key)
			continue
		}
		if some = append(some, h); len(some) == numbersAtOnce {
			if err := compare(); err != nil {
				return err
			}
		}
	}
	if err := compare(); err != nil {
		return err
	}
	if err := v.lost(ctx, report, unknown, restored); err != nil {
		return err
	}
	return v.missing(ctx, report, absent(before, report.Last.Number))
}

// missing tells of heads that are not outside the database.
func (v *Verifier) missing(ctx context.Context, report *Report, gaps domain.Numbers) error {
	if len(gaps) == 0 {
		return nil
	}
	if tail := gaps[len(gaps)-1]; tail.Last == report.Last.Number {
		// Where nothing later is outside, a sealer may not have come to it.
		first, err := v.seal(ctx, tail.First)
		if err != nil {
			return err
		}
		if v.Clock.Now().Sub(first.At) < exportsWithin {
			gaps = gaps[:len(gaps)-1]
			report.Notes = append(report.Notes, fmt.Sprintf("%s not outside the database yet", seals(domain.Numbers{tail}, "is", "are")))
		}
	}
	if len(gaps) > 0 {
		report.problem(HeadRemoved, gaps[0].First, nil, "the exported head of %s not in the store of files: removed, or never exported", seals(gaps, "is", "are"))
	}
	return nil
}

func (v *Verifier) seal(ctx context.Context, number int64) (seal domain.Seal, err error) {
	err = v.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.Seals.After(ctx, number-1, 1)
		if len(found) > 0 {
			seal = found[0]
		}
		return err
	})
	return seal, err
}

// absent returns the numbers from 1 to last that are not in the set.
func absent(set domain.Numbers, last int64) (gaps domain.Numbers) {
	next := int64(1)
	for _, r := range set {
		if r.First > last {
			break
		}
		if r.First > next {
			gaps = append(gaps, domain.Run{First: next, Last: r.First - 1})
		}
		next = r.Last + 1
	}
	if next <= last {
		gaps = append(gaps, domain.Run{First: next, Last: last})
	}
	return gaps
}

// unknown returns those of the heads that the database does not have. What was
// listed before this looks was kept before it was exported.
func (v *Verifier) unknown(ctx context.Context, heads []head) (lost []head, err error) {
	var hashes map[int64]string
	err = v.Store.View(ctx, func(ctx context.Context, tx ports.Tx) (err error) {
		numbers := make([]int64, len(heads))
		for i, h := range heads {
			numbers[i] = h.number
		}
		hashes, err = tx.Seals.Hashes(ctx, numbers)
		return err
	})
	return slices.DeleteFunc(slices.Clone(heads), func(h head) bool { return hashes[h.number] == h.hash }), err
}

// seals says which seals, with the verb that fits.
func seals(n domain.Numbers, one, many string) string { return nouns("seal", n, one, many) }

func records(n domain.Numbers, one, many string) string { return nouns("record", n, one, many) }

func nouns(noun string, n domain.Numbers, one, many string) string {
	if n.Count() == 1 {
		return fmt.Sprintf("%s %s %s", noun, n, one)
	}
	return fmt.Sprintf("%ss %s %s", noun, n, many)
}

func them(n domain.Numbers) string { return pick(n, "it", "them") }

func do(n domain.Numbers) string { return pick(n, "does", "do") }

func waited(n domain.Numbers) string { return pick(n, "it waited", "they waited") }

func pick(n domain.Numbers, one, many string) string {
	if n.Count() == 1 {
		return one
	}
	return many
}
