//go:build unix

package stdio

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// sharedDescriptor is a pipe or socket whose open file description is shared with
// other processes, and which cannot be opened again. O_NONBLOCK is a flag of the
// description: set here, it would make writes of the others fail with EAGAIN. So the
// flag stays as it is, and each call first makes sure that it will not wait.
type sharedDescriptor struct {
	fd     int
	socket bool

	wake     *os.File // closing it ends all waits
	wakeFD   int      // the other end
	closing  sync.Once
	closeErr error
}

// newSharedDescriptor takes over a descriptor.
func newSharedDescriptor(fd int, socket bool) (*sharedDescriptor, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	wakeFD, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &sharedDescriptor{fd: fd, socket: socket, wake: w, wakeFD: wakeFD}, nil
}

// Read waits for input. One reader at a time is meant.
func (s *sharedDescriptor) Read(b []byte) (int, error) {
	for {
		if !s.socket { // a read of a pipe cannot be told not to wait
			if err := s.wait(unix.POLLIN); err != nil {
				return 0, err
			}
		}
		n, err := s.receive(b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN: // another reader was faster, or nothing has come yet
			if err := s.wait(unix.POLLIN); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, &os.PathError{Op: "read", Path: "stdin", Err: err}
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes all of b, and waits for the reader.
func (s *sharedDescriptor) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := s.TryWrite(b[n:])
		n += m
		if err == nil && m == 0 {
			err = s.wait(unix.POLLOUT)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// TryWrite writes as much as there is room for, without waiting.
func (s *sharedDescriptor) TryWrite(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := s.send(b[n:])
		switch {
		case err == unix.EAGAIN:
			return n, nil
		case err == unix.EINTR:
		case err != nil:
			return n, &os.PathError{Op: "write", Path: "stdout", Err: err}
		default:
			n += m
		}
	}
	return n, nil
}

func (s *sharedDescriptor) receive(b []byte) (int, error) {
	if s.socket {
		n, _, err := unix.Recvfrom(s.fd, b, unix.MSG_DONTWAIT)
		return n, err
	}
	return unix.Read(s.fd, b)
}

// send writes once, or answers EAGAIN where it would have to wait.
func (s *sharedDescriptor) send(b []byte) (int, error) {
	if s.socket {
		return unix.SendmsgN(s.fd, b, nil, nil, unix.MSG_DONTWAIT)
	}
	// A pipe that polls as writable has room for pipeAtomic bytes.
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, 0); err != nil {
		return 0, err
	} else if n == 0 {
		return 0, unix.EAGAIN
	}
	return unix.Write(s.fd, b[:min(len(b), pipeAtomic)])
}

// wait waits until the descriptor is ready, or closed.
func (s *sharedDescriptor) wait(events int16) error {
	for {
		fds := []unix.PollFd{{Fd: int32(s.fd), Events: events}, {Fd: int32(s.wakeFD), Events: unix.POLLIN}}
		switch _, err := unix.Poll(fds, -1); {
		case err == unix.EINTR:
		case err != nil:
			return err
		case fds[1].Revents != 0:
			return os.ErrClosed
		default:
			return nil
		}
	}
}

// Close ends a Read or a Write that waits. The descriptors stay open until the
// process ends: a call that is about to use them must not meet another file
// that has got their number.
func (s *sharedDescriptor) Close() error {
	s.closing.Do(func() { s.closeErr = s.wake.Close() })
	return s.closeErr
}
