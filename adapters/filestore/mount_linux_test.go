package filestore

import "syscall"

// mountSmall makes dir a file system of 1 MiB in memory.
func mountSmall(dir string) (unmount func() error, err error) {
	err = syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=1m")
	return func() error { return syscall.Unmount(dir, 0) }, err
}
