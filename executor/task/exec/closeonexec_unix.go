//go:build unix

package exec

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// descriptorsDir lists the descriptors that are open.
const descriptorsDir = "/dev/fd"

// CloseInheritedOnExec marks as close-on-exec the descriptors with which this
// process was started. Go marks those that it opens itself.
func CloseInheritedOnExec() {
	if closeAllOnExecFrom(firstOther) == nil {
		return
	}
	dir, err := os.Open(descriptorsDir)
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= firstOther {
			unix.CloseOnExec(fd)
		}
	}
}

// firstOther is the first descriptor after stdin, stdout and stderr.
const firstOther = 3
