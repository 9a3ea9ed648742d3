package eob

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
)

// What we make of AB2D's own test claims, byte for byte.
func TestGoldenOutputs(t *testing.T) {
	for _, s := range samples(t) {
		if !strings.Contains(s.name, "/before/") {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			got := append(trim(t, s.version, s.raw), '\n')
			file := filepath.Join(folder(s.version), "after", filepath.Base(s.name)+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := readFile(t, file); !bytes.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// difference is a line of differences.txt: something that AB2D's output has and
// ours has not, or the other way about, on purpose.
type difference struct {
	sign, path string
	seen       bool
}

func differencesOf(t *testing.T, v domain.FHIRVersion) (all []*difference) {
	for line := range strings.Lines(string(readFile(t, filepath.Join(folder(v), "differences.txt")))) {
		if line[0] == '#' {
			continue
		}
		columns := strings.Split(line, " | ")
		if len(columns) != 3 || strings.TrimSpace(columns[2]) == "" {
			t.Fatalf("a difference without its reason: %s", line)
		}
		all = append(all, &difference{sign: columns[0], path: columns[1]})
	}
	return all
}

// AB2D's expected outputs are reproduced, but for the differences listed beside
// them, each of which occurs.
func TestOutputsOfAB2D(t *testing.T) {
	for v, theirs := range map[domain.FHIRVersion]string{domain.STU3: "after-legacy", domain.R4: "after-ab2d"} {
		differences := differencesOf(t, v)
		files, _ := filepath.Glob(filepath.Join(folder(v), theirs, "*.json"))
		if len(files) < 4 {
			t.Fatalf("only %d outputs of AB2D for %s", len(files), v)
		}
		for _, file := range files {
			before := readFile(t, filepath.Join(folder(v), "before", filepath.Base(file)))
			their := without(decoded(t, readFile(t, file)), "", "-", differences)
			our := without(decoded(t, trim(t, v, before)), "", "+", differences)
			if !reflect.DeepEqual(their, our) {
				t.Errorf("%s: AB2D and we differ beyond what is listed\nAB2D %s\nours %s", file, encoded(t, their), encoded(t, our))
			}
		}
		for _, d := range differences {
			if !d.seen {
				t.Errorf("%s: the difference %s %s does not occur", v, d.sign, d.path)
			}
		}
	}
}

// without returns v without what the differences of one sign name, and without
// what that leaves empty.
func without(v any, path, sign string, differences []*difference) any {
	for _, d := range differences {
		if d.sign == sign && d.path == path {
			d.seen = true
			return nil
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if v[name] = without(child, strings.TrimPrefix(path+"."+name, "."), sign, differences); v[name] == nil {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		var kept []any
		for _, child := range v {
			if child = without(child, path+elementName(path, child), sign, differences); child != nil {
				kept = append(kept, child)
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	}
	return v
}
