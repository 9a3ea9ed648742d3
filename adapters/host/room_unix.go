//go:build unix

package host

import "golang.org/x/sys/unix"

// Room says how many bytes this user may still write where a folder is, and how
// many there are for this user with those that are taken.
func Room(dir string) (free, total uint64, err error) {
	var fs unix.Statfs_t
	err = unix.Statfs(dir, &fs)
	size := uint64(fs.Bsize)
	free = uint64(fs.Bavail) * size
	return free, (uint64(fs.Blocks)-uint64(fs.Bfree))*size + free, err
}
