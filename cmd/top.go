package cmd

import (
	"context"
	"errors"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/top"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

func (p *Program) topCommand() *cobra.Command {
	target := &targetOptions{reads: true}
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch the executor on a live screen",
		Long: "Top shows what runs, what waits and what has ended, and the output of a task as it comes.\n" +
			"Its keys cancel tasks and submit them again; ? lists them. It needs a terminal: list --watch and stats\n" +
			"are for scripts. It takes no task for its own, so it has no --local.",
		Example: p.driverExamples("top", "top --project ."),
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return p.top(c.Context(), target) },
	}
	target.scopeFlags(c)
	target.startFlag(c)
	return c
}

// top shows the screen, until a person quits or a signal comes.
func (p *Program) top(ctx context.Context, target *targetOptions) error {
	if err := checkScreen(os.Stdin, os.Stdout); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	c, err := p.connect(ctx, target)
	if err != nil {
		return err
	}
	scope, err := p.scope(target)
	if err != nil {
		return err
	}
	err = top.Run(ctx, top.Options{
		Client: c.Client, In: os.Stdin, Out: os.Stdout, Environment: os.Environ(),
		Reconnect: func(ctx context.Context) (*client.Client, error) {
			// A server that was shut down stays so: a command starts the next.
			again, _, err := p.introduce(ctx, &scope, false, schema.ProtocolVersion)
			return again, err
		},
		Retry: func(ctx context.Context, c *client.Client, id uuid.UUID) (uuid.UUID, error) {
			if err := checkEnvironment(ctx, c, target, id); err != nil {
				return uuid.Nil, err
			}
			again, err := retryTasks(ctx, c, schema.RetryParams{ID: id})
			if err != nil {
				return uuid.Nil, err
			}
			return again.Tasks[0].ID, nil
		},
	})
	if interrupted, ok := errors.AsType[signalError](context.Cause(ctx)); ok {
		return interrupted.code()
	}
	return err
}

// checkScreen refuses what is no terminal on which the cursor can be moved.
func checkScreen(in, out *os.File) error {
	const others = "list --watch and stats print lines"
	switch looks := terminalOf(out); {
	case !looks.isTerminal():
		return usagef("top: stdout is no terminal; " + others)
	case !terminalOf(in).isTerminal():
		return usagef("top: stdin is no terminal, and keys are read from it; " + others)
	case !looks.moves:
		return usagef("top: TERM is dumb, so nothing on the screen can be replaced; set TERM as xterm-256color, or use list --watch or stats")
	}
	return nil
}
