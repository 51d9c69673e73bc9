//go:build unix

package stdio

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// keepFromDyingOfSIGPIPE makes a write to a closed stderr an error. The
// signal is caught, not ignored: what is ignored would be so in every child.
func keepFromDyingOfSIGPIPE() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// takeOver moves stdin and stdout to descriptors of our own, which no child
// inherits, and leaves /dev/null and stderr in their places.
func takeOver() (io.ReadWriteCloser, error) {
	in, err := own(0, unix.O_RDONLY, "stdin")
	if err != nil {
		return nil, err
	}
	out, err := own(1, unix.O_WRONLY, "stdout")
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if err := unix.Dup2(int(null.Fd()), 0); err != nil {
		return nil, fmt.Errorf("replace stdin: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("replace stdout: %w", err)
	}
	return &pipes{in: in, out: out, try: neverWaits(out)}, nil
}

// neverWaits is the way to a file whose writes do not wait, or nil.
func neverWaits(f *os.File) syscall.RawConn {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	nonblocking := false
	_ = raw.Control(func(fd uintptr) { // Fd would make it wait
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		nonblocking = err == nil && flags&unix.O_NONBLOCK != 0
	})
	if !nonblocking {
		return nil
	}
	return raw
}

// TryWrite writes as much as there is room for, without waiting. It saves the
// switch to another goroutine where the reader keeps up.
func (p *pipes) TryWrite(b []byte) (n int, err error) {
	if p.try == nil {
		return 0, nil
	}
	if rawErr := p.try.Write(func(fd uintptr) bool {
		n, err = unix.Write(int(fd), b)
		return true
	}); rawErr != nil {
		return 0, rawErr
	}
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	}
	return max(n, 0), err
}

// own is a descriptor of our own for a standard one, such that a read can be
// interrupted and a goroutine that waits holds no thread. Pipes and terminals
// are opened anew where the system can do that: setting the flag of one that
// is shared would set it for whoever shares it.
func own(fd, flags int, name string) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFCHR:
		fresh, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err == nil {
			return os.NewFile(uintptr(fresh), name), nil
		}
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFSOCK || kind == unix.S_IFIFO {
		if err := unix.SetNonblock(dup, true); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return os.NewFile(uintptr(dup), name), nil
}

// whenReaderGone calls f when nobody can read stdout any more, without
// waiting for the next write. The goroutine ends with the process.
func whenReaderGone(conn io.ReadWriteCloser, f func()) {
	p, ok := conn.(*pipes)
	if !ok {
		return
	}
	raw, err := p.out.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		watched, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return
		}
		go func() {
			if awaitHangup(watched) {
				f()
			}
		}()
	})
}

// awaitHangup waits until the other end of a descriptor is closed.
func awaitHangup(fd int) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd)}} // errors and hang-ups are always told
		n, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	}
}
