//go:build linux || darwin || freebsd

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// OwnFolder makes a folder with mode 0700 where there is none, and answers its path
// without symbolic links. It refuses a folder in which another user could put a
// socket: one that is a symbolic link, that belongs to another user, that others may
// write, or that another user could replace.
func OwnFolder(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("the folder of the socket cannot be made: %w; name a socket in a folder of your own", err)
	}
	return CheckFolder(path)
}

// CheckFolder is OwnFolder for a folder that is there.
func CheckFolder(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	const cure = "name a socket in a folder of your own"
	switch owner := ownerOf(info); {
	case info.Mode()&fs.ModeSymlink != 0:
		return "", fmt.Errorf("the folder %s is a symbolic link; name the folder to which it leads", path)
	case !info.IsDir():
		return "", fmt.Errorf("%s is no folder; %s", path, cure)
	case owner != os.Geteuid():
		return "", fmt.Errorf("the folder %s belongs to %s, and this program runs as %s; %s", path, nameOf(owner), nameOf(os.Geteuid()), cure)
	case writableByOthers(info) && info.Mode()&fs.ModeSticky != 0: // as /tmp
		return "", fmt.Errorf("the folder %s can be written by other users; %s", path, cure)
	case writableByOthers(info):
		return "", fmt.Errorf("the folder %s can be written by other users: its mode is %#o; chmod go-w it, or %s", path, info.Mode().Perm(), cure)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return real, trustedParents(real)
}

// trustedParents refuses a folder that another user could move away, because that
// user owns a folder above it, or may write one that is not sticky.
func trustedParents(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		owner := ownerOf(info)
		if owner != 0 && owner != os.Geteuid() {
			return fmt.Errorf("the folder %s cannot be trusted: %s belongs to %s; name a socket in another folder", path, dir, nameOf(owner))
		}
		if writableByOthers(info) && info.Mode()&fs.ModeSticky == 0 {
			return fmt.Errorf("the folder %s cannot be trusted: other users can write %s, whose mode is %#o; chmod go-w that, or name a socket in another folder", path, dir, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// ownerOf is the number of the user to whom a file belongs.
func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func writableByOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// notOurs says what is wrong with a file that this program did not make as it is, or
// nil. A file that is not there is good.
func notOurs(path string, kind fs.FileMode) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != kind:
		return fmt.Errorf("%s is there, and is something else than this program would make (%v); name another socket, or remove it", path, info.Mode())
	case ownerOf(info) != os.Geteuid():
		return fmt.Errorf("%s belongs to %s, and this program runs as %s; name another socket", path, nameOf(ownerOf(info)), nameOf(os.Geteuid()))
	}
	return nil
}
