//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// getTermios is the request that reads the settings of a terminal.
const getTermios = unix.TIOCGETA

// newReadEnd makes an end of a descriptor of our own.
func newReadEnd(fd int) *readEnd {
	_ = unix.SetNonblock(fd, true) // it does not fail on an open descriptor
	return &readEnd{os.NewFile(uintptr(fd), "terminal")}
}
