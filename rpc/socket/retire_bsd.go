//go:build darwin || freebsd

package socket

import (
	"errors"
	"net"
)

// refuseMore fails: these systems empty the queue.
func refuseMore(*net.UnixListener) error { return errors.ErrUnsupported }

// acceptNow answers nobody: the listener is closed.
func acceptNow(*net.UnixListener) (*net.UnixConn, error) { return nil, net.ErrClosed }
