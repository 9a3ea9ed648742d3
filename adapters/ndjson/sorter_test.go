package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever fits into a run, the order is that of one sort in memory.
func TestRunsOnDiskAreMergedIntoOneOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := newSorter(dir, rapid.IntRange(1, 400).Draw(t, "limit"))
		defer s.close()
		type pair struct{ key, value string }
		var want []pair
		for i, key := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 12), 0, 80).Draw(t, "keys") {
			key = fmt.Appendf(key, "%03d", i) // no two alike
			value := bytes.Repeat([]byte{byte(i)}, i%7)
			if err := s.add(key, value); err != nil {
				t.Fatal(err)
			}
			want = append(want, pair{string(key), string(value)})
		}
		slices.SortFunc(want, func(a, b pair) int { return strings.Compare(a.key, b.key) })
		var got []pair
		for r, err := range s.sorted() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, pair{string(r.key), string(r.value)})
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d records in another order, or other ones than %d", len(got), len(want))
		}
	})
}

func value(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.StringOfN(rapid.RuneFrom([]rune(`a"\{}[],: é😀`)), 0, 6, -1).AsAny())
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.SliceOfN(value(depth-1), 0, 3).AsAny(), rapid.MapOfN(rapid.String(), value(depth-1), 0, 3).AsAny())
}

// members finds in every object what encoding/json finds, and never more.
func TestMembersAreFoundAsStrictlyReadOnesAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(rapid.StringMatching(`[a-zA-Z_]{1,6}`), value(3), 0, 6).Draw(t, "object")
		raw, err := json.Marshal(object)
		if rapid.Bool().Draw(t, "indented") {
			raw, err = json.MarshalIndent(object, " ", "\t")
		}
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		found := 0
		if err := members(raw, func(name, value []byte) {
			found++
			if !bytes.Equal(value, want[string(name)]) {
				t.Fatalf("%s is %s, not %s", name, value, want[string(name)])
			}
		}); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if found != len(want) {
			t.Fatalf("%d members, not %d", found, len(want))
		}
		cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		if err := members(raw[:cut], func(_, _ []byte) {}); err == nil {
			t.Fatalf("%q passes for an object", raw[:cut])
		}
	})
}

func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"\\"}`, `{"a":[{"b":1}],"c":"\""}`, `{"a"`, `{"a":}`, `[`, `{"a":1,}`, `{"\"":"}"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := members(raw, func(_, _ []byte) {})
		if err != nil && json.Valid(raw) && bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte{'{'}) {
			t.Errorf("%v in a valid object", err)
		}
		var l line
		_ = l.read(raw) // must not panic
	})
}
