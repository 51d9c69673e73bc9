package socket

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// DefaultMaxConnections bounds the connections that are open at once.
	DefaultMaxConnections = 1024
	// acceptPause is how long to wait after a client could not be accepted, as where
	// the process has no descriptors left.
	acceptPause = 50 * time.Millisecond
	// lookEvery is how often it is looked whether the sockets are still in their
	// places.
	lookEvery = 5 * time.Second
	// stallTimeout is how long a client may take nothing of the last messages before
	// they are dropped.
	stallTimeout = time.Second
)

// Options sets a Server. A field that is zero has its default.
type Options struct {
	// RPC sets each connection. The end of a connection leaves the executor alone.
	RPC            rpc.Options
	MaxConnections int // that are open at once
	// Idle is how long there may be no connection, no task that can run, and no schedule with a
	// time to come before the server ends the executor. 0 is for ever.
	Idle   time.Duration
	Logger *slog.Logger
}

// Server serves one executor on sockets.
type Server struct {
	executor *executor.Executor
	sockets  []*Socket
	options  Options
	log      *slog.Logger
	look     time.Duration // how often it is looked whether a socket has vanished

	// listened says that all sockets were there once. gone has, of each socket that has
	// vanished, the latest reason for which it could not be made again. Only the goroutine
	// of Run uses both.
	listened bool
	gone     map[*Socket]string

	serving  sync.WaitGroup // a goroutine for each connection
	mu       sync.Mutex
	open     map[*Conn]context.CancelCauseFunc
	accepted int64 // connections, in all
}

// NewServer makes a server on sockets that were reserved.
func NewServer(ex *executor.Executor, sockets []*Socket, o Options) *Server {
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultMaxConnections)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.RPC.Logger, o.RPC.OnEOF, o.RPC.Shared = o.Logger, rpc.EOFDetach, true
	if room := Room(); room < o.MaxConnections {
		o.Logger.Warn("fewer connections can be open than are wanted: the limit on descriptors is low", "connections", room, "wanted", o.MaxConnections)
		o.MaxConnections = room
	}
	return &Server{executor: ex, sockets: sockets, options: o, log: o.Logger, look: lookEvery, open: map[*Conn]context.CancelCauseFunc{}, gone: map[*Socket]string{}}
}

// Run listens and serves until the executor has ended and each client has what there
// is for it, or ctx ends. It ends the executor when nothing has happened for
// Options.Idle.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.serving.Wait()
	defer cancel()
	var err error
	for again := true; again && err == nil; {
		again, err = s.serveUntil(ctx)
	}
	if err == nil {
		s.awaitClients(ctx)
	}
	return err
}

// serveUntil listens until the executor ends, ctx ends, the server is idle, or a
// socket has vanished. It answers whether to listen again.
func (s *Server) serveUntil(ctx context.Context) (again bool, err error) {
	var accepting sync.WaitGroup
	defer accepting.Wait()
	defer func() {
		for _, l := range s.sockets {
			l.close()
		}
	}()
	for _, l := range s.sockets {
		switch err := l.Listen(); {
		case err == nil:
			s.made(l)
			accepting.Go(func() { s.accept(ctx, l) })
		case s.listened: // the tasks go on, and the socket is looked at again
			s.unmade(l, err)
		default:
			return false, err
		}
	}
	s.listened = true
	quiet := s.newQuiet()
	why := s.untilOver(ctx, quiet)
	for _, l := range s.sockets {
		if err := l.Retire(); err != nil {
			s.log.Warn("a socket cannot be removed", "error", err)
		}
	}
	switch why {
	case vanished:
		accepting.Wait() // those that have connected before are served
		return true, nil
	case idle:
		accepting.Wait()
		if s.count() > quiet.accepted { // a client was faster
			return true, nil
		}
		s.log.Info("the server ends: there has been no connection, and no task to run", "for", s.options.Idle)
		s.executor.BeginBecause(executor.ShutdownInterrupt, "nothing to do for "+s.options.Idle.String())
	}
	return false, nil
}

// reason says why the server does not listen any more.
type reason uint8

const (
	ended    reason = iota // the executor, or the context
	idle                   // there has been nothing to do
	vanished               // somebody has removed a socket
)

// untilOver waits for a reason not to listen.
func (s *Server) untilOver(ctx context.Context, quiet *quiet) reason {
	look := time.NewTicker(s.look)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return ended
		case <-s.executor.Done():
			return ended
		case <-quiet.timer.C:
			if quiet.look(ctx) {
				return idle
			}
		case <-look.C:
			if s.reclaimed() {
				return vanished
			}
		}
	}
}

// reclaimed reports whether a socket has vanished that can be made again now. The others
// that have vanished are looked at again later: the folder of a user's sockets may be
// gone until the user's next login, and meanwhile the tasks go on.
func (s *Server) reclaimed() bool {
	for _, l := range s.sockets {
		if !l.vanished() {
			continue
		}
		s.gone[l] = cmp.Or(s.gone[l], "not tried yet")
		err := l.reclaim()
		if err == nil {
			return true
		}
		s.unmade(l, err)
	}
	return false
}

// unmade logs why a removed socket cannot be made again, once for each reason.
func (s *Server) unmade(l *Socket, err error) {
	if text := err.Error(); text != s.gone[l] {
		s.gone[l] = text
		s.log.Warn("the socket is gone, and it cannot be made again yet", "socket", l.path, "error", err)
	}
}

// made logs that a socket which had vanished is there again.
func (s *Server) made(l *Socket) {
	if s.gone[l] != "" {
		delete(s.gone, l)
		s.log.Warn("somebody has removed the socket; it is made again", "socket", l.path)
	}
}

// accept takes clients until the socket is closed.
func (s *Server) accept(ctx context.Context, l *Socket) {
	for {
		conn, err := l.Accept()
		switch foreign := (*ForeignError)(nil); {
		case err == nil:
			s.admit(ctx, conn)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.As(err, &foreign):
			s.log.Warn("a client of another user is refused", "user", foreign.User)
			refuse(conn, wire.NewError(schema.CodeNotPermitted, "%v", err))
		default:
			s.log.Error("a client cannot be accepted", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// admit serves a client on a goroutine of its own, or refuses it.
func (s *Server) admit(ctx context.Context, conn *Conn) {
	ctx, cut := context.WithCancelCause(ctx)
	s.mu.Lock()
	full := len(s.open) >= s.options.MaxConnections
	if !full {
		s.open[conn] = cut
		s.accepted++
	}
	s.mu.Unlock()
	if full {
		cut(nil)
		s.log.Warn("a client is refused: too many connections are open", "limit", s.options.MaxConnections)
		e := wire.NewError(schema.CodeQueueFull, "the limit of %d open connections is reached (--max-connections); close others, or try again later", s.options.MaxConnections)
		e.Data.Limit = int64(s.options.MaxConnections)
		refuse(conn, e)
		return
	}
	s.serving.Go(func() {
		if err := rpc.Serve(ctx, conn, s.executor, s.options.RPC); err != nil {
			s.log.Debug("a connection has ended", "because", err)
		}
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		cut(nil)
	})
}

// refuse tells a client why it is not served. It does not block: a new connection has room for a message.
func refuse(conn *Conn, e *wire.Error) {
	_, _ = conn.TryWrite(append(wire.AppendError(nil, nil, e), '\n')) // the client may have gone
	_ = conn.Close()
}

// count is how many connections there have been.
func (s *Server) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Connections is how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// errStalled ends a connection whose client does not read.
var errStalled = errors.New("the executor has ended, and the client does not read")

// awaitClients waits for the end of each connection. The executor has ended, so each
// ends when its client has read what is left. One that reads nothing is cut.
func (s *Server) awaitClients(ctx context.Context) {
	all := make(chan struct{})
	go func() { // ends with the connections, for which Run waits
		s.serving.Wait()
		close(all)
	}()
	before := map[*Conn]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-all:
			return
		case <-time.After(stallTimeout):
			s.cutStalled(before)
		}
	}
}

// cutStalled ends the connections that have read nothing since the last look.
func (s *Server) cutStalled(before map[*Conn]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, cut := range s.open {
		written := conn.written.Load()
		if last, known := before[conn]; known && last == written {
			s.log.Warn("the last messages are dropped", "error", errStalled)
			cut(errStalled)
		}
		before[conn] = written
	}
}
