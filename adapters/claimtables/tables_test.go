package claimtables_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"cms.gov/ab2d/adapters/claimtables"
)

// The page that describes the tables has each column of each, in order, with the
// type that it has in the files.
func TestTheSchemaIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../../docs/parquet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## The table of claims")
	claims, lines, _ := strings.Cut(rest, "## The table of lines")
	for text, schema := range map[string]*parquet.Schema{claims: parquet.SchemaOf(claimtables.Claim{}), lines: parquet.SchemaOf(claimtables.Line{})} {
		var told, have []string
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(text, -1) {
			told = append(told, m[1]+": "+m[2])
		}
		for _, f := range schema.Fields() {
			have = append(have, f.Name()+": "+kindOf(t, f))
		}
		slices.Sort(told)
		slices.Sort(have)
		if !slices.Equal(told, have) {
			t.Errorf("described\n%s\nin the files\n%s", strings.Join(told, "\n"), strings.Join(have, "\n"))
		}
	}
}

func kindOf(t *testing.T, f parquet.Field) string {
	t.Helper()
	if !f.Leaf() {
		return "list of strings"
	}
	kind := map[string]string{"STRING": "string", "DATE": "date", "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)": "timestamp, UTC", "INT(32,true)": "int32", "INT32": "int32", "DOUBLE": "double"}[f.Type().String()]
	if kind == "" {
		t.Errorf("%s is %s", f.Name(), f.Type())
	}
	return kind
}

func TestWhatIsNotAClaimIsCountedAndLeftOut(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.ndjson")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	claims, lines := filepath.Join(dir, "c.parquet"), filepath.Join(dir, "l.parquet")
	write(`{"resourceType":"Patient","id":"-1"}` + "\n")
	n, err := claimtables.ConvertFile(t.Context(), in, claims, lines)
	if err != nil || n != (claimtables.Counts{Others: 1}) {
		t.Errorf("%+v, %v", n, err)
	}
	if made, _ := filepath.Glob(filepath.Join(dir, "*.p*")); len(made) > 0 {
		t.Errorf("made %v of no claims", made)
	}
	write(`{"resourceType":"Patient","id":"-1"}` + "\n" + `{"resourceType":"ExplanationOfBenefit","id":"carrier--1","item":[{"sequence":1,"quantity":{"value":1.5}},{"sequence":2}]}`)
	if n, err = claimtables.ConvertFile(t.Context(), in, claims, lines); err != nil || n != (claimtables.Counts{Claims: 1, Lines: 2, Others: 1}) {
		t.Errorf("%+v, %v", n, err)
	}
	rows, err := parquet.ReadFile[claimtables.Line](lines)
	if err != nil || len(rows) != 2 || *rows[0].Quantity != 1.5 || rows[1].Quantity != nil || rows[1].ServiceFrom != nil {
		t.Errorf("%+v, %v", rows, err)
	}

	// What cannot be read leaves what was there.
	before, err := os.ReadFile(claims)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"{", `{"resourceType":"ExplanationOfBenefit","id":"x","billablePeriod":{"start":"2020-13-40"}}`, `{"resourceType":"ExplanationOfBenefit","id":"x","meta":{"lastUpdated":"yesterday"}}`} {
		write(`{"resourceType":"ExplanationOfBenefit","id":"y"}` + "\n" + bad + "\n")
		if _, err := claimtables.ConvertFile(t.Context(), in, claims, lines); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	after, err := os.ReadFile(claims)
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || !bytes.Equal(before, after) || len(left) > 0 {
		t.Errorf("the tables that were there have changed, or %v is left; %v", left, err)
	}
}

// claims is a file of so many claims, which watches the heap while it is read.
type claims struct {
	left int
	rest []byte
	heap uint64
}

func (c *claims) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		if c.left--; c.left%2499 == 0 { // not where a group of rows has just been written
			runtime.GC()
			runtime.GC() // what lies in pools for the next group is gone after two
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			c.heap = max(c.heap, m.HeapAlloc)
		}
		c.rest = fmt.Appendf(nil, `{"resourceType":"ExplanationOfBenefit","id":"carrier--%d","patient":{"reference":"Patient/-%d"},"billablePeriod":{"start":"2020-01-01","end":"2020-01-02"},"diagnosis":[{"sequence":1,"diagnosisCodeableConcept":{"coding":[{"system":"x","code":"E%d"}]}}],"item":[{"sequence":1,"diagnosisSequence":[1],"quantity":{"value":%d}},{"sequence":2}]}`+"\n", c.left, c.left/50, c.left%900, c.left)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// A file that is three times as long needs no more memory.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	heap := func(n int) uint64 {
		in := &claims{left: n}
		if _, err := claimtables.Convert(t.Context(), in, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		return in.heap
	}
	small, large := heap(15_000), heap(45_000)
	t.Logf("%.1f MB for 15,000 claims, %.1f MB for 45,000", float64(small)/1e6, float64(large)/1e6)
	if small == 0 || large > small+small/2 {
		t.Errorf("%d bytes for 15,000 claims, %d for 45,000", small, large)
	}
}

func TestAConversionEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := claimtables.Convert(ctx, &claims{left: 1 << 20}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
