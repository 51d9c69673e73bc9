package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
)

// goneTimeout is how long the process of a server that answers no more may take to
// end, and so to say why in its log.
const goneTimeout = 3 * time.Second

// errServerEnded says that a server has ended before the task that it was to run.
var errServerEnded = errors.New("the server ended before the task did")

// connection is a client of a server that it can say the end of.
type connection struct {
	*client.Client
	program *Program
	server  *serverSeen // nil for a server of this command's own
}

// serverSeen is what is known of a server that runs.
type serverSeen struct {
	scope  Scope
	holder string // how its process calls itself; "" where that is not known
	logged int64  // the length of its log
}

// see notes what is known of the server that listens on the socket of a scope.
func see(s Scope) *serverSeen {
	holder, _ := socket.Holder(s.Socket) // without it nothing waits for the end of the process
	return &serverSeen{s, holder, sizeOf(s.Log)}
}

// sizeOf is how long a file is; 0 where it is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// whyEnded is what the server has written to its log about its end. The next server may
// have begun to write there, too.
func (s *serverSeen) whyEnded(ctx context.Context) string {
	s.awaitEnd(ctx)
	why := wordsOfEnd(s.scope.Log, s.logged)
	if _, said, ok := strings.Cut(why, "msg="); ok {
		why = said
	}
	if why == "" {
		why = "it was killed, or has its log elsewhere than in " + s.scope.Log
	}
	return why
}

// awaitEnd waits for the end of the process of the server, and reports whether that came
// in time.
func (s *serverSeen) awaitEnd(ctx context.Context) bool {
	if s.holder == "" {
		return true
	}
	ctx, stop := context.WithTimeout(ctx, goneTimeout)
	defer stop()
	return socket.AwaitEnd(ctx, s.scope.Socket, s.holder) == nil
}

// explain makes of the error of a call that the end of the server has failed one that
// says how the server has ended, and the cure.
func (c *connection) explain(ctx context.Context, err error) error {
	switch {
	case c.server == nil || !errors.Is(err, errServerEnded) && !client.IsEnded(err) || ctx.Err() != nil:
		return err
	case !c.server.awaitEnd(ctx):
		return fmt.Errorf("the server on %s has ended this connection, and goes on; try again", c.server.scope.Socket)
	}
	return fmt.Errorf("the server on %s has ended: %s; %s list starts the next one, and shows the tasks that its store has kept",
		c.server.scope.Socket, c.server.whyEnded(ctx), c.program.Name)
}
