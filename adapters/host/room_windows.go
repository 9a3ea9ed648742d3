package host

import "golang.org/x/sys/windows"

// Room says how many bytes this user may still write where a folder is.
func Room(dir string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
