package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// LockDir takes the data directory for this process alone, until the returned
// function is called or the process ends, however it ends. It fails when another
// process has it. The embedded database belongs to one process at a time, and
// whoever holds the lock knows that no worker but its own is alive.
func LockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("another process is using %s; stop it, or give this one a --data-dir and a --listen of its own", dir)
	} else if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
