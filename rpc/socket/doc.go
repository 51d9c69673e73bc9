// Package socket serves the protocol on Unix sockets: any number of connections on
// one executor, and every client is of the user as whom the server runs. There are
// sockets on Linux, macOS and FreeBSD: the other systems do not say which user a
// client is of, and there every function answers errors.ErrUnsupported.
package socket

import (
	"errors"
	"fmt"
)

// ErrNobodyListens says that no server is there: the socket does not exist, or its
// server has ended.
var ErrNobodyListens = errors.New("nobody listens")

// A HeldError says that another process serves a socket.
type HeldError struct {
	Path   string
	Holder string // how the other process describes itself
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the socket %s is served by %s; end that one, or name another socket", e.Path, e.Holder)
}

// A ForeignError says that the process at the other end of a socket is of another
// user.
type ForeignError struct {
	User, Self int // the numbers of the users
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the other end of the socket belongs to %s, and this program runs as %s; each user has a server of their own", nameOf(e.User), nameOf(e.Self))
}

func nameOf(user int) string {
	if user == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", user)
}
