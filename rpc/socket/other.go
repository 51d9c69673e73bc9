//go:build !linux && !darwin && !freebsd

package socket

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// Conn is a connection to a process of the same user. There is none on this system.
type Conn struct {
	net.Conn
	written atomic.Int64
}

func (c *Conn) PID() int                     { return 0 }
func (c *Conn) CloseWrite() error            { return errors.ErrUnsupported }
func (c *Conn) TryWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Dial answers errors.ErrUnsupported.
func Dial(context.Context, string) (*Conn, error) { return nil, errors.ErrUnsupported }

// Socket is a place at which this process alone may listen. There is none on this
// system.
type Socket struct{ path string }

// Reserve answers errors.ErrUnsupported.
func Reserve(context.Context, string) (*Socket, error) { return nil, errors.ErrUnsupported }

func (s *Socket) Listen() error          { return errors.ErrUnsupported }
func (s *Socket) Accept() (*Conn, error) { return nil, errors.ErrUnsupported }
func (s *Socket) Retire() error          { return errors.ErrUnsupported }
func (s *Socket) Release() error         { return nil }
func (s *Socket) vanished() bool         { return false }
func (s *Socket) reclaim() error         { return errors.ErrUnsupported }
func (s *Socket) close()                 {}

// LockPath is the file whose lock the server of a socket has.
func LockPath(path string) string { return path + ".lock" }

// OwnFolder answers errors.ErrUnsupported.
func OwnFolder(string) (string, error) { return "", errors.ErrUnsupported }

// CheckFolder answers errors.ErrUnsupported.
func CheckFolder(string) (string, error) { return "", errors.ErrUnsupported }

// Lock is a lock of a file. There is none on this system.
type Lock struct{}

// TryLock answers errors.ErrUnsupported.
func TryLock(string) (*Lock, error) { return nil, errors.ErrUnsupported }

// Holder answers errors.ErrUnsupported.
func Holder(string) (string, error) { return "", errors.ErrUnsupported }

// AwaitEnd answers errors.ErrUnsupported.
func AwaitEnd(context.Context, string, string) error { return errors.ErrUnsupported }

// Release does nothing.
func (l *Lock) Release() error { return nil }

// Room is how many connections the system leaves to this process.
func Room() int { return 0 }
