package eob

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is one claim of testdata.
type sample struct {
	name    string // as R4/before/carrier
	version domain.FHIRVersion
	raw     []byte // as the file has it, over many lines
	compact []byte // as the source sends it
}

func folder(v domain.FHIRVersion) string {
	return filepath.Join("testdata", strings.ToLower(string(v)))
}

// samplesOf returns every source claim of a version.
func samplesOf(t testing.TB, v domain.FHIRVersion) (all []sample) {
	t.Helper()
	for _, kind := range []string{"before", "source"} {
		files, err := filepath.Glob(filepath.Join(folder(v), kind, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no samples of %s in %s: %v", v, kind, err)
		}
		for _, file := range files {
			name := string(v) + "/" + kind + "/" + strings.TrimSuffix(filepath.Base(file), ".json")
			raw := readFile(t, file)
			all = append(all, sample{name, v, raw, compacted(t, raw)})
		}
	}
	return all
}

func samples(t testing.TB) []sample {
	return append(samplesOf(t, domain.STU3), samplesOf(t, domain.R4)...)
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compacted(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var someMBIs = MBIExtensions(domain.Identifiers{Current: "1S00E00DP42", Historic: []domain.MBI{"1S00E00DP41"}})

// bothWays trims by the scanner alone and by the strict way alone, and fails
// the test where they do not agree: a claim that the scanner takes has one
// result, and one that it refuses without being unsure is unreadable.
func bothWays(t testing.TB, v domain.FHIRVersion, raw, mbis []byte) (out []byte, f Facts, err error) {
	t.Helper()
	return bothWaysTo(t, shape{version: v}, raw, mbis)
}

// bothWaysTo is bothWays to a shape that an export has narrowed.
func bothWaysTo(t testing.TB, to shape, raw, mbis []byte) (out []byte, f Facts, err error) {
	t.Helper()
	rules := compiledFor(to)
	var s scanner
	s.reset(raw, nil, mbis, rules.tag, true)
	n := s.claim(rules.root)
	fast := n >= 0 && afterSpace(raw, n) == len(raw)
	out, f, err = trimStrictly(rules, nil, raw, mbis, true)
	switch {
	case fast && err != nil:
		t.Fatalf("the scanner accepts what the strict way refuses: %v\n%q", err, raw)
	case fast && !bytes.Equal(s.out, out):
		t.Fatalf("scanner and strict way differ\nscanner: %s\nstrict:  %s\nraw: %q", s.out, out, raw)
	case fast && !reflect.DeepEqual(s.facts, f):
		t.Fatalf("scanner and strict way find other facts\nscanner: %+v\nstrict:  %+v\nraw: %q", s.facts, f, raw)
	case !fast && !s.unsure && err == nil:
		t.Fatalf("the scanner refuses what the strict way accepts\n%q", raw)
	case fast:
		firstOfMore(t, to, raw, mbis, out, f)
	}
	return out, f, err
}

// firstOfMore sees to it that a claim gives the same whatever follows it, and
// nothing while its end is missing.
func firstOfMore(t testing.TB, to shape, raw, mbis, want []byte, facts Facts) {
	t.Helper()
	trimmer := &Trimmer{shape: to, rules: compiledFor(to), codes: true}
	claim := bytes.TrimRight(raw, " \t\r\n")
	for _, tail := range []string{"", ` , {"resource":{"resourceType":"ExplanationOfBenefit","id":"F10.20"}}]}`, `}`, `"F10.20"`, "\\"} {
		out, f, n := trimmer.TrimFirst([]byte("dst"), slices.Concat(claim, []byte(tail)), mbis)
		if n != len(claim) || string(out) != "dst"+string(want) || !reflect.DeepEqual(f, facts) {
			t.Fatalf("before %q it is %d bytes of %d: %s, %+v\nalone: %s, %+v\nraw: %q", tail, n, len(claim), out, f, want, facts, raw)
		}
	}
	for _, n := range []int{0, 1, len(claim) / 3, len(claim) / 2, len(claim) - 9, len(claim) - 1} {
		if out, _, took := trimmer.TrimFirst([]byte("dst"), claim[:max(n, 0)], mbis); took != 0 || string(out) != "dst" {
			t.Fatalf("of %d bytes of %d it makes a claim of %d: %s\nraw: %q", n, len(claim), took, out, raw)
		}
	}
}

// trim is Trim for a claim that must be readable.
func trim(t testing.TB, v domain.FHIRVersion, raw []byte) []byte {
	t.Helper()
	out, _, err := bothWays(t, v, raw, someMBIs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// decoded returns JSON as maps and slices, with numbers as they are written.
func decoded(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// walk calls do for every value in v with its path; the element of a list of
// extensions is named by its url.
func walk(v any, path string, do func(path string, v any)) {
	do(path, v)
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			walk(child, strings.TrimPrefix(path+"."+name, "."), do)
		}
	case []any:
		for _, child := range v {
			walk(child, path+elementName(path, child), do)
		}
	}
}

func elementName(path string, element any) string {
	if e, ok := element.(map[string]any); ok && strings.HasSuffix(path, "extension") {
		if url, ok := e["url"].(string); ok {
			return "[" + url + "]"
		}
	}
	return "[]"
}
