package porttest

import (
	"bytes"
	"io"
	"testing"

	"cms.gov/ab2d/ports"
)

// Scratch checks what ports.Scratch promises.
func Scratch(t *testing.T, s ports.Scratch) {
	open := func(t *testing.T) ports.ScratchFile {
		t.Helper()
		f, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	read := func(t *testing.T, f ports.ScratchFile, off int64, n int) []byte {
		t.Helper()
		b := make([]byte, n)
		if _, err := f.ReadAt(b, off); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		return b
	}
	t.Run("what is written can be read back from anywhere", func(t *testing.T) {
		f := open(t)
		defer f.Close()
		for _, s := range []string{"one", "two", "three"} {
			if _, err := io.WriteString(f, s); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, f, 3, 8); !bytes.Equal(got, []byte("twothree")) {
			t.Errorf("read %q", got)
		}
	})
	t.Run("files do not share anything", func(t *testing.T) {
		a, b := open(t), open(t)
		defer a.Close()
		defer b.Close()
		_, errA := io.WriteString(a, "aaaa")
		_, errB := io.WriteString(b, "bb")
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := read(t, a, 0, 4); string(got) != "aaaa" {
			t.Errorf("read %q", got)
		}
	})
}
