package domain_test

import (
	"crypto/ed25519"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

func TestNumbers(t *testing.T) {
	for text, numbers := range map[string][]int64{"": nil, "1": {1}, "1-3": {1, 2, 3}, "2-3,5,7-8": {2, 3, 5, 7, 8}} {
		n := domain.NumbersOf(numbers)
		if n.String() != text || n.Count() != int64(len(numbers)) {
			t.Errorf("%v is %q with %d", numbers, n, n.Count())
		}
		if got := slices.Collect(n.All()); !slices.Equal(got, numbers) {
			t.Errorf("all of %q are %v", text, got)
		}
		back, err := domain.ParseNumbers(text)
		if err != nil || !slices.Equal(back, n) {
			t.Errorf("%q is read as %v, %v", text, back, err)
		}
	}
	for _, text := range []string{"0", "-1", "3-1", "1-2,3", "5,1", "1,1", "1-1", "01", "+1", " 1", "1,", ",", "a", "1-", "99999999999999999999"} {
		if n, err := domain.ParseNumbers(text); err == nil {
			t.Errorf("%q is read as %v", text, n)
		}
	}
}

// Whatever runs are added in whatever order, the set has their numbers.
func TestNumbersAreASet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var set domain.Numbers
		want := map[int64]bool{}
		for range r.IntN(12) {
			first := 1 + r.Int64N(40)
			last := first + r.Int64N(6)
			set = set.With(domain.Run{First: first, Last: last})
			for x := first; x <= last; x++ {
				want[x] = true
			}
		}
		if set.Count() != int64(len(want)) {
			t.Fatalf("%s has %d numbers, want %d", set, set.Count(), len(want))
		}
		for x := int64(0); x < 50; x++ {
			if set.Has(x) != want[x] {
				t.Fatalf("%s has %d: %t", set, x, set.Has(x))
			}
		}
		if back, err := domain.ParseNumbers(set.String()); err != nil || !slices.Equal(back, set) {
			t.Fatalf("%s is read as %s, %v", set, back, err)
		}
	}
}

var recorded = domain.AuditRecord{At: time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC),
	Actor:  domain.Actor{Kind: "client", ID: "c", From: "192.0.2.1"},
	Action: "export.start", Target: "S0001", Outcome: "done", Detail: map[string]string{"version": "R4", "request": "https://a/b?c=1&d=<2>"}}

// The canonical form is what hashes rest on, so it never changes: not its names,
// not its order, not for records that lack what was added since.
func TestTheCanonicalFormStays(t *testing.T) {
	for want, r := range map[string]domain.AuditRecord{
		`{"n":7,"at":"2026-03-01T12:00:00.123456Z","kind":"client","actor":"c","from":"192.0.2.1","action":"export.start","target":"S0001","outcome":"done",` +
			`"detail":{"request":"https://a/b?c=1&d=<2>","version":"R4"}}`: recorded,
		`{"n":7,"at":"2026-03-01T12:00:00Z","action":"a"}`: {At: time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600)), Action: "a", Detail: map[string]string{}},
	} {
		if got := string(r.Canonical(7)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// Every field of a record counts: one that is added to the record and not to
// its canonical form could be changed unseen.
func TestTheCanonicalFormHasEveryField(t *testing.T) {
	var r domain.AuditRecord
	fields(t, reflect.ValueOf(&r).Elem(), "AuditRecord", func(name string) {
		if slices.Equal(r.Canonical(1), domain.AuditRecord{}.Canonical(1)) {
			t.Errorf("%s is not part of the canonical form: add it at the end of it, to be left out when empty", name)
		}
	})
}

// fields sets one field after another to something, alone, and calls do.
func fields(t *testing.T, v reflect.Value, name string, do func(name string)) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(recorded.At))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fields(t, v.Field(i), name+"."+v.Type().Field(i).Name, do)
		}
		return
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k").Convert(v.Type().Key()), reflect.New(v.Type().Elem()).Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	default:
		t.Fatalf("%s is of a kind that this test does not know: %s", name, v.Kind())
	}
	do(name)
	v.SetZero()
}

func TestASealIsSignedAndWhole(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := domain.SealKeysOf(public)
	seal := func(last domain.Seal, n int64) domain.Seal {
		s := domain.NewSeal(last, recorded.At, domain.NumbersOf([]int64{n}), domain.Leaf(recorded.Canonical(n)), domain.SealKeyID(public))
		s.Signature = ed25519.Sign(private, s.Signed())
		return s
	}
	first := seal(domain.Seal{}, 7)
	s := seal(first, 8)
	if s.Number != 2 || s.Previous != first.Hash || !s.Whole() || !keys.Signed(s) {
		t.Errorf("%+v does not stand", s)
	}
	for name, form := range map[string][]byte{"line": s.Line(), "head": s.Head()} {
		back, err := domain.ParseSeal(form)
		if name == "head" {
			back.Leaves = s.Leaves
		}
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("the %s is read as %+v, %v", name, back, err)
		}
	}
	for name, change := range map[string]func(*domain.Seal){
		"number":    func(s *domain.Seal) { s.Number++ },
		"time":      func(s *domain.Seal) { s.At = s.At.Add(time.Microsecond) },
		"records":   func(s *domain.Seal) { s.Records = domain.NumbersOf([]int64{9}) },
		"digest":    func(s *domain.Seal) { s.Digest = first.Digest },
		"previous":  func(s *domain.Seal) { s.Previous = s.Hash },
		"key":       func(s *domain.Seal) { s.Key = "0" },
		"hash":      func(s *domain.Seal) { s.Hash = first.Hash },
		"leaves":    func(s *domain.Seal) { s.Leaves = first.Leaves },
		"no leaves": func(s *domain.Seal) { s.Leaves = nil },
	} {
		changed := s
		change(&changed)
		if changed.Whole() {
			t.Errorf("with another %s the seal is whole", name)
		}
	}
	forged := domain.NewSeal(first, recorded.At, s.Records, s.Leaves, domain.SealKeyID(public))
	forged.Signature = first.Signature
	if !forged.Whole() || keys.Signed(forged) {
		t.Error("a seal is signed by the signature of another")
	}
	if domain.SealKeysOf().Signed(s) {
		t.Error("a seal is signed by a key that nobody knows")
	}
	for _, text := range []string{"", "{}", `{"seal":1,"at":"x"}`, `{"seal":1,"at":"2026-03-01T12:00:00Z","records":"3-1"}`, `{"other":1}`} {
		if s, err := domain.ParseSeal([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}
