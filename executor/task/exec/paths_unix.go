//go:build unix

package exec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errnoName returns the system's name of an error, such as "ENOENT", or "".
func errnoName(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return unix.ErrnoName(errno)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "ENOENT"
	}
	return ""
}

// joinDir returns a path as seen from a directory. It does not resolve ".." in
// the text: behind a symbolic link only the system can.
func joinDir(dir, path string) string {
	if dir == "" || filepath.IsAbs(path) {
		return path
	}
	for strings.HasPrefix(path, "./") {
		path = strings.TrimLeft(path[1:], "/")
	}
	return strings.TrimRight(dir, "/") + "/" + path
}

// absolute returns a path that means the same in every directory.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir, err := os.Getwd()
	return joinDir(dir, path), err
}

// shellDir returns a directory as the variable PWD gives it, or "" where that
// is not known. Shells ignore a PWD with ".." in it.
func shellDir(dir string) string {
	if dir == "" {
		return ""
	}
	if !slices.Contains(strings.Split(dir, "/"), "..") {
		return filepath.Clean(dir)
	}
	real, _ := filepath.EvalSymlinks(dir)
	return real
}

// canEnter reports whether a process can have a directory as its working
// directory.
func canEnter(dir string) bool { return unix.Access(dir, unix.X_OK) == nil }

// lookPath finds a program in the PATH of an environment. As a shell does, it
// goes on behind files that may not be run. Where there are only such files, it
// returns the first of them and the error.
func lookPath(program string, env []string) (found string, result error) {
	result = fs.ErrNotExist
	for _, dir := range filepath.SplitList(lookupEnv(env, "PATH")) {
		path := joinDir(dir, program)
		err := runnable(path)
		switch {
		case err == nil && filepath.IsAbs(path):
			return path, nil
		case err == nil:
			result = errRelativePath
		case errors.Is(err, fs.ErrPermission) && result == fs.ErrNotExist:
			found, result = path, err
		}
	}
	return found, result
}

// anyMayExecute reports whether a file's mode lets anybody execute it.
func anyMayExecute(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// runnable returns why a file cannot be run, or nil. A file that cannot be seen
// counts as missing.
func runnable(path string) error {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return fs.ErrNotExist
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return syscall.EISDIR
	}
	return unix.Access(path, unix.X_OK)
}
