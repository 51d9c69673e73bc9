package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// waitOptions are the flags of wait.
type waitOptions struct {
	driver
	any     bool
	tree    bool
	timeout time.Duration
}

func (p *Program) waitCommand() *cobra.Command {
	o := &waitOptions{driver: p.readingDriver()}
	o.newestRun = true
	c := &cobra.Command{
		Use:   "wait TASK...",
		Short: "Wait until tasks have ended",
		Long: "Wait ends when all of the tasks have ended, or with --any when one has, whose id it prints.\n" + namesHelp + "\n" +
			newestRunHelp + "\n" +
			"On a terminal it shows a bar for each that runs. Ctrl-C ends the wait, and not the tasks.\n\n" +
			"The exit code for one task, and with --any, is that of run: the one of its command, 0 where it completed.\n" +
			"For several, and with --tree, it is that of xargs:\n" + codesText(manyCodes),
		Example:           p.driverExamples("wait @last", "wait build=7 && echo built", "wait --any 018f 03aa", "wait @last --timeout 10m"),
		Args:              o.names("wait"),
		ValidArgsFunction: o.completeTasks(schema.Queued, schema.Running),
		RunE: func(c *cobra.Command, args []string) error {
			if o.any && o.tree {
				return usagef("wait: --any waits for one task, and --tree for all; give one of them")
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args) })
		},
	}
	o.flags(c)
	f := c.Flags()
	f.BoolVar(&o.any, "any", false, "end when one of the tasks has ended")
	f.BoolVar(&o.tree, "tree", false, "wait for the parts of the tasks, too, and for theirs; in a command of a task, of that task for the parts alone")
	f.Var(span(&o.timeout, 0, 0), "timeout", "how long to wait at most; 0 is no limit")
	complete(c, "timeout", cobra.NoFileCompletions)
	return c
}

// errWaited is the cause of a wait whose time is over.
var errWaited = errors.New("the time is over")

func (o *waitOptions) run(ctx context.Context, c *client.Client, names []string) error {
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil {
		return err
	}
	if tasks, err = o.withoutOwn(ctx, c, tasks); err != nil || len(tasks) == 0 {
		return err
	}
	limited := ctx
	if o.timeout > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeoutCause(ctx, o.timeout, errWaited)
		defer stop()
	}
	w := newWaiter(limited, c, newBoard(o.program.Name), o.ended)
	w.any = o.any
	if o.tree {
		err = w.trees(tasks)
	} else {
		err = w.named(tasks)
	}
	switch {
	case err != nil && errors.Is(context.Cause(limited), errWaited):
		fmt.Fprintf(os.Stderr, "%s: wait: the time is over, and %s not ended\n", o.program.Name, haveOf(w.leftOver()))
		return exitCode(exitTimeout)
	case err != nil:
		return err
	case o.any || len(tasks) == 1 && !o.tree:
		return w.outcome.codeOfOne().orNil()
	}
	return w.outcome.code.orNil()
}

// withoutOwn puts the parts of the task in which this command runs in the place of that task, which
// cannot end before the command does.
func (o *waitOptions) withoutOwn(ctx context.Context, c *client.Client, tasks []schema.Task) ([]schema.Task, error) {
	own := slices.IndexFunc(tasks, func(t schema.Task) bool { return t.ID.String() == os.Getenv(taskVariable) })
	switch {
	case own < 0:
		return tasks, nil
	case !o.tree:
		return nil, usagef("wait: %s is the task in which this command runs, so it would wait for itself; name others, or give --tree to wait for its parts", tasks[own].ID)
	}
	children, err := childrenOf(ctx, c, tasks[own:own+1])
	return slices.Concat(tasks[:own], children, tasks[own+1:]), err
}

// haveOf is a number of tasks with its verb. Where all of those that are known have ended, parts
// that came later have not.
func haveOf(n int) string {
	switch n {
	case 0:
		return "parts of the tasks have"
	case 1:
		return "1 task has"
	}
	return fmt.Sprintf("%d tasks have", n)
}

// ended prints what a program wants to read of an end.
func (o *waitOptions) ended(t *schema.Task) error {
	switch {
	case o.json:
		return printJSONLine(os.Stdout, t)
	case o.any:
		_, err := fmt.Fprintln(os.Stdout, t.ID)
		return err
	}
	return nil
}
