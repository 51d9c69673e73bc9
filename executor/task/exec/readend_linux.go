package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// closedFD stands for a descriptor that is not ours any more; poll ignores it.
const closedFD = -1

// source is our end of a pipe that a command writes to. The thread that waits
// for the command follows it as a bare descriptor: in the runtime's poller, each
// thing that happens to it would wake a thread more.
type readEnd struct {
	fd   int      // closedFD once it is file's, or closed
	file *os.File // since handOver
}

// openReadEnd makes a pipe and answers our end and the command's.
func openReadEnd() (*readEnd, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	// Only ours is not to wait. On a pipe that was just made this does not fail.
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, unix.O_NONBLOCK)
	return &readEnd{fd: fds[0]}, os.NewFile(uintptr(fds[1]), "|1"), nil
}

// handOver makes a file of what is not at its end, which is to be read by one
// goroutine, or answers nil.
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
