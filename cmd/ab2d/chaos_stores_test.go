package main

import (
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/filestore"
	"cms.gov/ab2d/adapters/s3store"
	"cms.gov/ab2d/adapters/s3store/s3test"
	s3server "cms.gov/ab2d/adapters/s3store/s3test/server"
	"cms.gov/ab2d/ports"
)

// chaosStore is a store of files with trouble of its own.
type chaosStore interface {
	settings() []string // what has processes use it
	files() ports.Files // reaches it past all trouble
	faults() []fault
}

// chaosStores are the stores that the suite runs over, and how many enrollees
// are in a partition there: with few there are many small files, and late workers
// whose job still goes on; with many, files are uploaded in parts.
var chaosStores = []struct {
	name    string
	members int
	open    func(t *testing.T) chaosStore
}{
	{"files", 25, onSmallDisk},
	{"s3", 50, onS3},
	{"s3 in parts", 250, onS3},
}

// fileChaos is the file store in a directory that processes share.
type fileChaos struct {
	*testing.T
	dir   string
	store ports.Files
	small bool // it is a disk of its own, which can be made full
}

const diskSize = "size=600m"

func newFileChaos(t *testing.T, dir string) *fileChaos {
	t.Helper()
	files, err := filestore.New(filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return &fileChaos{T: t, dir: dir, store: files}
}

// onSmallDisk returns a file store on a disk of its own, where this machine
// lets us mount one.
func onSmallDisk(t *testing.T) chaosStore {
	dir := t.TempDir()
	disk := filepath.Join(dir, "files")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", disk, "tmpfs", 0, diskSize)
	if err == nil {
		t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	} else {
		t.Logf("a disk cannot be mounted here (%v), so it does not get full; see the tests of adapters/filestore", err)
	}
	f := newFileChaos(t, dir)
	f.small = err == nil
	return f
}

func (f *fileChaos) settings() []string { return []string{"--data-dir", f.dir} }
func (f *fileChaos) files() ports.Files { return f.store }

func (f *fileChaos) faults() []fault {
	if !f.small {
		return nil
	}
	disk := filepath.Join(f.dir, "files")
	return []fault{{"the disk is full", 3, 0, 2 * time.Second, func(*mrand.Rand) { f.fill(disk) }, func() {
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, diskSize); err != nil {
			f.Error(err)
		}
	}}}
}

// fill makes the disk as small as what is on it, more or less.
func (f *fileChaos) fill(disk string) {
	for range 20 {
		var now syscall.Statfs_t
		if err := syscall.Statfs(disk, &now); err != nil {
			f.Error(err)
			return
		}
		used := (int64(now.Blocks) - int64(now.Bfree)) * now.Bsize
		err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", used>>10+256))
		if err == nil {
			return
		} else if !errors.Is(err, syscall.EINVAL) { // else it has grown meanwhile
			f.Error(err)
			return
		}
	}
}

// s3Chaos is a bucket of an S3 server that processes reach over a link.
type s3Chaos struct {
	*testing.T
	server   *s3server.Server
	store    ports.Files
	to       *link
	bucket   string
	dataDirs string
}

func onS3(t *testing.T) chaosStore {
	s := &s3Chaos{T: t, server: s3test.Start(t), bucket: s3test.Bucket(t), dataDirs: t.TempDir()}
	s.to = newLink(t, s.server.Address())
	store, err := s3store.New(t.Context(), s3store.Settings{Endpoint: s.server.Endpoint(), Bucket: s.bucket, PathStyle: s3store.Path})
	if err != nil {
		t.Fatal(err)
	}
	s.store = store
	return s
}

func (s *s3Chaos) settings() []string {
	return []string{"--data-dir", s.dataDirs, "--storage", "s3", "--s3-endpoint", "http://" + s.to.address(), "--s3-bucket", s.bucket, "--s3-path-style", "path",
		"--s3-part-size", fmt.Sprint(s3store.MinPartSize)}
}

func (s *s3Chaos) files() ports.Files { return s.store }

func (s *s3Chaos) faults() []fault {
	passing := func() { s.to.set(passes) }
	return []fault{
		{"the S3 server refuses", 2, 0, 3 * time.Second, func(*mrand.Rand) { s.to.set(refuses); s.to.cut() }, passing},
		{"the S3 server is slow", 2, 0, 4 * time.Second, func(*mrand.Rand) { s.to.set(slow) }, passing},
		{"the S3 server hangs", 1, 0, 4 * time.Second, func(*mrand.Rand) { s.to.set(silent) }, passing},
		{"connections to the S3 server are cut", 3, 0, 0, func(*mrand.Rand) { s.to.cut() }, func() {}},
		{"the S3 server is killed", 2, 0, time.Second, func(*mrand.Rand) { s.server.Kill() }, func() {
			if err := s.server.Start(); err != nil {
				s.Error(err)
			}
		}},
	}
}
