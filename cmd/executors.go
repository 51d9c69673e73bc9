package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

func (p *Program) executorsCommand() *cobra.Command {
	d := p.readingDriver()
	types := false
	c := &cobra.Command{
		Use:   "executors",
		Short: "List the executors that run the tasks",
		Long: "Executors shows the processes that run the tasks of the server's store: where each is, how many tasks it runs, and when it\n" +
			"was last heard of. One that is silent has not been heard of for longer than it should be. Types are shown where they differ.\n" +
			"A store in memory or in a file has one. A server with --limit 0 runs none, and is not shown.",
		Example: p.driverExamples("executors", "executors --json | jq -r .host"),
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.printExecutors(ctx, c, types) })
		},
	}
	c.Flags().BoolVar(&types, "types", false, "show the types of tasks that each takes, also where all take the same")
	d.flags(c)
	c.AddCommand(p.drainCommand())
	return c
}

func (d *driver) printExecutors(ctx context.Context, c *client.Client, types bool) error {
	found, err := c.Executors(ctx)
	if err != nil {
		return err
	}
	all := found.Executors
	defer d.noteFault(ctx, c)
	switch {
	case d.json:
	case len(all) == 0:
		fmt.Fprintf(safe(os.Stderr), "%s: nobody runs the tasks of this store; a server with it that has no --limit 0 does\n", d.program.Name)
		return nil
	default:
		return executorTable(all, types, time.Now()).print(os.Stdout, terminalOf(os.Stdout))
	}
	for i := range all {
		if err := printJSONLine(os.Stdout, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func executorTable(all []schema.ExecutorInfo, types bool, now time.Time) *table {
	t := &table{columns: []tableColumn{
		{title: "NAME", least: 8}, {title: "STATE"}, {title: "RUNNING"}, {title: "LIMIT"}, {title: "HEARD", drop: 1}, {title: "HOST", drop: 3, least: 8},
		{title: "LABELS", least: 10, drop: 2}, {title: "SINCE", drop: 4}, {title: "TYPES", least: 10},
	}}
	types = types || slices.ContainsFunc(all, func(e schema.ExecutorInfo) bool { return !slices.Equal(e.Types, all[0].Types) })
	for i := range all {
		e := &all[i]
		takes := ""
		switch {
		case types && e.Types == nil:
			takes = "every"
		case types:
			takes = strings.Join(e.Types, " ")
		}
		t.add(tableCell{text: e.Name}, tableCell{text: executorState(e)}, tableCell{text: strconv.Itoa(e.Running)}, tableCell{text: strconv.Itoa(e.Limit)},
			tableCell{text: show.Age(e.BeatAt, now) + " ago"}, tableCell{text: e.Host}, tableCell{text: show.Places(e.Labels)}, tableCell{text: show.Age(e.Since, now) + " ago"}, tableCell{text: takes})
	}
	return t
}

// executorState says in a few words whether an executor takes tasks, drains or ends.
func executorState(e *schema.ExecutorInfo) string {
	state := ""
	switch {
	case e.Ending:
		state = "ending"
	case e.Draining:
		state = "draining"
	}
	silent := ""
	if e.SilentMs > 0 {
		silent = "silent " + show.Span(time.Duration(e.SilentMs)*time.Millisecond)
	}
	switch {
	case state != "" && silent != "":
		return state + ", " + silent
	case state+silent != "":
		return state + silent
	}
	return "runs"
}
