package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cms.gov/ab2d/domain"
)

// faultyDisk is the real disk, with steps written down and made to fail.
type faultyDisk struct {
	disk
	mu    sync.Mutex
	steps []string
	fail  map[string]error // by the first word of a step
	room  int              // bytes that can be written before it is full; negative for no end
	full  error            // what it then says
}

func (d *faultyDisk) step(format string, args ...any) error {
	s := fmt.Sprintf(format, args...)
	// Temporary names end at random.
	if i := strings.Index(s, tempMark); i >= 0 {
		s = s[:i+1] + s[i+27:]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, s)
	return d.fail[strings.Fields(s)[0]]
}

func (d *faultyDisk) MkdirAll(dir string) error {
	if err := d.step("mkdir %s", dir); err != nil {
		return err
	}
	return d.disk.MkdirAll(dir)
}

func (d *faultyDisk) Create(name string) (handle, error) {
	if err := d.step("create %s", name); err != nil {
		return nil, err
	}
	h, err := d.disk.Create(name)
	return &faultyHandle{h, d}, err
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.step("rename %s to %s", from, to); err != nil {
		return err
	}
	return d.disk.Rename(from, to)
}

func (d *faultyDisk) Remove(name string) error {
	if err := d.step("remove %s", name); err != nil {
		return err
	}
	return d.disk.Remove(name)
}

func (d *faultyDisk) SyncDir(dir string) error {
	if err := d.step("syncdir %s", dir); err != nil {
		return err
	}
	return d.disk.SyncDir(dir)
}

type faultyHandle struct {
	handle
	disk *faultyDisk
}

func (h *faultyHandle) Write(p []byte) (int, error) {
	if h.disk.room < 0 || len(p) <= h.disk.room {
		h.disk.room -= min(len(p), max(h.disk.room, 0))
		return h.handle.Write(p)
	}
	n, err := h.handle.Write(p[:h.disk.room])
	h.disk.room = 0
	return n, errors.Join(err, h.disk.full)
}

func (h *faultyHandle) Sync() error {
	if err := h.disk.step("sync"); err != nil {
		return err
	}
	return h.handle.Sync()
}

func (h *faultyHandle) Close() error {
	err := h.disk.step("close")
	return errors.Join(err, h.handle.Close())
}

func openFaulty(t *testing.T, dir string) (*Store, *faultyDisk) {
	t.Helper()
	s := open(t, dir)
	d := &faultyDisk{disk: s.disk, fail: map[string]error{}, room: -1}
	s.disk = d
	return s, d
}

func TestCommitIsDurableInThisOrder(t *testing.T) {
	s, d := openFaulty(t, t.TempDir())
	put(t, s, "a/b/c", "x")
	want := []string{"mkdir a/b", "create a/b/c~", "sync", "close", "rename a/b/c~ to a/b/c",
		"syncdir a/b", "syncdir a", "syncdir ."}
	if !slices.Equal(d.steps, want) {
		t.Errorf("the steps were\n%q, want\n%q", d.steps, want)
	}
}

// save writes a file in two pieces, as a use case would.
func save(t *testing.T, s *Store, key, content string) error {
	t.Helper()
	w, err := s.Create(t.Context(), key)
	if err != nil {
		return err
	}
	half := len(content) / 2
	for _, piece := range []string{content[:half], content[half:]} {
		if _, err := io.WriteString(w, piece); err != nil {
			if abort := w.Abort(); abort != nil {
				t.Errorf("Abort: %v", abort)
			}
			return err
		}
	}
	err = w.Commit()
	if abort := w.Abort(); abort != nil {
		t.Errorf("Abort after Commit: %v", abort)
	}
	return err
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	wantCode(t, "on a full disk", err, domain.Unavailable)
	var e *domain.Error
	if errors.As(err, &e) && e.RetryAfter <= 0 {
		t.Error("on a full disk the error does not say when to try again")
	}
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	content := strings.Repeat("x", 1000)
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		faults := map[string]func(*faultyDisk){}
		for _, room := range []int{0, 1, 499, 500, 501, 999} {
			faults[fmt.Sprintf("after %d bytes", room)] = func(d *faultyDisk) { d.room, d.full = room, cause }
		}
		for _, step := range []string{"mkdir", "create", "sync", "close", "rename", "syncdir"} {
			faults["at "+step] = func(d *faultyDisk) { d.fail[step] = &os.PathError{Op: step, Path: "a", Err: cause} }
		}
		for name, fault := range faults {
			t.Run(fmt.Sprintf("%v %s", cause, name), func(t *testing.T) {
				dir := t.TempDir()
				s, d := openFaulty(t, dir)
				fault(d)
				err := save(t, s, "a/b/c", content)
				wantFull(t, err)
				if strings.Contains(err.Error(), dir) {
					t.Errorf("%q shows where the store is", err)
				}
				wantTree(t, dir)
				d.fail, d.room = nil, -1
				if err := save(t, s, "a/b/c", content); err != nil {
					t.Errorf("with room again: %v", err)
				}
			})
		}
	}
}

func TestOtherFaultsAreTheDisks(t *testing.T) {
	for _, step := range []string{"mkdir", "create", "sync", "close", "rename", "syncdir"} {
		dir := t.TempDir()
		s, d := openFaulty(t, dir)
		d.fail[step] = syscall.EIO
		err := save(t, s, "a/b", "x")
		if !errors.Is(err, syscall.EIO) || domain.CodeOf(err) != domain.Internal {
			t.Errorf("when %s fails: %v, want the disk's error", step, err)
		}
		wantTree(t, dir)
	}
}

func TestAFailedWriteCannotBeCommitted(t *testing.T) {
	dir := t.TempDir()
	s, d := openFaulty(t, dir)
	w := create(t, s, "a", "")
	d.room, d.full = 1, syscall.ENOSPC
	if n, err := w.Write([]byte("xx")); n != 1 || err == nil {
		t.Errorf("Write: %d, %v, want 1 and an error", n, err)
	}
	d.room = -1
	_, err := w.Write([]byte("x"))
	wantFull(t, err)
	wantFull(t, w.Commit())
	wantTree(t, dir)
}

func TestWhatCannotBeRemovedIsToldAndStaysUnseen(t *testing.T) {
	s, d := openFaulty(t, t.TempDir())
	put(t, s, "kept", "x")
	w := create(t, s, "a", "x")
	d.fail["remove"] = syscall.EIO
	if err := w.Abort(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Abort: %v, want the disk's error", err)
	}
	if err := s.Delete(t.Context(), "kept"); !errors.Is(err, syscall.EIO) {
		t.Errorf("Delete: %v, want the disk's error", err)
	}
	for info, err := range s.List(t.Context(), "a") {
		if err != nil || info.Committed {
			t.Errorf("List yields %+v, %v, want what is left, not committed", info, err)
		}
	}
}

func TestDirectoriesThatVanishAreMadeAgain(t *testing.T) {
	dir := t.TempDir()
	s, d := openFaulty(t, dir)
	d.disk = &vanishing{disk: d.disk, times: 5}
	put(t, s, "a/b/c", "x")
	if got := content(t, s, "a/b/c"); got != "x" {
		t.Errorf("the file holds %q", got)
	}
	d.disk = &vanishing{disk: s.disk.(*faultyDisk).disk, times: createAttempts}
	if _, err := s.Create(t.Context(), "d/e"); err == nil {
		t.Error("Create goes on for ever")
	}
}

// vanishing takes a directory away as soon as it is made.
type vanishing struct {
	disk
	times int
}

func (v *vanishing) MkdirAll(dir string) error {
	if err := v.disk.MkdirAll(dir); err != nil || v.times == 0 {
		return err
	}
	v.times--
	return v.disk.Remove(dir)
}

// TestARealFullDisk does it once without pretending, where file systems may be
// mounted. The tests above do not depend on it.
func TestARealFullDisk(t *testing.T) {
	dir := t.TempDir()
	sizes := []int{}
	if unmount, err := mountSmall(dir); err != nil {
		t.Logf("nothing may be mounted here, so this disk is not full: %v", err)
	} else {
		t.Cleanup(func() {
			if err := unmount(); err != nil {
				t.Errorf("unmount: %v", err)
			}
		})
		sizes = append(sizes, 1<<20+1, 3<<20)
	}
	s, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, size := range sizes {
		wantFull(t, save(t, s, "a/b", strings.Repeat("x", size)))
		wantTree(t, dir)
	}
	if err := save(t, s, "a/b", strings.Repeat("x", 500_000)); err != nil {
		t.Errorf("with room: %v", err)
	}
}
