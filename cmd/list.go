package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// defaultListed is how many tasks a list shows.
const defaultListed = 100

// listOptions are the flags of list.
type listOptions struct {
	driver
	selection
	since, until schema.Time
	order        schema.ListOrder
	limit        int
	watch        bool
}

func (p *Program) listCommand() *cobra.Command {
	o := &listOptions{driver: p.driver(), selection: selection{command: "list"}}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tasks",
		Long: "List shows the tasks of the server, the newest first, in a table that fits the terminal.\n" +
			"It shows the last 8 characters of an id. They name the task, and so do 4 or more of the first of them, and of the\n" +
			"first of the whole id, which a wide terminal and a pipe get.\n" +
			"With --watch the table stays, and changes with the tasks; on a pipe each change is one line.",
		Example: p.driverExamples("list", "list --state queued,running --watch",
			"list --label build=7 --since 1h", "list --json | jq -r .id"),
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
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
	params.Since, params.Until, params.Order = o.since, o.until, o.order
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
	return (len(params.States) == 0 || slices.Contains(params.States, t.State)) &&
		(o.since.IsZero() || t.CreatedAt >= o.since) && (o.until.IsZero() || t.CreatedAt < o.until)
}

func (o *listOptions) print(tasks []schema.Task) error {
	if len(tasks) == 0 {
		if terminalOf(os.Stderr).isTerminal() {
			fmt.Fprintf(os.Stderr, "%s: there is no such task\n", o.driver.program.Name)
		}
		return nil
	}
	out := terminalOf(os.Stdout)
	t := taskTable(tasks, time.Now(), out.columns())
	return t.print(os.Stdout, out)
}
