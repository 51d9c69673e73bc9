package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// targetOptions are the flags that say which server a command is for.
type targetOptions struct {
	socket  string
	project string
	store   string // the address of a queue of many machines
	creds   string
	outbox  string
	role    nats.Role // "" is what the environment says
	local   bool
	noStart bool
	// reads is set for commands that have nothing to do where there is no server and no store. They
	// start no server on a socket that was named and has neither: its path may be mistaken.
	reads bool
	// flagSet tells which of them are on the command line; nil where there is none.
	flagSet *pflag.FlagSet
}

func (o *targetOptions) flags(c *cobra.Command) {
	f := c.Flags()
	o.scopeFlags(c)
	f.BoolVar(&o.local, "local", false, "use a server of its own, which ends with the command, and keeps nothing")
	o.startFlag(c)
}

// startFlag adds the flag that keeps a command from starting a server.
func (o *targetOptions) startFlag(c *cobra.Command) {
	c.Flags().BoolVar(&o.noStart, "no-start", false, "fail where no server runs, and start none")
}

// scopeFlags adds those of the flags that name a socket.
func (o *targetOptions) scopeFlags(c *cobra.Command) {
	f := c.Flags()
	o.flagSet = f
	f.StringVar(&o.socket, "socket", "", "the socket of the server; the one of "+socketVariable+", or of this user, unless given")
	f.StringVar(&o.project, "project", "", "the server of the project: of the nearest folder, from this one upward, that has "+projectMark)
	f.StringVar(&o.store, "store", "", "the queue of many machines at nats://HOST,HOST/NAMESPACE, by a server that runs nothing itself; the one of "+envName("store")+" unless given")
	credsFlag(c, &o.creds)
	outboxFlag(c, &o.outbox, "the file in which the server that is started for --store keeps submits while it cannot reach the queue; the one of "+envName("outbox")+" unless given")
	f.Var(roleFlag(&o.role), "store-role", "what the server that is started for --store does to it, as for serve")
	complete(c, "store-role", cobra.FixedCompletions(roleNames(), cobra.ShellCompDirectiveNoFileComp))
	complete(c, "store", cobra.NoFileCompletions)
	complete(c, "socket", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	complete(c, "project", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// check refuses flags that name more than one server.
func (o *targetOptions) check() error {
	switch {
	case o.local && (o.socket != "" || o.project != "" || o.store != ""):
		return usagef("--local uses a server of its own; leave out --socket, --project and --store, or --local")
	case o.store != "" && (o.socket != "" || o.project != ""):
		return usagef("--store has a server of its own on this machine; leave out --socket and --project, or --store")
	case o.socket != "" && o.project != "":
		return usagef("--socket and --project name two servers; give one of them")
	}
	return nil
}

// connectTries is how often a command connects again if the server ended before it
// had answered the first request: it may have been about to end.
const connectTries = 5

// connect answers a client of the server that the options name, to which it has
// introduced itself. It starts the server where none runs.
func (p *Program) connect(ctx context.Context, o *targetOptions) (*connection, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.local {
		c, err := p.spawnLocal(ctx)
		return &connection{Client: c, program: p}, err
	}
	scope, err := p.scope(o)
	if err != nil {
		return nil, err
	}
	nothing := o.reads && o.socket != "" && !scope.hasStore()
	c, server, err := p.introduce(ctx, &scope, !o.noStart && !nothing, schema.ProtocolVersion)
	_, another := errors.AsType[*anotherServedError](err)
	switch {
	case nothing && !another && errors.Is(err, socket.ErrNobodyListens):
		return nil, fmt.Errorf("nobody listens on %[1]s, and no server that a command has started there has kept anything; "+
			"leave out --socket for the server of this user, or start one there by %[2]s submit --socket %[1]s", show.ShellWord(scope.Socket), p.Name)
	case err != nil:
		return nil, err
	}
	if hint := p.olderServer(server.ServerInfo.Version); hint != "" {
		fmt.Fprintf(safe(os.Stderr), "%s: %s\n", p.Name, hint)
	}
	return &connection{c, p, see(scope)}, nil
}

// introduce connects to the server of a scope, which it may start, and introduces
// itself. Protocol is the version that the client speaks, or "" for any.
func (p *Program) introduce(ctx context.Context, s *Scope, start bool, protocol string) (*client.Client, schema.InitializeResult, error) {
	for try := 1; ; try++ {
		conn, err := p.dial(ctx, s, start)
		if err != nil {
			return nil, schema.InitializeResult{}, err
		}
		head := newHeadReader(conn)
		c := client.New(ctx, head, wire.FramingLine)
		server, err := p.initialize(ctx, c, conn, protocol)
		if err == nil {
			return c, server, nil
		}
		_, answered := errors.AsType[*wire.Error](err)
		_, silent := errors.AsType[*silentError](err)
		if !answered && !silent {
			if refusal := head.refusal(ctx); refusal != nil {
				err, answered = refusal, true
			}
		}
		_ = c.Close() // the first error says more
		if answered || silent || ctx.Err() != nil || try == connectTries {
			return nil, server, fmt.Errorf("the server on %s: %w", s.Socket, err)
		}
	}
}

// answerTimeout is how long a server may take to answer the first request, which
// waits for nothing. Tests shorten it.
var answerTimeout = 10 * time.Second

// A silentError says that a server has not answered in time.
type silentError struct{ pid int }

func (e *silentError) Error() string {
	who, cure := "it", "end its process"
	if e.pid != 0 {
		who, cure = fmt.Sprintf("process %d", e.pid), fmt.Sprintf("kill -9 %d", e.pid)
	}
	return fmt.Sprintf("%s has not answered within %v: it is stopped or hangs; %s ends it, and a store on disk loses nothing", who, answerTimeout, cure)
}

// initialize introduces this client to a server.
func (p *Program) initialize(ctx context.Context, c *client.Client, conn *socket.Conn, protocol string) (schema.InitializeResult, error) {
	answering, stop := context.WithTimeout(ctx, answerTimeout)
	defer stop()
	server, err := c.Initialize(answering, p.introduction(protocol))
	if err != nil && ctx.Err() == nil && answering.Err() != nil {
		err = &silentError{conn.PID()}
	}
	return server, err
}

// introduction says who this client is. Protocol is the version that it speaks, or ""
// for any.
func (p *Program) introduction(protocol string) schema.InitializeParams {
	return schema.InitializeParams{
		ClientInfo: &schema.ClientInfo{Name: p.Name, Version: p.build().Version}, ProtocolVersion: protocol,
	}
}

// spawnLocal starts a server of its own, which ends with the client.
func (p *Program) spawnLocal(ctx context.Context) (*client.Client, error) {
	self, err := programFile()
	if err != nil {
		return nil, err
	}
	server := exec.Command(self, "serve", "--log-level=warn")
	server.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, envName("store")+"=") })
	detach(server)
	c, err := client.Spawn(ctx, server)
	if err != nil {
		return nil, err
	}
	if _, err := c.Initialize(ctx, p.introduction(schema.ProtocolVersion)); err != nil {
		return nil, withServerEnd(err, c.Close())
	}
	return c, nil
}

// headReader keeps the beginning of what a server sends: a server that refuses a
// connection says why, and closes it.
type headReader struct {
	*socket.Conn
	ended chan struct{} // closed when nothing more can be read
	mu    sync.Mutex
	head  []byte
	over  bool // ended is closed
}

// maxHead is how much of the beginning is kept, in bytes.
const maxHead = 4 << 10

func newHeadReader(c *socket.Conn) *headReader {
	return &headReader{Conn: c, ended: make(chan struct{})}
}

func (h *headReader) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.head) < maxHead {
		h.head = append(h.head, p[:min(n, maxHead-len(h.head))]...)
	}
	if err != nil && !h.over {
		h.over = true
		close(h.ended)
	}
	return n, err
}

// refusal returns the error with which a server has refused the connection, or nil. Call it
// after the connection has failed. The server sends the refusal and then closes the
// connection, and a write may fail before the refusal was read. So refusal waits until nothing
// more can be read, up to answerTimeout.
func (h *headReader) refusal(ctx context.Context) *wire.Error {
	ctx, stop := context.WithTimeout(ctx, answerTimeout)
	defer stop()
	select {
	case <-h.ended:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return refusalIn(h.head)
}

// refusalIn returns the first error with the id null among the lines that a server sent, or
// nil. Such an error answers no request: it refuses the connection.
func refusalIn(head []byte) *wire.Error {
	for line := range bytes.Lines(head) {
		var answer struct {
			ID    jsontext.Value `json:"id"`
			Error *wire.Error    `json:"error"`
		}
		if json.Unmarshal(line, &answer) == nil && string(answer.ID) == "null" && answer.Error != nil {
			return answer.Error
		}
	}
	return nil
}
