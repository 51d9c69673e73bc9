//go:build unix

package stdio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the controlling terminal, as it was at the start.
type terminal struct{ foreground bool }

// findTerminal says whether the process was started in the foreground of a
// terminal.
func findTerminal() terminal { return terminal{inForeground()} }

// sends says whether a signal that has just come may be the terminal's: it was
// sent to the whole foreground, then, and to the driver in it.
func (t terminal) sends(s syscall.Signal) bool {
	switch s {
	case syscall.SIGINT:
		return inForeground()
	case syscall.SIGHUP: // there is no terminal any more
		return t.foreground && !inForeground()
	}
	return false
}

// inForeground says whether this process belongs to the foreground of its
// controlling terminal.
func inForeground() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
