package porttest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// AuditTrail runs the conformance suites of ports.AuditTrail, ports.AuditSeals
// and ports.AuditArchives.
func AuditTrail(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a record waits from when it is kept":          trailWaits,
		"records are read and removed by their number": trailRecords,
		"seals are kept in order":                      trailSeals,
		"of racing sealers each seals what is left":    trailRacing,
		"archives are kept once":                       trailArchives,
	})
}

// Signer runs the conformance suite of ports.Signer.
func Signer(t *testing.T, create func(t *testing.T) ports.Signer) {
	s := create(t)
	if !s.PublicKey().Equal(s.PublicKey()) {
		t.Error("the public key changes")
	}
	for _, message := range []string{"", "one", "two"} {
		signature, err := s.Sign(t.Context(), []byte(message))
		if err != nil {
			t.Fatal(err)
		}
		if !ed25519.Verify(s.PublicKey(), []byte(message), signature) {
			t.Errorf("the signature of %q does not verify", message)
		}
		if ed25519.Verify(s.PublicKey(), []byte(message+"x"), signature) {
			t.Errorf("the signature of %q is one of another message too", message)
		}
	}
}

// records keeps some audit records and returns their numbers.
func (s storeTest) records(n int) []int64 {
	s.Helper()
	before := s.numbers()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		for i := range n {
			if err := tx.Audit.Record(ctx, domain.AuditRecord{At: instantAt(i), Actor: domain.System("test"), Action: "test", Target: fmt.Sprint(i), Outcome: "done",
				Detail: map[string]string{"b": "2", "a": "1"}}); err != nil {
				return err
			}
		}
		return nil
	})
	return s.numbers()[len(before):]
}

func (s storeTest) numbers() (all []int64) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		all, err = tx.AuditTrail.Numbers(ctx, 0, 1000)
		return err
	})
	return all
}

func (s storeTest) waiting(after int64, limit int) (all []int64) {
	s.Helper()
	s.view(func(ctx context.Context, tx ports.Tx) (err error) {
		all, err = tx.AuditTrail.Unsealed(ctx, after, limit)
		return err
	})
	return all
}

func (s storeTest) equal(what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) && !(reflect.ValueOf(got).Len() == 0 && reflect.ValueOf(want).Len() == 0) {
		s.Errorf("%s: %v, want %v", what, got, want)
	}
}

func trailWaits(s storeTest) {
	numbers := s.records(5)
	if len(numbers) != 5 || !slices.IsSorted(numbers) || numbers[0] < 1 {
		s.Fatalf("five records have the numbers %v", numbers)
	}
	err := s.try(func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(tx.Audit.Record(ctx, domain.AuditRecord{At: instantAt(9), Action: "undone"}), errUndo)
	})
	if !errors.Is(err, errUndo) {
		s.Fatal(err)
	}
	s.equal("all", s.waiting(0, 10), numbers)
	s.equal("the first two", s.waiting(0, 2), numbers[:2])
	s.equal("after the third", s.waiting(numbers[2], 10), numbers[3:])
	// Within a unit of work too.
	s.do(func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Audit.Record(ctx, domain.AuditRecord{At: instantAt(9), Action: "test"}); err != nil {
			return err
		}
		all, err := tx.AuditTrail.Unsealed(ctx, numbers[4], 10)
		if len(all) != 1 {
			s.Errorf("the record of this unit of work waits as %v", all)
		}
		return err
	})
}

func trailRecords(s storeTest) {
	numbers := s.records(6)
	which := domain.NumbersOf([]int64{numbers[0], numbers[1], numbers[4], numbers[5] + 100})
	read := func() (found []ports.AuditEntry) {
		s.view(func(ctx context.Context, tx ports.Tx) (err error) {
			found, err = tx.AuditTrail.Records(ctx, which)
			return err
		})
		return found
	}
	found := read()
	if len(found) != 3 || found[0].Number != numbers[0] || found[2].Number != numbers[4] || found[2].Target != "4" || found[2].Detail["b"] != "2" {
		s.Fatalf("found %+v", found)
	}
	remove := func() (n int) {
		s.do(func(ctx context.Context, tx ports.Tx) (err error) {
			n, err = tx.AuditTrail.Remove(ctx, which)
			return err
		})
		return n
	}
	if n := remove(); n != 0 || len(s.numbers()) != 6 {
		s.Errorf("%d records were removed that wait to be sealed", n)
	}
	s.seal(numbers[:3])
	if n := remove(); n != 2 {
		s.Errorf("%d records were removed, want 2", n)
	}
	s.equal("left", s.numbers(), numbers[2:])
	if next := s.records(1); next[0] <= numbers[5] {
		s.Errorf("the number %d is given again", next[0])
	}
	many := domain.Numbers{}
	for n := int64(1); n < 3000; n += 2 { // more runs than a statement can name
		many = many.With(domain.Run{First: n, Last: n})
	}
	s.view(func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.AuditTrail.Records(ctx, many)
		for i, e := range found {
			if !many.Has(e.Number) || i > 0 && e.Number <= found[i-1].Number {
				s.Errorf("found record %d", e.Number)
			}
		}
		return err
	})
}

// seal keeps a seal of some records as the next one.
func (s storeTest) seal(numbers []int64) (sealed domain.Seal) {
	s.Helper()
	s.do(func(ctx context.Context, tx ports.Tx) error {
		last, err := tx.Seals.Last(ctx)
		if err != nil {
			return err
		}
		sealed = sealAfter(last, numbers)
		return tx.Seals.Add(ctx, sealed)
	})
	return sealed
}

func sealAfter(last domain.Seal, numbers []int64) domain.Seal {
	seal := domain.NewSeal(last, instantAt(int(last.Number)), domain.NumbersOf(numbers), slices.Repeat([]byte{7}, domain.LeafBytes*len(numbers)), "key")
	seal.Signature = []byte{0, 1, 0xff}
	return seal
}

func trailSeals(s storeTest) {
	numbers := s.records(6)
	s.view(func(ctx context.Context, tx ports.Tx) error {
		last, err := tx.Seals.Last(ctx)
		if last.Number != 0 || last.Hash != "" {
			s.Errorf("the last seal of none is %+v", last)
		}
		return err
	})
	one := s.seal([]int64{numbers[0], numbers[1], numbers[3]})
	two := s.seal([]int64{numbers[2]})
	s.equal("waiting", s.waiting(0, 10), numbers[4:])
	s.refused(s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Seals.Add(ctx, sealAfter(one, numbers[4:])) }), domain.Conflict)
	s.equal("waiting after a conflict", s.waiting(0, 10), numbers[4:])
	s.view(func(ctx context.Context, tx ports.Tx) error {
		last, err := tx.Seals.Last(ctx)
		if err != nil || !reflect.DeepEqual(last, two) {
			s.Errorf("the last seal is\n%+v, want\n%+v, %v", last, two, err)
		}
		found, err := tx.Seals.After(ctx, 0, 10)
		if err != nil || !reflect.DeepEqual(found, []domain.Seal{one, two}) {
			s.Errorf("the seals are\n%+v, %v", found, err)
		}
		if found, err = tx.Seals.After(ctx, 0, 1); err != nil || len(found) != 1 || found[0].Number != 1 {
			s.Errorf("the first is %+v, %v", found, err)
		}
		if found, err = tx.Seals.After(ctx, 2, 10); err != nil || len(found) != 0 {
			s.Errorf("after the last are %+v, %v", found, err)
		}
		hashes, err := tx.Seals.Hashes(ctx, []int64{2, 9})
		if !maps.Equal(hashes, map[int64]string{2: two.Hash}) {
			s.Errorf("the hashes are %v", hashes)
		}
		return err
	})
}

// Sealers that work at once neither seal a record twice nor fail.
func trailRacing(s storeTest) {
	s.records(20)
	for _, err := range atOnce(4, func(int) error {
		for range 5 {
			err := s.try(func(ctx context.Context, tx ports.Tx) error {
				waiting, err := tx.AuditTrail.Unsealed(ctx, 0, 3)
				if err != nil || len(waiting) == 0 {
					return err
				}
				last, err := tx.Seals.Last(ctx)
				if err != nil {
					return err
				}
				return tx.Seals.Add(ctx, sealAfter(last, waiting))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			s.Error(err)
		}
	}
	s.equal("waiting", s.waiting(0, 100), []int64{})
	s.view(func(ctx context.Context, tx ports.Tx) error {
		seals, err := tx.Seals.After(ctx, 0, 100)
		var sealed domain.Numbers
		count := int64(0)
		for i, seal := range seals {
			if seal.Number != int64(i+1) || i > 0 && seal.Previous != seals[i-1].Hash {
				s.Errorf("seal %d does not follow the one before", seal.Number)
			}
			count += seal.Records.Count()
			for _, r := range seal.Records {
				sealed = sealed.With(r)
			}
		}
		if count != 20 || sealed.Count() != 20 {
			s.Errorf("%d records are sealed, %d of them different", count, sealed.Count())
		}
		return err
	})
}

func trailArchives(s storeTest) {
	second := domain.AuditArchive{First: 4, Last: 9, Records: 30, Key: "audit/b", SHA256: "cd", Bytes: 1 << 40, At: instantAt(2)}
	first := domain.AuditArchive{First: 1, Last: 3, Records: 10, Key: "audit/a", SHA256: "ab", Bytes: 5, At: instantAt(1)}
	for _, a := range []domain.AuditArchive{second, first} {
		s.do(func(ctx context.Context, tx ports.Tx) error { return tx.Archives.Add(ctx, a) })
	}
	s.refused(s.try(func(ctx context.Context, tx ports.Tx) error { return tx.Archives.Add(ctx, first) }), domain.Conflict)
	s.view(func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.Archives.List(ctx)
		s.equal("archives", found, []domain.AuditArchive{first, second})
		return err
	})
}
