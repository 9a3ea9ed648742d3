package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/domain/eob"
)

// What is committed is what the code gives today.
func TestThePagesAreFresh(t *testing.T) {
	for name, make := range generated {
		want, err := make()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale, %v: run make generate and commit the result", name, err)
		}
	}
}

// Every leaf that can leave is in the dictionary of its version, with its
// condition, and what stays is not.
func TestEveryLeafIsInTheDictionary(t *testing.T) {
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		page, err := dictionaryPage(v)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(page), "\n")
		all := eob.Rules(v)
		for _, kind := range []domain.ResourceType{"Patient", "Coverage"} {
			all = append(all, eob.RecordRules(kind, v)...)
		}
		if len(all) < 100 {
			t.Fatalf("%d rules", len(all))
		}
		for _, r := range all {
			cut := strings.LastIndexByte(r.Path, '.')
			parent, leaf := r.Path[:max(cut, 0)], r.Path[cut+1:]
			// A row of a range of extensions names the first and the last of them.
			_, value, _ := strings.Cut(r.Condition, " = ")
			value = strings.TrimRight(value, "0123456789")
			found := false
			for _, line := range lines {
				found = found || (parent == "" || strings.HasPrefix(line, "| `"+parent+"` |")) && strings.Contains(line, "`"+leaf+"`") && strings.Contains(line, value)
			}
			if decides := r.Condition == "decides"; found == decides {
				t.Errorf("%s: %s (%s) is there: %v", v, r.Path, r.Condition, found)
			}
		}
	}
}

// A dictionary without an element's name in it is of no use.
func TestRowsAreNamed(t *testing.T) {
	all, err := meanings()
	if err != nil || len(all) != 251 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	for _, v := range []domain.FHIRVersion{domain.STU3, domain.R4} {
		for _, r := range eob.Rules(v) {
			for _, row := range cited(r.Why) {
				if all[row].name == "" {
					t.Errorf("%s: %s cites row %d, which has no name", v, r.Path, row)
				}
			}
		}
	}
}
