package socket

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// refuseMore refuses new connections, and leaves those in the queue that clients have already made.
func refuseMore(l *net.UnixListener) error {
	return control(l, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RD) })
}

// acceptNow answers the next client in the queue, without waiting. The error is
// net.ErrClosed where there is none.
func acceptNow(l *net.UnixListener) (*net.UnixConn, error) {
	var accepted int
	err := control(l, func(fd int) (err error) {
		accepted, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINVAL):
		return nil, net.ErrClosed
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(accepted), "socket")
	defer f.Close()
	conn, err := net.FileConn(f) // with a descriptor of its own
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// control does something with the descriptor of a listener.
func control(l *net.UnixListener, do func(fd int) error) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = raw.Control(func(fd uintptr) { done = do(int(fd)) })
	return errors.Join(err, done)
}
