//go:build unix

package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// asItIs opens what has the name itself: not where a symbolic link leads, and
// without waiting for the other end of a pipe.
const asItIs = unix.O_NOFOLLOW | unix.O_NONBLOCK

// user is a user by number.
type user int

// self is the user as whom this program reads and writes.
func self() user { return user(os.Geteuid()) }

func (u user) self() bool { return u == self() }

// trusted reports whether the user can do what this one can.
func (u user) trusted() bool { return u == 0 || u.self() }

func (u user) String() string {
	if u == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", int(u))
}

// ownerOf is to whom a file belongs.
func ownerOf(info os.FileInfo) (owner user, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return user(st.Uid), true
}

// linksTo is how many names a file has.
func linksTo(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// privateGroup reports whether those who may write beside the owner are only
// the owner's group, and that is the one which systems make for one user alone,
// with the number of the user: they let it write by default.
func privateGroup(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().Perm()&0o002 == 0 && int(st.Gid) == os.Geteuid() && int(st.Gid) == os.Getegid()
}

// writableByOthers reports whether users other than the owner may write.
func writableByOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// narrow lets only the owner read and write a file.
func narrow(f chmoder) error { return f.Chmod(0o600) }

// absolute makes a path absolute, and leaves each ".." to the system.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir, err := os.Getwd()
	return dir + "/" + path, err
}

// SyncDir puts the names of the files in a directory on the disk.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
