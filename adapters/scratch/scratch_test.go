package scratch_test

import (
	"os"
	"testing"

	"cms.gov/ab2d/adapters/scratch"
	"cms.gov/ab2d/ports/porttest"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := scratch.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	porttest.Scratch(t, s)

	f, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// While it is open too: a process that is killed leaves nothing behind.
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}
