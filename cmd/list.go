package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// defaultListed is how many tasks a list shows.
const defaultListed = 100

// listOptions are the flags of list.
type listOptions struct {
	driver
	selection
	parent       string
	parentID     uuid.UUID // the task that it names
	since, until schema.Time
	order        schema.ListOrder
	limit        int
	limited      bool // the limit was given
	watch        bool
}

func (p *Program) listCommand() *cobra.Command {
	o := &listOptions{driver: p.readingDriver(), selection: selection{command: "list"}}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tasks",
		Long: "List shows the tasks of the server, the newest first, in a table that fits the terminal: without --limit as many as\n" +
			"it has lines for, and 100 elsewhere.\n" +
			"It shows the last 8 characters of an id. They name the task, and so do 4 or more of the first of them, and of the\n" +
			"first of the whole id, which a wide terminal and a pipe get.\n" +
			"With --watch the table stays, and changes with the tasks; on a pipe each change is one line, with the\n" +
			"id, the type, the state, the labels and the command.",
		Example: p.driverExamples("list", "list --state queued,running --watch",
			"list --label build=7 --since 1h", "list --json | jq -r .id"),
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.limited = c.Flags().Changed("limit")
			params, err := o.params()
			if err != nil {
				return err
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, params) })
		},
	}
	o.driver.flags(c)
	o.selection.flags(c, &o.driver)
	f := c.Flags()
	f.Var(nonEmpty(&o.parent), "parent", "only tasks that are parts of this one, named as for status")
	complete(c, "parent", o.completeTasks())
	f.Var(moment(&o.since), "since", "only tasks submitted since, as 2h ago or a time")
	f.Var(moment(&o.until), "until", "only tasks submitted before")
	choice(c, &o.order, "order", "which tasks come first", option[schema.ListOrder]{"newest", schema.NewestFirst}, option[schema.ListOrder]{"oldest", schema.OldestFirst})
	f.Var(count(&o.limit, defaultListed, 1), "limit", "the most tasks to show")
	f.BoolVarP(&o.watch, "watch", "w", false, "show changes as they come")
	for _, flag := range []string{"since", "until", "limit"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
	return c
}

func (o *listOptions) run(ctx context.Context, c *client.Client, params schema.ListParams) error {
	if err := o.nameOwner(ctx, c, &params); err != nil {
		if _, nobody := errors.AsType[*noOwnerError](err); !nobody {
			return err
		}
		return o.printNone(err.Error())
	}
	if o.parent != "" {
		id, err := o.oneTask(ctx, c, "list --parent", o.parent)
		if err != nil {
			return err
		}
		o.parentID = id
	}
	params.Since, params.Until, params.Order, params.Parent = o.since, o.until, o.order, o.parentID
	o.fitLimit(terminalOf(os.Stdout))
	params.Limit = min(pageOfTasks, o.limit+1) // one more tells that there are more
	if o.watch {
		return o.driver.watch(ctx, c, watched{
			subscribe: schema.SubscribeParams{Types: params.Types, Labels: params.Labels},
			tasks: func(ctx context.Context, most int) ([]schema.Task, error) {
				return o.newest(ctx, c, params, min(most, o.limit))
			},
			lines: func(tasks []schema.Task, columns int) []string {
				return taskTable(tasks, time.Now(), columns).lines(terminalOf(os.Stdout), columns)
			},
			of:   func(t *schema.Task) bool { return o.selects(params, t) },
			over: func([]schema.Task) bool { return false },
		})
	}
	tasks, err := o.newest(ctx, c, params, o.limit+1)
	if err != nil {
		return err
	}
	defer o.driver.noteFault(ctx, c)
	more := len(tasks) > o.limit
	tasks = tasks[:min(len(tasks), o.limit)]
	if o.json {
		for i := range tasks {
			if err := printJSONLine(os.Stdout, &tasks[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := withInputs(ctx, c, tasks); err != nil {
		return err
	}
	if err := o.print(tasks); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(os.Stderr, "%s: there are more; --limit shows them\n", o.driver.program.Name)
	}
	return nil
}

// newest answers the tasks that a list shows.
func (o *listOptions) newest(ctx context.Context, c *client.Client, params schema.ListParams, most int) ([]schema.Task, error) {
	return collect(listed(ctx, c, params), most)
}

// selects reports whether a task is one of those that are listed.
func (o *listOptions) selects(params schema.ListParams, t *schema.Task) bool {
	f := executor.Filter{States: params.States, Group: params.Group, Key: params.Key, Parent: o.parentID, Executor: params.Executor, Since: o.since, Until: o.until}
	return f.Match(t)
}

// linesBeside is how many lines of a terminal a list leaves: for its titles, for what it says
// below, and for the prompt of the shell.
const linesBeside = 3

// fitLimit bounds the tasks to those that fit a terminal, unless a limit was given: the newest
// stand first, and would scroll away.
func (o *listOptions) fitLimit(out terminal) {
	if _, rows := out.size(); out.isTerminal() && !o.limited && !o.json && !o.watch {
		o.limit = min(o.limit, max(1, rows-linesBeside))
	}
}

// printNone tells a person that nothing is listed.
func (o *listOptions) printNone(why string) error {
	if terminalOf(os.Stderr).isTerminal() {
		fmt.Fprintf(safe(os.Stderr), "%s: %s\n", o.driver.program.Name, why)
	}
	return nil
}

func (o *listOptions) print(tasks []schema.Task) error {
	if len(tasks) == 0 {
		return o.printNone("there is no such task")
	}
	out := terminalOf(os.Stdout)
	t := taskTable(tasks, time.Now(), out.columns())
	return t.print(os.Stdout, out)
}
