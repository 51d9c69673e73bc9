package sqlite

import (
	"os"

	"golang.org/x/sys/windows"
)

// writableByOthers cannot be told from the mode here.
func writableByOthers(os.FileInfo) bool { return false }

// syncDir does nothing: the system looks after the names of files.
func syncDir(string) error { return nil }

// freeBytes is how much room the file system has for this user.
func freeBytes(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return int64(free), err
}
