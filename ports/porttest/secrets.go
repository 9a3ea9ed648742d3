package porttest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// Secrets runs the conformance suite of ports.Secrets.
func Secrets(t *testing.T, create func(t *testing.T) Store) {
	storeParts(t, create, map[string]func(storeTest){
		"a value is minted once":          secretsOnce,
		"of racing mints the first wins":  secretsRacing,
		"a mint that fails keeps nothing": secretsFails,
		"what is forgotten is gone":       secretsForgotten,
	})
}

func secretsOnce(s storeTest) {
	minted := 0
	mint := func() ([]byte, error) {
		minted++
		return []byte{0, 1, 0xff, byte(minted)}, nil
	}
	for _, name := range []string{"a", "a", "b", "a"} {
		got, err := s.store.Ensure(s.Context(), name, mint)
		want := []byte{0, 1, 0xff, 1}
		if name == "b" {
			want[3] = 2
		}
		if err != nil || !bytes.Equal(got, want) {
			s.Errorf("%s is %x, %v, want %x", name, got, err, want)
		}
	}
	if minted != 2 {
		s.Errorf("%d values were minted, want 2", minted)
	}
}

func secretsRacing(s storeTest) {
	got := make([][]byte, 8)
	for _, err := range atOnce(len(got), func(i int) (err error) {
		got[i], err = s.store.Ensure(s.Context(), "key", func() ([]byte, error) { return fmt.Appendf(nil, "by %d", i), nil })
		return err
	}) {
		if err != nil {
			s.Fatal(err)
		}
	}
	for _, value := range got {
		if !bytes.Equal(value, got[0]) || len(value) == 0 {
			s.Errorf("one got %q and another %q", got[0], value)
		}
	}
}

func secretsFails(s storeTest) {
	if _, err := s.store.Ensure(s.Context(), "key", func() ([]byte, error) { return nil, errUndo }); !errors.Is(err, errUndo) {
		s.Errorf("the error is %v, want that of mint", err)
	}
	got, err := s.store.Ensure(s.Context(), "key", func() ([]byte, error) { return []byte("second"), nil })
	if err != nil || string(got) != "second" {
		s.Errorf("the value is %q, %v", got, err)
	}
}

func secretsForgotten(s storeTest) {
	for _, name := range []string{"key/1", "key/2", "key/3", "key", "keys/1", "a key/1", "k%y/1"} {
		if _, err := s.store.Ensure(s.Context(), name, func() ([]byte, error) { return []byte("before"), nil }); err != nil {
			s.Fatal(err)
		}
	}
	for _, forget := range []func() error{
		func() error { return s.store.Forget(s.Context(), "nothing/") },
		func() error { return s.store.Forget(s.Context(), "k%y/", "k%y/1") }, // the prefix is no pattern
		func() error { return s.store.Forget(s.Context(), "key/", "key/2", "key/7") },
	} {
		if err := forget(); err != nil {
			s.Fatal(err)
		}
	}
	for name, want := range map[string]string{"key/1": "after", "key/2": "before", "key/3": "after", "key": "before", "keys/1": "before", "a key/1": "before", "k%y/1": "before"} {
		got, err := s.store.Ensure(s.Context(), name, func() ([]byte, error) { return []byte("after"), nil })
		if err != nil || string(got) != want {
			s.Errorf("%s was made %s the rest was forgotten, %v; want %s", name, got, err, want)
		}
	}
	if err := s.store.Forget(s.Context(), "key/"); err != nil {
		s.Fatal(err)
	}
	if got, err := s.store.Ensure(s.Context(), "key/2", func() ([]byte, error) { return []byte("after"), nil }); err != nil || string(got) != "after" {
		s.Errorf("with none excepted, one is left: %s, %v", got, err)
	}
}
