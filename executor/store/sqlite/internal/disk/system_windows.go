package disk

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// asItIs is nothing here: that a name is of a regular file is seen before it is
// opened, and only those who may write in the directory could change it between.
const asItIs = 0

// user is not known here: the access control lists of the directory say who may
// make and open the files in it.
type user struct{}

func self() user { return user{} }

func (user) self() bool     { return true }
func (user) trusted() bool  { return true }
func (user) String() string { return "this user" }

// ownerOf says that the owner is not known.
func ownerOf(os.FileInfo) (owner user, known bool) { return user{}, false }

// linksTo is not known.
func linksTo(os.FileInfo) uint64 { return 1 }

func privateGroup(os.FileInfo) bool { return true }

// writableByOthers cannot be told from the mode here.
func writableByOthers(os.FileInfo) bool { return false }

// narrow does nothing: the file has what its directory hands down.
func narrow(chmoder) error { return nil }

// absolute makes a path absolute. The system itself takes ".." for the parent by
// name.
func absolute(path string) (string, error) { return filepath.Abs(path) }

// SyncDir does nothing: the system looks after the names of files.
func SyncDir(string) error { return nil }

// FreeBytes is how much room the file system has for this user.
func FreeBytes(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return int64(free), err
}
