package host

import "golang.org/x/sys/windows"

// Room says how many bytes this user may still write where a folder is, and how
// many there are for this user with those that are taken.
func Room(dir string) (free, total uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, &total, nil)
	return free, total, err
}
