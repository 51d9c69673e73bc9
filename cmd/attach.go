package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// lastInputTimeout is how long attach still reads from stdin when the server has ended
// the connection: a language client sends exit behind the reply to shutdown, and takes
// an end before that for a crash.
const lastInputTimeout = 250 * time.Millisecond

// saysIdle stands in the last line of the log of a server that has ended because there was no connection, and
// nothing else to do.
const saysIdle = `because="nothing to do for `

// aliveTimeout is how long a server may take to show that it goes on.
const aliveTimeout = 5 * time.Second

func (p *Program) attachCommand() *cobra.Command {
	o := &targetOptions{}
	c := &cobra.Command{
		Use:   "attach",
		Short: "Join stdin and stdout to the server that others share",
		Long: "Attach takes the place of serve for a client that speaks the protocol on pipes: it passes every byte on to the server\n" +
			"on the socket, and back. It starts the server where none runs. The tasks outlive the connection.\n" +
			"A relative dir of exec, and without a dir a relative program, is of the folder of the server, and not of this one: a\n" +
			"client sends its own directory as dir.\n" +
			"Where the server ends first, attach says why and exits with 1.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.attach(c.Context(), o) },
	}
	o.scopeFlags(c)
	c.Flags().BoolVar(&o.noStart, "no-start", false, "fail where no server runs, and start none")
	return c
}

func (p *Program) attach(ctx context.Context, o *targetOptions) error {
	scope, err := p.scope(o)
	if err != nil {
		return err
	}
	conn, err := p.dial(ctx, &scope, !o.noStart)
	if err != nil {
		return err
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		p.sayWaitsForRequests()
	}
	server := see(scope)
	// Stdin may never end, so the copy is not waited for: it ends with the process.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.Copy(conn, os.Stdin); err == nil {
			_ = conn.CloseWrite() // an error means that the server has ended, which is told below
		}
	}()
	head, err := passHead(os.Stdout, conn)
	if err == nil {
		_, err = io.Copy(os.Stdout, conn)
	}
	select {
	case <-sent:
	case <-time.After(lastInputTimeout):
	}
	_ = conn.Close() // all was read
	if refusal := refusalIn(head); refusal != nil && refusal.Code == schema.CodeQueueFull {
		return fmt.Errorf("attach: the server on %s: %w", scope.Socket, refusal)
	}
	if p.alive(ctx, &scope, conn.PID()) {
		return err
	}
	why := server.whyEnded(ctx)
	if strings.Contains(why, saysIdle) { // it has seen the end of this connection before, and of all others
		return err
	}
	return fmt.Errorf("attach: the server on %s has ended: %s", scope.Socket, why)
}

// passHead passes on what a server sends first, and answers it: what a server that
// refuses a connection says stands there.
func passHead(to io.Writer, from io.Reader) ([]byte, error) {
	head := make([]byte, maxHead)
	n, err := from.Read(head)
	if n > 0 {
		_, err = to.Write(head[:n])
	}
	if err == io.EOF {
		err = nil
	}
	return head[:n], err
}

// alive reports whether the server of a scope answers, and is still the process of
// this number: a command may have started the next one already.
func (p *Program) alive(ctx context.Context, s *Scope, pid int) bool {
	ctx, stop := context.WithTimeout(ctx, aliveTimeout)
	defer stop()
	conn, err := socket.Dial(ctx, s.Socket)
	if err != nil {
		return false
	}
	if conn.PID() != pid {
		_ = conn.Close() // nothing was said
		return false
	}
	head := newHeadReader(conn)
	c := client.New(ctx, head, wire.FramingLine)
	defer c.Close() // the answer is there
	_, err = c.Stats(ctx)
	return err == nil || head.refusal(ctx) != nil
}
