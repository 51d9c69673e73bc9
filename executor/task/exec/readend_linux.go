package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// closedFD marks a descriptor that was closed or handed over. poll ignores it.
const closedFD = -1

// readEnd is our end of a pipe that a command writes to. The thread that waits
// for the command reads it as a bare descriptor: with the runtime's poller each
// change would wake another thread.
type readEnd struct {
	fd   int      // closedFD after handOver and close
	file *os.File // set by handOver
}

// openReadEnd makes a pipe and returns our end and the command's.
func openReadEnd() (*readEnd, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	// Only our end is non-blocking. On a new pipe this does not fail.
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, unix.O_NONBLOCK)
	return &readEnd{fd: fds[0]}, os.NewFile(uintptr(fds[1]), "|1"), nil
}

// newReadEnd makes an end of a descriptor of our own.
func newReadEnd(fd int) *readEnd {
	_ = unix.SetNonblock(fd, true) // it does not fail on an open descriptor
	return &readEnd{fd: fd}
}

// handOver returns the end as a file for one goroutine to read, or nil where
// all was read.
func (s *readEnd) handOver() *os.File {
	if s.fd == closedFD {
		return nil
	}
	s.file = os.NewFile(uintptr(s.fd), "|0")
	s.fd = closedFD
	return s.file
}

func (s *readEnd) close() {
	if s.file != nil {
		s.file.Close()
	} else if s.fd != closedFD {
		unix.Close(s.fd)
		s.fd = closedFD
	}
}
