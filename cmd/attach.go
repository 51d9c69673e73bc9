package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/wire"
)

// aliveTimeout is how long a server may take to show that it goes on.
const aliveTimeout = 5 * time.Second

func (p *Program) attachCommand() *cobra.Command {
	o := &targetOptions{}
	c := &cobra.Command{
		Use:   "attach",
		Short: "Join stdin and stdout to the server that others share",
		Long: "Attach takes the place of serve for a client that speaks the protocol on pipes: it passes every byte on to the server\n" +
			"on the socket, and back. It starts the server where none runs. The tasks outlive the connection.\n" +
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
	// Stdin may never end, so nobody waits for this copy: it ends with the process.
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, os.Stdin)
		if err == nil {
			err = conn.CloseWrite()
		}
		sent <- err
	}()
	_, err = io.Copy(os.Stdout, conn)
	if err != nil && errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if err := conn.Close(); err != nil {
		return err
	}
	return p.whyDetached(ctx, &scope, err)
}

// whyDetached says why the connection has ended, or nil where the client has ended it.
func (p *Program) whyDetached(ctx context.Context, s *Scope, err error) error {
	if p.alive(ctx, s) {
		return err
	}
	return fmt.Errorf("attach: the server on %s has ended", s.Socket)
}

// alive reports whether the server of a scope answers.
func (p *Program) alive(ctx context.Context, s *Scope) bool {
	ctx, stop := context.WithTimeout(ctx, aliveTimeout)
	defer stop()
	conn, err := socket.Dial(ctx, s.Socket)
	if err != nil {
		return false
	}
	c := client.New(ctx, conn, wire.FramingLine)
	_, err = c.Stats(ctx)
	_ = c.Close() // the answer is there
	return err == nil
}
