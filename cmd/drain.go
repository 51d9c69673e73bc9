package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

func (p *Program) drainCommand() *cobra.Command {
	d := p.readingDriver()
	var params schema.DrainParams
	c := &cobra.Command{
		Use:   "drain NAME",
		Short: "Let an executor begin no task any more",
		Long: "Drain lets an executor of a store that many machines share begin no task any more. What runs on it goes on, and what\n" +
			"waits goes to the others. NAME is as " + p.Name + " executors shows it, HOST/PID, or a host on which one is alone. With --end its server ends with exit code 0 when what runs\n" +
			"on it has ended, as where its machine is taken away. --undo lets it begin tasks again.",
		Example:           p.driverExamples("executors drain build-1", "executors drain build-1 --end", "executors drain build-1 --undo"),
		Args:              fileArgs("NAME"),
		ValidArgsFunction: d.completeExecutor,
		RunE: func(c *cobra.Command, args []string) error {
			if params.End && params.Undo {
				return usagef("%s--end and --undo exclude each other; leave one out", commandPrefix(c))
			}
			params.Executor = args[0]
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.drain(ctx, c, params) })
		},
	}
	f := c.Flags()
	f.BoolVar(&params.End, "end", false, "let its server end when what it runs has ended")
	f.BoolVar(&params.Undo, "undo", false, "let it begin tasks again")
	d.flags(c)
	return c
}

func (d *driver) drain(ctx context.Context, c *client.Client, params schema.DrainParams) error {
	done, err := c.Drain(ctx, params)
	if e, answered := errors.AsType[*wire.Error](err); answered && len(e.Data.Violations) == 1 && !isOlder(err) {
		return errors.New(e.Data.Violations[0].Message)
	}
	if err != nil {
		return err
	}
	e := &done.Executor
	if d.json {
		return printJSONLine(os.Stdout, e)
	}
	becomes := "begins no task any more"
	switch {
	case !e.Draining:
		becomes = "begins tasks again"
	case e.Ending:
		becomes += ", and ends then"
	}
	fmt.Fprintf(safe(os.Stdout), "%s %s; it runs %d\n", e.Name, becomes, e.Running)
	return nil
}

// completeExecutor completes the name of an executor.
func (d *driver) completeExecutor(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	var found []string
	if len(args) == 0 {
		for _, e := range d.knownExecutors() {
			found = append(found, fmt.Sprintf("%s\t%d running", e.Name, e.Running))
		}
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
}
