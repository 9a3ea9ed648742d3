package host

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// LockDir takes the data directory for this process alone, until the returned
// function is called or the process ends, however it ends. It fails when another
// process has it. The embedded database belongs to one process at a time, and
// whoever holds the lock knows that no worker but its own is alive.
func LockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if mine, err := lock.TryLock(); err != nil {
		return nil, err
	} else if !mine {
		return nil, fmt.Errorf("another process is using %s; stop it, or give this one a --data-dir and a --listen of its own", dir)
	}
	return func() { _ = lock.Close() }, nil
}
