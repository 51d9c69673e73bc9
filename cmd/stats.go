package cmd

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

func (p *Program) statsCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:     "stats",
		Short:   "Show the server in numbers",
		Long:    "Stats shows how many tasks the server has, how fast they come and end, and where it keeps them.",
		Example: p.driverExamples("stats", "stats --json"),
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error {
				s, err := c.Stats(ctx)
				switch {
				case err != nil:
					return err
				case d.json:
					return printJSONLine(os.Stdout, &s)
				}
				out := terminalOf(os.Stdout)
				_, err = fmt.Fprintln(os.Stdout, strings.Join(p.statsLines(&s, out), "\n"))
				return err
			})
		},
	}
	d.flags(c)
	return c
}

// statsLines are the numbers that a person wants to see.
func (p *Program) statsLines(s *schema.StatsResult, out terminal) []string {
	var lines []string
	add := func(name, format string, args ...any) {
		line := show.Line(fmt.Sprintf(format, args...))
		if columns := out.columns(); columns > 0 {
			line = show.Cut(line, columns-statusNameWidth)
		}
		lines = append(lines, out.paint(dim, show.Pad(name, statusNameWidth))+line)
	}
	add("version", "%s", s.Version)
	add("uptime", "%s", show.Span(time.Duration(s.UptimeMs)*time.Millisecond))
	add("store", "%s", cmp.Or(s.Store.File, s.Store.Name))
	if s.Store.Fault != "" {
		add("fault", "%s", s.Store.Fault)
	}
	if o := s.Store.Outbox; o != nil {
		add("outbox", "%d wait and %d were refused in %s", o.Waiting, o.Refused, o.File)
	}
	if s.Store.Warning != "" {
		add("warning", "%s", s.Store.Warning)
	}
	add("tasks", "%d queued, %d running, %d completed, %d failed, %d cancelled",
		s.Tasks.Queued, s.Tasks.Running, s.Tasks.Completed, s.Tasks.Failed, s.Tasks.Cancelled)
	switch limit, told := s.Limits["running"]; {
	case limit > 0:
		add("limit", "%d running at once", limit)
	case told:
		add("limit", "it runs nothing itself; %s executors lists those that do", p.Name)
	}
	if limit, told := s.Limits["running"]; limit > 0 || !told { // others do what a server does not that runs nothing
		add("rates", "%.1f submitted and %.1f ended in a second", s.Rates.SubmittedPerSecond, s.Rates.FinishedPerSecond)
	}
	if s.Stuck > 0 {
		add("stuck", "%s whose code does not stop", counted(s.Stuck, "task"))
	}
	if s.ShuttingDown {
		add("ending", "it takes no more tasks")
	}
	return lines
}
