package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/schema"
)

const (
	// patience is how long a shutdown may take before it is said for what it waits.
	patience = time.Second
	// endTimeout is how long the process of a server may go on when its executor has
	// ended. Its clients have a second to read what is left for them.
	endTimeout = 10 * time.Second
	// schedulesTimeout is how long a server may take to say which schedules it has, or what is in its outbox. One
	// whose disk does not answer is ended all the same.
	schedulesTimeout = 2 * time.Second
)

// shutdownOptions are the flags of shutdown.
type shutdownOptions struct {
	target  targetOptions
	mode    schema.ShutdownMode
	timeout time.Duration
	json    bool
}

func (p *Program) shutdownCommand() *cobra.Command {
	o := &shutdownOptions{}
	c := &cobra.Command{
		Use:   "shutdown",
		Short: "End the server that others share",
		Long: "Shutdown ends the server on the socket, and returns when its process has ended. It says what became of the tasks.\n" +
			"By default the tasks that run end by themselves, and those that wait stay in the store for the next server, also with\n" +
			"--timeout. Only --mode cancel cancels those that wait; a server without a store has nowhere to leave them.\n" +
			"Where no server runs, it says so and exits with 0.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.shutdown(c.Context(), o, c.OutOrStdout()) },
	}
	o.target.scopeFlags(c)
	choice(c, &o.mode, "mode", "what becomes of the tasks: finish lets those that run end, drain runs all, cancel cancels all",
		option[schema.ShutdownMode]{"finish", schema.ShutdownFinish}, option[schema.ShutdownMode]{"drain", schema.ShutdownDrain},
		option[schema.ShutdownMode]{"cancel", schema.ShutdownCancel})
	c.Flags().Var(span(&o.timeout, 0, 0), "timeout", "cancel the tasks that still run after this time; those that wait stay in the store; 0 is never")
	c.Flags().BoolVar(&o.json, "json", false, "print what became of the tasks as JSON")
	return c
}

func (p *Program) shutdown(ctx context.Context, o *shutdownOptions, out io.Writer) error {
	scope, err := p.scope(&o.target)
	if err != nil {
		return err
	}
	c, server, err := p.introduce(ctx, &scope, false, "")
	if errors.Is(err, socket.ErrNobodyListens) {
		fmt.Fprintf(safe(os.Stderr), "%s: no server runs on %s\n", p.Name, scope.Socket)
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	holder, err := socket.Holder(scope.Socket)
	if err != nil {
		return err
	}
	schedules, outbox := p.schedulesToCome(ctx, c), outboxBehind(ctx, c)
	waiting := time.AfterFunc(patience, func() { p.sayWaiting(ctx, c, o) })
	result, err := c.Shutdown(ctx, schema.ShutdownParams{
		Mode: o.mode, TimeoutMs: milliseconds(o.timeout), Scope: schema.ScopeExecutor,
	})
	waiting.Stop()
	if err != nil {
		return fmt.Errorf("the server on %s: %w", scope.Socket, err)
	}
	ending, stop := context.WithTimeoutCause(ctx, endTimeout, fmt.Errorf("the executor has ended, but the process %d goes on", server.ServerInfo.PID))
	defer stop()
	if holder != "" {
		if err := socket.AwaitEnd(ending, scope.Socket, holder); err != nil {
			return err
		}
	}
	if o.json {
		return printJSON(out, result)
	}
	_, err = fmt.Fprintf(out, "the server (process %d) has ended; of the tasks that were not over: %d completed, %d failed, %d cancelled, %d left%s\n",
		server.ServerInfo.PID, result.Completed, result.Failed, result.Cancelled, result.Left, leftWhere(&result, &server))
	if err == nil && schedules > 0 {
		_, err = fmt.Fprintln(out, p.schedulesLeft(schedules, server.Capabilities.Durable))
	}
	if text := p.outboxLeft(ctx, outbox); err == nil && text != "" {
		_, err = fmt.Fprintln(out, text)
	}
	return err
}

// outboxBehind is the outbox of a server as it is before that ends, or nil.
func outboxBehind(ctx context.Context, c *client.Client) *schema.OutboxState {
	ctx, stop := context.WithTimeout(ctx, schedulesTimeout)
	defer stop()
	stats, err := c.Stats(ctx)
	if err != nil {
		return nil
	}
	return stats.Store.Outbox
}

// outboxLeft says what waits in an outbox without a server; "" where nothing does. The server may have sent some of it
// before its end.
func (p *Program) outboxLeft(ctx context.Context, was *schema.OutboxState) string {
	if was == nil {
		return ""
	}
	n := int64(was.Waiting)
	if info, err := inspect.Outbox(ctx, was.File); err == nil {
		n = info.Waiting
	}
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 submit waits in the outbox %s, and is sent when a command with it starts the next server, as %s outbox does", was.File, p.Name)
	}
	return fmt.Sprintf("%d submits wait in the outbox %s, and are sent when a command with it starts the next server, as %s outbox does", n, was.File, p.Name)
}

// schedulesToCome counts the schedules of which a task is due at a time to come. It is 0 where the
// server does not say.
func (p *Program) schedulesToCome(ctx context.Context, c *client.Client) (n int) {
	ctx, stop := context.WithTimeout(ctx, schedulesTimeout)
	defer stop()
	all, _ := allSchedules(ctx, c) // a server of an older version has none
	for i := range all {
		if !all[i].NextAt.IsZero() {
			n++
		}
	}
	return n
}

// schedulesLeft says what happens to schedules without a server.
func (p *Program) schedulesLeft(n int, durable bool) string {
	if !durable {
		return counted(n, "schedule") + " ended with it"
	}
	return fmt.Sprintf("%s left in the store: no task of them is due until a command starts the next server, as %s schedules does", counted(n, "schedule"), p.Name)
}

// leftWhere says where the tasks are that are left.
func leftWhere(r *schema.ShutdownResult, server *schema.InitializeResult) string {
	if r.Left > 0 && server.Capabilities.Durable {
		return " in the store for the next server"
	}
	return ""
}

// sayWaiting says for what a shutdown waits.
func (p *Program) sayWaiting(ctx context.Context, c *client.Client, o *shutdownOptions) {
	stats, err := c.Stats(ctx)
	if err != nil {
		return // it has just ended
	}
	n := stats.Tasks.Running
	if o.mode == schema.ShutdownDrain {
		n += stats.Tasks.Queued
	}
	fmt.Fprintf(safe(os.Stderr), "%s: the server waits for %s; a second %s shutdown --timeout 1s cancels those that run after that time\n", p.Name, counted(n, "task"), p.Name)
}
