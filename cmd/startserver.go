package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/socket"
)

const (
	// startTimeout is how long a server may take to start. One that brings a large
	// store of an older version to its own takes longest.
	startTimeout = 60 * time.Second
	// startPatience is how long a start may take before it is said what is waited for.
	startPatience = 5 * time.Second
	// startPause is how long to wait before it is looked again whether it listens.
	startPause = 2 * time.Millisecond
	// mostStartPause is how long the commands wait that another is starting it for:
	// there may be very many.
	mostStartPause = 20 * time.Millisecond
	// heldTimeout is how long to wait if another process has the store and no server listens: a server that is
	// about to end, or one whose socket was removed, which it makes again within 5 s.
	heldTimeout = 7 * time.Second
	// startSuffix is appended to the path of a socket for the file whose lock says
	// that a process starts its server.
	startSuffix = ".start"
	// maxTail is how much is read of the end of a log, in bytes.
	maxTail = 16 << 10
)

// dial connects to the server of a scope. Where none runs it starts one, if it may.
func (p *Program) dial(ctx context.Context, s *Scope, start bool) (*socket.Conn, error) {
	conn, err := s.find(ctx)
	switch {
	case !errors.Is(err, socket.ErrNobodyListens):
		return conn, noSockets(err)
	case !start:
		if another := p.anotherServed(s); another != nil {
			return nil, another
		}
		return nil, fmt.Errorf("%w; without --no-start one is started there", err)
	}
	if _, err := socket.OwnFolder(filepath.Dir(s.Socket)); err != nil {
		return nil, noSockets(err)
	}
	if err := s.makeState(); err != nil {
		return nil, err
	}
	saying := time.AfterFunc(startPatience, func() {
		fmt.Fprintf(safe(os.Stderr), "%s: it waits for the server on %s, which %s starts; its log is %s\n", p.Name, s.Socket, s.starter(), s.Log)
	})
	defer saying.Stop()
	return p.startOnce(ctx, s)
}

// starter is who has the lock of the socket of the scope, for a person.
func (s *Scope) starter() string {
	if holder, err := socket.Holder(s.Socket); err == nil && holder != "" {
		return holder
	}
	return "another command"
}

// find connects to the server of a scope. It may be on another socket than a command
// with this environment would choose: it was started in a session that has another
// folder for sockets, as those of a login and of cron are. Then that becomes the
// socket of the scope.
func (s *Scope) find(ctx context.Context) (*socket.Conn, error) {
	conn, err := socket.Dial(ctx, s.Socket)
	if s.noState != nil || !errors.Is(err, socket.ErrNobodyListens) {
		return conn, err
	}
	noted, e := os.ReadFile(filepath.Join(s.State, notedSocket))
	if other := string(noted); e == nil && other != s.Socket {
		if conn, e := socket.Dial(ctx, other); e == nil {
			s.Socket, s.Lock = other, socket.LockPath(other)
			return conn, nil
		}
	}
	return nil, err
}

// note notes for find on which socket the server of the scope was started.
func (s *Scope) note() error {
	return os.WriteFile(filepath.Join(s.State, notedSocket), []byte(s.Socket), 0o600)
}

// notedSocket is the file of the state that has the path of the socket.
const notedSocket = "socket"

// startOnce starts the server of a scope, or waits for the process that is starting
// it.
func (p *Program) startOnce(ctx context.Context, s *Scope) (*socket.Conn, error) {
	ctx, stop := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("the server has not started within %v; it may be about to: try again, and see its log %s", startTimeout, s.Log))
	defer stop()
	begun, held := time.Now(), error(nil) // held is why no server could start
	for pause := startPause; ; pause = min(pause+startPause, mostStartPause) {
		lock, err := socket.TryLock(s.Socket + startSuffix)
		if err != nil {
			return nil, err
		}
		conn, err := s.find(ctx)
		if lock != nil && errors.Is(err, socket.ErrNobodyListens) && (held == nil || !s.storeHeld(ctx)) {
			conn, err = p.startWhereNone(ctx, s)
			if err != nil && !errors.Is(err, socket.ErrNobodyListens) && (saysHeld(err) || s.storeHeld(ctx)) {
				held, err = err, socket.ErrNobodyListens
			}
		}
		if lock != nil {
			err = errors.Join(err, lock.Release())
		}
		if _, another := errors.AsType[*anotherServedError](err); another || !errors.Is(err, socket.ErrNobodyListens) {
			return conn, err
		}
		if held != nil && time.Since(begun) >= heldTimeout {
			return nil, held
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// startWhereNone starts the server of a scope. It does not if a process holds the lock of the socket: that is a
// server that is starting, which a long snapshot makes slow, or ending, and does not listen. Nor does it if the
// socket is of another store.
func (p *Program) startWhereNone(ctx context.Context, s *Scope) (*socket.Conn, error) {
	holder, err := socket.Holder(s.Socket)
	if err != nil {
		return nil, err
	}
	if holder != "" {
		return nil, socket.ErrNobodyListens
	}
	if another := p.anotherServed(s); another != nil {
		return nil, another
	}
	conn, err := p.startServer(ctx, s)
	if err != nil && strings.Contains(err.Error(), "is served by") { // another one was faster
		err = socket.ErrNobodyListens
	}
	return conn, err
}

// saysHeld reports whether a server that did not start found that another process had the
// store. That process may have ended since. All that is known of a server is what it said.
func saysHeld(err error) bool { return strings.Contains(err.Error(), "is held by") }

// storeHeld reports whether a process has the store of the scope.
func (s *Scope) storeHeld(ctx context.Context) bool {
	if s.namespace != nil {
		return false
	}
	info, err := inspect.Inspect(ctx, s.Store)
	return err == nil && info.HeldBy != ""
}

// programFile is the file of this program, of which servers are started.
func programFile() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("a server is started from this program's file, which cannot be found: %w; on Linux mount /proc", err)
	}
	return path, nil
}

// startServer starts the server of a scope as a process of its own: in another
// session, with nothing of this process but its environment. It answers a connection
// when the server listens. Only one process at a time does this for a scope.
func (p *Program) startServer(ctx context.Context, s *Scope) (*socket.Conn, error) {
	self, err := programFile()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of the server cannot be written: %w; %s", err, cureOfState)
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("the log of the server cannot be read: %w", err)
	}
	args := []string{"serve", "--listen=" + addressPrefix + s.Socket, "--store=" + s.Store, "--log-file=" + s.Log, "--stdio=false", "--framing=auto"}
	if s.namespace != nil {
		args = append(args, s.namespace.serveFlags()...)
	}
	server := exec.Command(self, args...)
	server.Stdout, server.Stderr = log, log // before it has opened the log itself
	server.Dir = s.startDir()
	server.Env = s.namespace.serverEnviron(os.Environ())
	daemonize(server)
	if err := s.note(); err != nil {
		return nil, fmt.Errorf("note where the server listens: %w; %s", err, cureOfState)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }() // ends with the server, or with this process
	return s.awaitServer(ctx, ended, before)
}

// startDir is where a server runs: in the folder of its commands, or in the root.
func (s *Scope) startDir() string {
	if info, err := os.Stat(s.Dir); err == nil && info.IsDir() {
		return s.Dir
	}
	return string(filepath.Separator)
}

// awaitServer connects to a server that was started, or says why it has ended. One that
// has ended in order had nothing to do until its idle time was over: nobody listens then,
// and the next one is started.
func (s *Scope) awaitServer(ctx context.Context, ended <-chan error, before int64) (*socket.Conn, error) {
	for {
		var end error
		over := false
		select {
		case end = <-ended:
			over = true
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(startPause):
		}
		conn, err := socket.Dial(ctx, s.Socket)
		switch {
		case !errors.Is(err, socket.ErrNobodyListens):
			return conn, err
		case over && end == nil:
			return nil, err
		case over:
			return nil, s.whyNotStarted(end, before)
		}
	}
}

// whyNotStarted makes an error of what a server has written to its log.
func (s *Scope) whyNotStarted(end error, before int64) error {
	if said := lastWords(s.Log, before); said != "" {
		return fmt.Errorf("the server did not start: %s; its log is %s", said, s.Log)
	}
	if err := s.tryWrite(); err != nil { // a full disk takes no log, either
		return fmt.Errorf("the server did not start: %w; %s", err, cureOfState)
	}
	return fmt.Errorf("the server did not start (%v), and has not said why; its log is %s", end, s.Log)
}

// lastWords is the line of a log, from an offset on, that says why its server has
// not started: the one in which it panicked, or else the last.
func lastWords(path string, from int64) string {
	last := ""
	for line := range bytes.Lines(tailOf(path, from)) {
		said := strings.TrimSpace(string(line))
		if isPanic(said) {
			return said
		}
		if said != "" {
			last = said
		}
	}
	return last
}

// wordsOfEnd is the first line of a log, from an offset on, in which a server ends, or
// "" where there is none.
func wordsOfEnd(path string, from int64) string {
	for line := range bytes.Lines(tailOf(path, from)) {
		said := strings.TrimSpace(string(line))
		if isPanic(said) || strings.Contains(said, `msg="ended `) {
			return said
		}
	}
	return ""
}

// tailOf is the end of a log, from an offset on; nothing where it cannot be read.
func tailOf(path string, from int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	if info.Size() < from { // a new log was begun
		from = 0
	}
	from = max(from, info.Size()-maxTail)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return nil
	}
	return text
}

// isPanic reports whether a line of a log is the first of what a runtime writes that
// ends its process.
func isPanic(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}
