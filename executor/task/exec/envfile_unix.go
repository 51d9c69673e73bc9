//go:build unix

package exec

import (
	"io/fs"
	"os"
	"syscall"
)

// openNonblock keeps an open from waiting for the writer of a pipe.
const openNonblock = syscall.O_NONBLOCK

// isPrivate reports whether a file is this process's user's, and nobody else may
// read or write it.
func isPrivate(info fs.FileInfo) bool {
	own, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(own.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}
