//go:build unix

package host

import "golang.org/x/sys/unix"

// Room says how many bytes this user may still write where a folder is.
func Room(dir string) (uint64, error) {
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	return uint64(fs.Bavail) * uint64(fs.Bsize), err
}
