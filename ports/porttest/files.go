package porttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Files runs the conformance suite of ports.Files. create returns an empty
// store; each part of the suite asks for one of its own.
func Files(t *testing.T, create func(t *testing.T) ports.Files) {
	for name, test := range map[string]func(*testing.T, filesTest){
		"a file is there after Commit and not before":   filesVisibility,
		"an aborted file was never there":               filesAbort,
		"Abort after Commit does nothing":               filesAbortAfterCommit,
		"Commit after Commit does nothing":              filesCommitTwice,
		"what is finished takes no more":                filesFinished,
		"an empty file is a file":                       filesEmpty,
		"files are read from anywhere":                  filesSeek,
		"a file has many readers":                       filesManyReaders,
		"what is not there is not_found":                filesNotFound,
		"Delete removes, and twice is no error":         filesDelete,
		"Delete while open is no error":                 filesDeleteWhileOpen,
		"List yields what is under a prefix":            filesList,
		"List can be left early":                        filesListLeft,
		"files are deleted while they are listed":       filesListDelete,
		"List yields what is not committed":             filesListUncommitted,
		"odd keys are files":                            filesOddKeys,
		"malformed keys are refused":                    filesMalformedKeys,
		"a large file is written in pieces":             filesLarge,
		"writers on different keys do not meet":         filesConcurrent,
		"creating and deleting beside each other works": filesChurn,
		"an ended context is obeyed":                    filesCancelled,
		"a context that ends while writing":             filesCancelledWhileWriting,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, filesTest{t, create(t)})
		})
	}
}

// filesTest has the steps that the parts of the suite are told in.
type filesTest struct {
	t     *testing.T
	store ports.Files
}

func (f filesTest) create(key string) ports.FileWriter {
	f.t.Helper()
	w, err := f.store.Create(f.t.Context(), key)
	if err != nil {
		f.t.Fatalf("Create(%q): %v", key, err)
	}
	return w
}

func (f filesTest) write(w io.Writer, content string) {
	f.t.Helper()
	if n, err := io.WriteString(w, content); n != len(content) || err != nil {
		f.t.Fatalf("Write of %d bytes: %d, %v", len(content), n, err)
	}
}

func (f filesTest) put(key, content string) {
	f.t.Helper()
	w := f.create(key)
	f.write(w, content)
	if err := w.Commit(); err != nil {
		f.t.Fatalf("Commit of %q: %v", key, err)
	}
}

func (f filesTest) open(key string) ports.File {
	f.t.Helper()
	file, err := f.store.Open(f.t.Context(), key)
	if err != nil {
		f.t.Fatalf("Open(%q): %v", key, err)
	}
	f.t.Cleanup(func() { _ = file.Close() })
	return file
}

func (f filesTest) wantContent(key, want string) {
	f.t.Helper()
	file := f.open(key)
	got, err := io.ReadAll(file)
	if err != nil || string(got) != want {
		f.t.Errorf("%q holds %.40q (%d bytes), %v; want %.40q (%d bytes)", key, got, len(got), err, want, len(want))
	}
	if file.Size() != int64(len(want)) {
		f.t.Errorf("Size of %q is %d, want %d", key, file.Size(), len(want))
	}
	if err := file.Close(); err != nil {
		f.t.Errorf("Close of %q: %v", key, err)
	}
}

func (f filesTest) wantMissing(key string) {
	f.t.Helper()
	file, err := f.store.Open(f.t.Context(), key)
	if err == nil {
		_ = file.Close()
	}
	if domain.CodeOf(err) != domain.NotFound {
		f.t.Errorf("Open(%q): %v, want not_found", key, err)
	}
}

func (f filesTest) delete(key string) {
	f.t.Helper()
	if err := f.store.Delete(f.t.Context(), key); err != nil {
		f.t.Fatalf("Delete(%q): %v", key, err)
	}
}

func (f filesTest) list(prefix string) map[string]ports.FileInfo {
	f.t.Helper()
	found := map[string]ports.FileInfo{}
	for info, err := range f.store.List(f.t.Context(), prefix) {
		if err != nil {
			f.t.Fatalf("List(%q): %v", prefix, err)
		}
		if _, twice := found[info.Key]; twice {
			f.t.Errorf("List(%q) yields %q twice", prefix, info.Key)
		}
		found[info.Key] = info
	}
	return found
}

func (f filesTest) wantList(prefix string, keys ...string) {
	f.t.Helper()
	got := f.list(prefix)
	for _, key := range keys {
		if info, ok := got[key]; !ok || !info.Committed {
			f.t.Errorf("List(%q) yields %+v for %q, want it committed", prefix, info, key)
		}
		delete(got, key)
	}
	for key := range got {
		f.t.Errorf("List(%q) yields %q too", prefix, key)
	}
}

func filesVisibility(t *testing.T, f filesTest) {
	const key = "jobs/1/S0001_0001.ndjson.gz"
	w := f.create(key)
	f.wantMissing(key)
	f.write(w, "one ")
	f.write(w, "")
	f.write(w, "two")
	f.wantMissing(key)
	for name, info := range f.list("") {
		if info.Committed {
			t.Errorf("List says %q is committed", name)
		}
	}
	before := time.Now()
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	f.wantContent(key, "one two")
	info := f.list("")[key]
	if !info.Committed || info.Bytes != 7 {
		t.Errorf("List yields %+v, want it committed with 7 bytes", info)
	}
	if d := info.Modified.Sub(before); d < -time.Hour || d > time.Hour {
		t.Errorf("List says it was modified %v after its Commit", d)
	}
	f.wantList("", key)
}

func filesAbort(t *testing.T, f filesTest) {
	w := f.create("a/b")
	f.write(w, "never")
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
	}
	f.wantMissing("a/b")
	f.wantList("")
	f.put("a/b", "second attempt")
	f.wantContent("a/b", "second attempt")
}

func filesAbortAfterCommit(t *testing.T, f filesTest) {
	w := f.create("a/b")
	f.write(w, "kept")
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	f.wantContent("a/b", "kept")
}

func filesCommitTwice(t *testing.T, f filesTest) {
	w := f.create("a/b")
	f.write(w, "kept")
	for range 2 {
		if err := w.Commit(); err != nil {
			t.Fatalf("Commit: %v; after an error the file would have to be gone", err)
		}
	}
	f.wantContent("a/b", "kept")
}

func filesFinished(t *testing.T, f filesTest) {
	w := f.create("committed")
	f.write(w, "whole")
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Commit succeeds")
	}
	f.wantContent("committed", "whole")

	w = f.create("aborted")
	if err := w.Abort(); err != nil {
		t.Fatalf("Abort: %v", err)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Abort succeeds")
	}
	if err := w.Commit(); err == nil {
		t.Error("Commit after Abort succeeds")
	}
	f.wantMissing("aborted")
	f.wantList("", "committed")
}

func filesEmpty(_ *testing.T, f filesTest) {
	f.put("none.ndjson.gz", "")
	f.wantContent("none.ndjson.gz", "")
	f.wantList("", "none.ndjson.gz")
}

func filesSeek(t *testing.T, f filesTest) {
	const content = "0123456789"
	f.put("digits", content)
	file := f.open("digits")
	for _, step := range []struct {
		offset int64
		whence int
		at     int64
	}{
		{4, io.SeekStart, 4},
		{0, io.SeekStart, 0},
		{-3, io.SeekEnd, 7},
		{0, io.SeekEnd, 10},
		{5, io.SeekEnd, 15},
		{9, io.SeekStart, 9},
	} {
		if at, err := file.Seek(step.offset, step.whence); at != step.at || err != nil {
			t.Errorf("Seek(%d, %d): %d, %v, want %d", step.offset, step.whence, at, err, step.at)
		}
		want := content[min(step.at, int64(len(content))):]
		if got, err := io.ReadAll(file); string(got) != want || err != nil {
			t.Errorf("from %d on there is %q, %v, want %q", step.at, got, err, want)
		}
	}
	if _, err := file.Seek(2, io.SeekStart); err != nil {
		t.Fatalf("Seek: %v", err)
	}
	if _, err := io.ReadFull(file, make([]byte, 3)); err != nil {
		t.Fatalf("Read: %v", err)
	}
	if at, err := file.Seek(1, io.SeekCurrent); at != 6 || err != nil {
		t.Errorf("Seek from where 3 bytes after 2 were read: %d, %v, want 6", at, err)
	}
	if _, err := file.Seek(-1, io.SeekStart); err == nil {
		t.Error("Seek before the start succeeds")
	}
}

func filesManyReaders(t *testing.T, f filesTest) {
	content := strings.Repeat("a line of a file\n", 10_000)
	f.put("shared", content)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			file, err := f.store.Open(t.Context(), "shared")
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			defer file.Close()
			if got, err := io.ReadAll(file); string(got) != content || err != nil {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func filesNotFound(_ *testing.T, f filesTest) {
	f.put("job/file", "x")
	for _, key := range []string{"none", "job", "job/none", "job/fil", "job/file2", "none/file", "file"} {
		f.wantMissing(key)
	}
}

func filesDelete(_ *testing.T, f filesTest) {
	f.delete("never/there")
	f.put("job/1/a", "a")
	f.put("job/1/b", "b")
	f.delete("job")
	f.delete("job/1")
	f.wantList("", "job/1/a", "job/1/b")
	f.delete("job/1/a")
	f.delete("job/1/a")
	f.wantMissing("job/1/a")
	f.wantContent("job/1/b", "b")
	f.wantList("", "job/1/b")
	f.delete("job/1/b")
	f.wantList("")
	f.put("job/1/a", "again")
	f.wantContent("job/1/a", "again")
}

func filesDeleteWhileOpen(t *testing.T, f filesTest) {
	content := strings.Repeat("still to be read\n", 20_000)
	f.put("open", content)
	file := f.open("open")
	if _, err := io.ReadFull(file, make([]byte, 10)); err != nil {
		t.Fatalf("Read: %v", err)
	}
	f.delete("open")
	f.wantMissing("open")
	// Whether the rest comes is the store's to say, but never other bytes.
	if rest, err := io.ReadAll(file); err == nil && string(rest) != content[10:] {
		t.Errorf("after Delete the open file ends after %d bytes without an error", 10+len(rest))
	}
}

func filesList(_ *testing.T, f filesTest) {
	f.wantList("")
	f.wantList("none/")
	all := []string{"a", "jobs/1/x", "jobs/1/y", "jobs/10/x", "jobs/2/deep/er/z", "jobs-old/1"}
	for _, key := range all {
		f.put(key, key)
	}
	f.wantList("", all...)
	f.wantList("a", "a")
	f.wantList("jobs/", all[1:5]...)
	f.wantList("jobs", all[1:]...)
	f.wantList("jobs/1/", "jobs/1/x", "jobs/1/y")
	f.wantList("jobs/1", "jobs/1/x", "jobs/1/y", "jobs/10/x")
	f.wantList("jobs/1/x", "jobs/1/x")
	f.wantList("jobs/2/deep/e", "jobs/2/deep/er/z")
	for _, none := range []string{"z", "jobs/1/x/", "jobs/3/", "a/", "/", "..", "../", "jobs//", "jobs/../jobs/", "./"} {
		f.wantList(none)
	}
}

func filesListLeft(t *testing.T, f filesTest) {
	for i := range 5 {
		f.put(fmt.Sprintf("d%d/f", i), "x")
	}
	n := 0
	for _, err := range f.store.List(t.Context(), "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("List yielded %d files, want it to be left after 2", n)
	}
}

func filesListDelete(t *testing.T, f filesTest) {
	for i := range 300 {
		f.put(fmt.Sprintf("job/%d/f%d", i%3, i), "x")
	}
	for info, err := range f.store.List(t.Context(), "job/") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		f.delete(info.Key)
	}
	f.wantList("")
}

// largeSize is more than object stores take in one part, so that even those
// hold something of the file before it is committed.
const largeSize = 32 << 20

func filesListUncommitted(t *testing.T, f filesTest) {
	w := f.create("job/1/left")
	piece := make([]byte, 1<<20)
	for range largeSize / len(piece) {
		f.write(w, string(piece))
	}
	f.put("job/1/done", "x")
	var left []string
	for key, info := range f.list("job/1/") {
		if !info.Committed {
			left = append(left, key)
		}
	}
	if len(left) != 1 {
		t.Fatalf("List yields %q as not committed, want one entry for the file that is being written", left)
	}
	if len(f.list("job/2/")) != 0 {
		t.Error("List yields it under another prefix")
	}
	f.delete(left[0])
	f.wantList("", "job/1/done")
	if err := w.Commit(); err == nil {
		t.Error("Commit of a file that was deleted while it was written succeeds")
	}
	_ = w.Abort()
	f.wantMissing("job/1/left")
	f.wantList("", "job/1/done")
}

func filesOddKeys(t *testing.T, f filesTest) {
	keys := []string{
		"a", "A", "0", "-", "_", ".hidden", "a.", "..a", "a..b", "-rf", "a/-/b", "_/_", "x/.y/z.",
		"Z0000_0001.ndjson.gz", "tmp", "a.tmp", strings.Repeat("long-", 20) + "/" + strings.Repeat("er-", 30),
		strings.Repeat("d/", 50) + "deep",
	}
	// Keys of which one is the path of another are not among them.
	for i, key := range keys {
		prefix := fmt.Sprintf("k%d/", i)
		f.put(prefix+key, key)
	}
	for i, key := range keys {
		full := fmt.Sprintf("k%d/%s", i, key)
		f.wantContent(full, key)
		f.wantList(full, full)
	}
	for i, key := range keys {
		f.delete(fmt.Sprintf("k%d/%s", i, key))
	}
	f.wantList("")
}

func filesMalformedKeys(t *testing.T, f filesTest) {
	f.put("a/b", "x")
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "...", "../a", "a/..", "a/../a/b", "./a", "a/./b", "a/.../b",
		"/etc/passwd", "a b", "a\\b", "..\\a", "a\x00b", "a\n", "a:b", "a*", "a?b", "a%2fb", "~a", "a~b", "a+b", "ä", "a\xff", "a/b\u202e",
	} {
		w, err := f.store.Create(t.Context(), key)
		if err == nil {
			_ = w.Abort()
		}
		if domain.CodeOf(err) != domain.Invalid {
			t.Errorf("Create(%q): %v, want invalid", key, err)
		}
		file, err := f.store.Open(t.Context(), key)
		if err == nil {
			_ = file.Close()
		}
		if code := domain.CodeOf(err); code != domain.Invalid && code != domain.NotFound {
			t.Errorf("Open(%q): %v, want invalid or not_found", key, err)
		}
		if err := f.store.Delete(t.Context(), key); err != nil && domain.CodeOf(err) != domain.Invalid {
			t.Errorf("Delete(%q): %v, want invalid or nothing", key, err)
		}
	}
	f.wantList("", "a/b")
}

func filesLarge(t *testing.T, f filesTest) {
	w := f.create("large")
	piece := make([]byte, 64<<10+7)
	var size int64
	for i := 0; size < largeSize; i++ {
		fill(piece, i)
		f.write(w, string(piece))
		size += int64(len(piece))
	}
	clear(piece) // a store that kept it would now hold zeros
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	file := f.open("large")
	if file.Size() != size {
		t.Errorf("Size is %d, want %d", file.Size(), size)
	}
	want := make([]byte, len(piece))
	for i := 0; int64(i)*int64(len(piece)) < size; i++ {
		fill(want, i)
		if _, err := io.ReadFull(file, piece); err != nil || !bytes.Equal(piece, want) {
			t.Fatalf("piece %d is not what was written (%v)", i, err)
		}
	}
	if n, err := file.Read(piece); n != 0 || err != io.EOF {
		t.Errorf("at the end Read returns %d, %v, want io.EOF", n, err)
	}
}

// fill makes bytes that differ from piece to piece.
func fill(piece []byte, i int) {
	for j := range piece {
		piece[j] = byte(i + j*(i+1))
	}
}

func filesConcurrent(t *testing.T, f filesTest) {
	var wg sync.WaitGroup
	var want []string
	for i := range 16 {
		key := fmt.Sprintf("job/%d/part-%d", i%4, i)
		keep := i%3 != 0
		if keep {
			want = append(want, key)
		}
		wg.Go(func() {
			w, err := f.store.Create(t.Context(), key)
			if err != nil {
				t.Errorf("Create: %v", err)
				return
			}
			defer w.Abort()
			for range 50 {
				if _, err := io.WriteString(w, key+"\n"); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
			if !keep {
				return
			}
			if err := w.Commit(); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	wg.Wait()
	f.wantList("", want...)
	for _, key := range want {
		f.wantContent(key, strings.Repeat(key+"\n", 50))
	}
}

// filesChurn has every file come and go under the same few prefixes at once, as
// attempts of neighbouring partitions and the sweeper do.
func filesChurn(t *testing.T, f filesTest) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				key := fmt.Sprintf("x/%d/y/%d-%d", j%2, i, j)
				w, err := f.store.Create(t.Context(), key)
				if err != nil {
					t.Errorf("Create: %v", err)
					return
				}
				if j%5 == 0 {
					if err := w.Abort(); err != nil {
						t.Errorf("Abort: %v", err)
					}
					continue
				}
				if err := w.Commit(); err != nil {
					t.Errorf("Commit: %v", err)
				}
				if err := f.store.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	f.wantList("")
}

func filesCancelled(t *testing.T, f filesTest) {
	f.put("a", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w, err := f.store.Create(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want context.Canceled", err)
		if err == nil {
			_ = w.Abort()
		}
	}
	if file, err := f.store.Open(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
		if err == nil {
			_ = file.Close()
		}
	}
	if err := f.store.Delete(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v, want context.Canceled", err)
	}
	var last error
	for _, err := range f.store.List(ctx, "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List ends with %v, want context.Canceled", last)
	}
	f.wantList("", "a")
}

func filesCancelledWhileWriting(t *testing.T, f filesTest) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := f.store.Create(ctx, "a")
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	f.write(w, "before")
	cancel()
	// A store need not notice. But if Commit says yes the file is whole, and if
	// it says no there is none.
	if err := w.Commit(); err == nil {
		f.wantContent("a", "before")
		return
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	f.wantMissing("a")
	f.wantList("")
}
