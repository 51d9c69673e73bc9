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

// errnoName is the system's name of an error: "ENOENT".
func errnoName(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return unix.ErrnoName(errno)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "ENOENT"
	}
	return ""
}

// below is a path as it is meant from a directory. Only the system can say what
// ".." stands for behind a symbolic link, so nothing is resolved in the text.
func joinDir(dir, path string) string {
	if dir == "" || filepath.IsAbs(path) {
		return path
	}
	for strings.HasPrefix(path, "./") {
		path = strings.TrimLeft(path[1:], "/")
	}
	return strings.TrimRight(dir, "/") + "/" + path
}

// absolute is a path that means the same from everywhere.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir, err := os.Getwd()
	return joinDir(dir, path), err
}

// shellDir is a directory as PWD tells it, or "" where that is not known:
// shells believe no PWD that has ".." in it.
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

// enterable says whether a directory can be made the working directory.
func canEnter(dir string) bool { return unix.Access(dir, unix.X_OK) == nil }

// lookPath finds a program in the PATH of an environment. It goes on past
// files that may not be run, as a shell does. Where it finds only such, it
// answers the first of them with the error.
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

// runnable says why a file cannot be run, or nil. One that cannot even be seen
// is none.
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
