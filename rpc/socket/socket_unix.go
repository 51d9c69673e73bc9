//go:build linux || darwin || freebsd

package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// lockSuffix is appended to the path of a socket for the file whose lock says
	// that a process serves it.
	lockSuffix = ".lock"
	// newSuffix is appended for a socket that is about to be moved into place.
	newSuffix = "~"
	// reservePause is how long to wait for a server that is just starting or ending
	// before its lock is tried again.
	reservePause = 10 * time.Millisecond
	// reserveTimeout is how long to wait for such a server in all. One that ends
	// stays for as long as its last clients take, at most.
	reserveTimeout = 10 * time.Second
)

// LockPath is the file whose lock the server of a socket has.
func LockPath(path string) string { return path + lockSuffix }

// Socket is a place in the file system at which this process alone may listen.
type Socket struct {
	path     string // in a folder that was checked, without symbolic links
	lock     *Lock
	listener *net.UnixListener
	info     fs.FileInfo // of the socket in its place
}

// Reserve takes the right to listen at a path. The folder is made where it is not
// there: see OwnFolder for what is refused. Where another process serves the socket
// the error is a *HeldError. One that is just starting, or ending, is waited for.
func Reserve(ctx context.Context, path string) (*Socket, error) {
	folder, err := OwnFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	s := &Socket{path: filepath.Join(folder, filepath.Base(path))}
	if err := checkLength(s.path); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, reserveTimeout, errStillHeld)
	defer stop()
	for {
		if s.lock, err = TryLock(LockPath(s.path)); err != nil {
			return nil, err
		}
		if s.lock != nil {
			return s, s.claim(ctx)
		}
		listens := answers(ctx, s.path)
		held := &HeldError{Path: s.path, Holder: holderOf(LockPath(s.path))} // said before it listens
		if listens {
			return nil, held
		}
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); err != errStillHeld {
				return nil, err
			}
			return nil, held
		case <-time.After(reservePause):
		}
	}
}

var errStillHeld = errors.New("the lock is still held")

// answers reports whether a server listens at a path.
func answers(ctx context.Context, path string) bool {
	c, err := Dial(ctx, path)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// claim writes who holds the lock, and fails if the path is anything but a stale socket of this user.
func (s *Socket) claim(ctx context.Context) error {
	err := notOurs(s.path, fs.ModeSocket)
	if err == nil && answers(ctx, s.path) { // a server that takes no lock
		err = &HeldError{Path: s.path, Holder: "another program"}
	}
	if err == nil {
		err = s.lock.sayWho()
	}
	if err != nil {
		return errors.Join(err, s.lock.Release())
	}
	return nil
}

// Listen makes the socket. It takes the place of a stale one in one step, and is
// never there with a mode that lets others in.
func (s *Socket) Listen() error {
	fresh := s.path + newSuffix
	if err := notOurs(fresh, fs.ModeSocket); err != nil {
		return err
	}
	_ = os.Remove(fresh) // of a server that was killed here; else listening fails
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(fresh, 0o600)
	if err == nil {
		s.info, err = os.Lstat(fresh)
	}
	if err == nil {
		err = os.Rename(fresh, s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh), l.Close())
	}
	s.listener = l
	return nil
}

// vanished reports whether the socket is no longer in its place: whatever cleans a
// folder of temporary files may have removed it.
func (s *Socket) vanished() bool {
	there, err := os.Lstat(s.path)
	return err != nil || !os.SameFile(s.info, there)
}

// reclaim takes the right to listen again after the socket was removed. Its folder and the file of its lock may
// be gone, too. If another process has the right now, the error is a *HeldError.
func (s *Socket) reclaim() error {
	if _, err := OwnFolder(filepath.Dir(s.path)); err != nil {
		return err
	}
	if !s.lock.moved() {
		return nil
	}
	lock, err := TryLock(LockPath(s.path))
	if err != nil {
		return err
	}
	if lock == nil {
		return &HeldError{Path: s.path, Holder: holderOf(LockPath(s.path))}
	}
	if err := lock.sayWho(); err != nil {
		return errors.Join(err, lock.Release())
	}
	former := s.lock
	s.lock = lock
	return former.Release()
}

// Accept waits for the next client. The error wraps net.ErrClosed when no further
// one can come, and is a *ForeignError for a client of another user, whose connection
// is answered, too.
func (s *Socket) Accept() (*Conn, error) {
	u, err := s.listener.AcceptUnix()
	if errors.Is(err, os.ErrDeadlineExceeded) { // Retire has woken it
		u, err = acceptNow(s.listener)
	}
	if err != nil {
		return nil, err
	}
	return newConn(u)
}

// Retire lets no further client connect, and removes the socket. Accept still
// answers those that have connected before; then it answers net.ErrClosed. Where the
// system cannot do that, those that Accept has not answered are told that the
// connection has ended.
func (s *Socket) Retire() error {
	var removed error
	if !s.vanished() {
		removed = os.Remove(s.path)
	}
	if err := refuseMore(s.listener); err != nil {
		s.close()
		return removed
	}
	// The system tells an accept that does not wait to try again, so Go's would wait
	// for ever: findings/shut-unix-listener-says-try-again.sh.
	return errors.Join(removed, s.listener.SetDeadline(time.Unix(1, 0)))
}

// close ends Accept at once.
func (s *Socket) close() { _ = s.listener.Close() } // closed already, maybe

// Release gives the place to other processes.
func (s *Socket) Release() error {
	if s.lock == nil {
		return nil
	}
	lock := s.lock
	s.lock = nil
	if err := lock.Release(); err != nil {
		return fmt.Errorf("release the lock of the socket %s: %w", s.path, err)
	}
	return nil
}
