//go:build linux || darwin || freebsd

package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a connection to a process of the same user.
type Conn struct {
	*net.UnixConn
	raw     syscall.RawConn
	pid     int
	written atomic.Int64
}

// newConn refuses a peer that is of another user: then it answers the connection,
// so that the caller can say why, and closes it, and a *ForeignError.
func newConn(u *net.UnixConn) (*Conn, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	c := &Conn{UnixConn: u, raw: raw}
	var user int
	if e := raw.Control(func(fd uintptr) { user, c.pid, err = peerOf(int(fd)) }); e != nil || err != nil {
		return nil, errors.Join(fmt.Errorf("see which user the other end belongs to: %w", errors.Join(e, err)), u.Close())
	}
	if self := os.Geteuid(); user != self {
		return c, &ForeignError{User: user, Self: self}
	}
	return c, nil
}

// PID is the number of the process at the other end, as it was when that began to
// listen or connected. It is 0 where the system does not tell.
func (c *Conn) PID() int { return c.pid }

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.UnixConn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// TryWrite writes as much as there is room for, without waiting. It saves the switch
// to another goroutine where the other end keeps up.
func (c *Conn) TryWrite(p []byte) (n int, err error) {
	if e := c.raw.Write(func(fd uintptr) bool {
		n, err = unix.Write(int(fd), p)
		return true
	}); e != nil {
		return 0, e
	}
	c.written.Add(int64(max(n, 0)))
	if err == unix.EAGAIN || err == unix.EINTR {
		err = nil
	}
	return max(n, 0), err
}

// dialPause is how long to wait for a server whose queue of new connections is full.
const dialPause = 2 * time.Millisecond

// Dial connects to the server of a socket. The error wraps ErrNobodyListens where
// there is none, and is a *ForeignError where the server is another user's.
func Dial(ctx context.Context, path string) (*Conn, error) {
	if err := checkLength(path); err != nil {
		return nil, err
	}
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			c, err := newConn(conn.(*net.UnixConn))
			if err != nil && c != nil {
				return nil, errors.Join(err, c.Close())
			}
			return c, err
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOTDIR):
			return nil, fmt.Errorf("%w on %s", ErrNobodyListens, path)
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("%w; it is for another user, and each user has a server of their own", err)
		case !errors.Is(err, unix.EAGAIN):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(dialPause):
		}
	}
}

// maxPath is how long the path of a socket may be, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func checkLength(path string) error {
	if n := len(path) + len(newSuffix); n > maxPath {
		return fmt.Errorf("the path of the socket is too long: it has %d bytes, and the system allows %d: %s; name a shorter one", len(path), maxPath-len(newSuffix), path)
	}
	return nil
}

// ownDescriptors is about how many descriptors a server takes for itself and for
// commands.
const ownDescriptors = 128

// Room is how many connections the limit on descriptors leaves to this process, and 1
// at least.
func Room() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(int(limit.Max)-ownDescriptors, 1) // Go raises the limit that holds to this one
}
