package cmd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

func (p *Program) executorsCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "executors",
		Short: "List the executors that run the tasks",
		Long: "Executors shows the processes that run the tasks of the server's store: where each is, how many tasks it runs, and when it\n" +
			"was last heard of. A store in memory or in a file has one. A server with --limit 0 runs none, and is not shown.",
		Example: p.driverExamples("executors", "executors --json | jq -r .host"),
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.printExecutors(ctx, c) })
		},
	}
	d.flags(c)
	c.AddCommand(p.drainCommand())
	return c
}

func (d *driver) printExecutors(ctx context.Context, c *client.Client) error {
	found, err := c.Executors(ctx)
	if err != nil {
		return err
	}
	all := found.Executors
	switch {
	case d.json:
	case len(all) == 0:
		fmt.Fprintf(safe(os.Stderr), "%s: nobody runs the tasks of this store; a server with it that has no --limit 0 does\n", d.program.Name)
		return nil
	default:
		return executorTable(all).print(os.Stdout, terminalOf(os.Stdout))
	}
	for i := range all {
		if err := printJSONLine(os.Stdout, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func executorTable(all []schema.ExecutorInfo) *table {
	t := &table{columns: []tableColumn{
		{title: "NAME", least: 8}, {title: "HOST", drop: 2, least: 8}, {title: "RUNNING"}, {title: "LIMIT"}, {title: "STATE", drop: 4}, {title: "SINCE", drop: 3}, {title: "HEARD", drop: 1}, {title: "LABELS", least: 10}, {title: "TYPES", least: 10},
	}}
	for i := range all {
		e := &all[i]
		types := "every"
		if e.Types != nil {
			types = strings.Join(e.Types, " ")
		}
		t.add(tableCell{text: e.Name}, tableCell{text: e.Host}, tableCell{text: strconv.Itoa(e.Running)}, tableCell{text: strconv.Itoa(e.Limit)}, tableCell{text: executorState(e)},
			tableCell{text: show.Moment(e.Since)}, tableCell{text: show.Moment(e.BeatAt)}, tableCell{text: show.Places(e.Labels)}, tableCell{text: types})
	}
	return t
}

// executorState says in a word what becomes of an executor.
func executorState(e *schema.ExecutorInfo) string {
	switch {
	case e.Ending:
		return "ending"
	case e.Draining:
		return "draining"
	}
	return "runs"
}
