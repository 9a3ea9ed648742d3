package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
	"cms.gov/ab2d/ports/porttest"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	porttest.Files(t, func(t *testing.T) ports.Files { return open(t, t.TempDir()) })
}

// create starts a file and writes to it.
func create(t *testing.T, s *Store, key, content string) ports.FileWriter {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	return w
}

func put(t *testing.T, s *Store, key, content string) {
	t.Helper()
	if err := create(t, s, key, content).Commit(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, s *Store, key string) string {
	t.Helper()
	f, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tree returns all names under dir, directories with a slash.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func wantTree(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("the directory holds %q, want %q", got, want)
	}
}

func wantCode(t *testing.T, what string, err error, want domain.Code) {
	t.Helper()
	if domain.CodeOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestOnlyTheOwnerReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	s := open(t, dir)
	put(t, s, "a/b/c", "x")
	create(t, s, "a/d", "x")
	for _, name := range append(tree(t, dir), ".") {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(fileMode)
		if info.IsDir() {
			want = dirMode
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
}

func TestWhatADeadWriterLeftIsSwept(t *testing.T) {
	dir := t.TempDir()
	create(t, open(t, dir), "job/1/left", "half a file")
	// Its process is dead; another opens the directory.
	s := open(t, dir)
	_, err := s.Open(t.Context(), "job/1/left")
	wantCode(t, "Open", err, domain.NotFound)
	n := 0
	for info, err := range s.List(t.Context(), "job/1/left") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if info.Committed || info.Bytes != 11 || info.Modified.IsZero() {
			t.Errorf("List yields %+v, want 11 bytes that are not committed", info)
		}
		_, err = s.Open(t.Context(), info.Key)
		wantCode(t, "Open of the temporary name", err, domain.Invalid)
		_, err = s.Create(t.Context(), info.Key)
		wantCode(t, "Create of the temporary name", err, domain.Invalid)
		if err := s.Delete(t.Context(), info.Key); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("List yields %d entries, want 1", n)
	}
	wantTree(t, dir)
}

func TestEmptyDirectoriesGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b/c/1", "x")
	put(t, s, "a/2", "x")
	if err := s.Delete(t.Context(), "a/b/c/1"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, "a/", "a/2")
	if err := create(t, s, "a/d/e", "x").Abort(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, "a/", "a/2")
	if err := s.Delete(t.Context(), "a/2"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir)
}

func TestAKeyIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first, second := create(t, s, "a/b", "first"), create(t, s, "a/b", "second")
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Commit of the second", second.Commit(), domain.Conflict)
	if got := content(t, s, "a/b"); got != "first" {
		t.Errorf("the file holds %q", got)
	}
	wantTree(t, dir, "a/", "a/b")
}

func TestAKeyIsNotThePathOfAnother(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b", "x")
	_, err := s.Create(t.Context(), "a/b/c")
	wantCode(t, "Create below a file", err, domain.Conflict)
	wantCode(t, "Commit over a directory", create(t, s, "a", "x").Commit(), domain.Conflict)
	wantTree(t, dir, "a/", "a/b")
}

func TestKeysThatAreTooLong(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, strings.Repeat("x", maxPart), "x")
	long := strings.Repeat(strings.Repeat("y", 127)+"/", 8)[:ports.KeyLimit-1]
	put(t, s, long, "x")
	for _, key := range []string{strings.Repeat("x", maxPart+1), long + "yy", strings.Repeat("z/", 1<<20) + "z"} {
		_, err := s.Create(t.Context(), key)
		wantCode(t, fmt.Sprintf("Create with %d characters", len(key)), err, domain.Invalid)
	}
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := open(t, dir)
	put(t, s, "ours", "x")
	secret := filepath.Join(outside, "secret")
	for path, err := range map[string]error{
		secret:                          os.WriteFile(secret, []byte("x"), 0o600),
		filepath.Join(dir, "a file~"):   os.WriteFile(filepath.Join(dir, "a file~"), nil, 0o600),
		filepath.Join(dir, "x~lower"):   os.WriteFile(filepath.Join(dir, "x~lower"), nil, 0o600),
		filepath.Join(dir, "lost+f"):    os.Mkdir(filepath.Join(dir, "lost+f"), 0o700),
		filepath.Join(dir, "to-file"):   os.Symlink(secret, filepath.Join(dir, "to-file")),
		filepath.Join(dir, "to-folder"): os.Symlink(outside, filepath.Join(dir, "to-folder")),
	} {
		if err != nil {
			t.Fatal(path, err)
		}
	}
	for info, err := range s.List(t.Context(), "") {
		if err != nil || info.Key != "ours" {
			t.Errorf("List yields %+v, %v, want only what is ours", info, err)
		}
	}
	for _, key := range []string{"to-file", "to-folder/secret"} {
		if f, err := s.Open(t.Context(), key); err == nil {
			_ = f.Close()
			t.Errorf("Open(%q) leads out of the store", key)
		}
	}
	if w, err := s.Create(t.Context(), "to-folder/new"); err == nil {
		_ = w.Abort()
		t.Error("Create leads out of the store")
	}
	if err := s.Delete(t.Context(), "to-folder/secret"); err == nil {
		t.Error("Delete through a link out of the store succeeds")
	}
	if _, err := os.Stat(secret); err != nil {
		t.Errorf("what a link led to is gone: %v", err)
	}
}

func TestTheContextOfCreateEndsTheWriter(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Write([]byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v, want context.Canceled", err)
	}
	if err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want context.Canceled", err)
	}
	wantTree(t, dir)
}

// kernelOnly is an open file whose bytes cannot be had by Read, so that what
// arrives was copied by the kernel.
type kernelOnly struct{ *file }

func (kernelOnly) Read([]byte) (int, error) { return 0, errors.New("read in user space") }

func (kernelOnly) WriteTo(io.Writer) (int64, error) { return 0, errors.New("written in user space") }

var _ syscall.Conn = (*file)(nil) // what package net asks for

func TestConnectionsAreSentFilesByTheKernel(t *testing.T) {
	s := open(t, t.TempDir())
	want := strings.Repeat("0123456789abcdef", 100_000)
	put(t, s, "a", want)
	f, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, test := range map[string]struct {
		body io.Reader
		want string
	}{
		"whole":   {kernelOnly{f.(*file)}, want},
		"a range": {&io.LimitedReader{R: kernelOnly{f.(*file)}, N: 500_000}, want[7:500_007]},
	} {
		start := int64(strings.Index(want, test.want[:16]))
		if _, err := f.Seek(start, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got := overTCP(t, test.body); got != test.want {
			t.Errorf("%s: %d bytes arrive, want %d", name, len(got), len(test.want))
		}
	}
	// What io.Copy does with the file as it is: WriteTo first.
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got := overTCP(t, f); got != want {
		t.Errorf("io.Copy: %d bytes arrive, want %d", len(got), len(want))
	}
}

// overTCP returns what arrives at the other end.
func overTCP(t *testing.T, body io.Reader) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = conn.(*net.TCPConn).ReadFrom(body)
			_ = conn.Close()
		}
		sent <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Errorf("sending: %v", err)
	}
	return string(got)
}

func BenchmarkWrite(b *testing.B) {
	s, err := New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	piece := make([]byte, 64<<10)
	const pieces = 256
	b.SetBytes(pieces * int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		w, err := s.Create(b.Context(), "a/b")
		if err != nil {
			b.Fatal(err)
		}
		for range pieces {
			if _, err := w.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
		if err := s.Delete(b.Context(), "a/b"); err != nil {
			b.Fatal(err)
		}
	}
}
