package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// pageOfSchedules is how many schedules are asked for at once.
const pageOfSchedules = 100

func (p *Program) schedulesCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "schedules [NAME...]",
		Short: "List the schedules, or show some in full",
		Long: "Schedules shows when each schedule is due, when next, and what became of its last task. The note says why a task\n" +
			"that was due later than that was not submitted. Of those that are named it shows all that there is.",
		Example:           p.driverExamples("schedules", "schedules import", "schedules --json | jq -r .name", "list --schedule import"),
		ValidArgsFunction: d.completeSchedule,
		RunE: func(c *cobra.Command, names []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.printSchedules(ctx, c, names) })
		},
	}
	d.flags(c)
	return c
}

func (d *driver) printSchedules(ctx context.Context, c *client.Client, names []string) error {
	all, err := allSchedules(ctx, c)
	if err == nil && len(names) > 0 {
		all, err = d.schedulesNamed(all, names)
	}
	if err != nil {
		return err
	}
	out := terminalOf(os.Stdout)
	switch {
	case d.json:
		for i := range all {
			if err := printJSONLine(os.Stdout, &all[i]); err != nil {
				return err
			}
		}
		return nil
	case len(all) == 0:
		d.tell("there is no schedule; %s schedule makes one", d.program.Name)
		return nil
	case len(names) == 0:
		return scheduleTable(all).print(os.Stdout, out)
	}
	for i := range all {
		lines := scheduleLines(&all[i], time.Now(), out, out.columns())
		if i > 0 {
			lines = append([]string{""}, lines...)
		}
		if _, err := fmt.Fprintln(os.Stdout, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// schedulesNamed are the schedules with the names, in the order of those.
func (d *driver) schedulesNamed(all []schema.Schedule, names []string) (found []schema.Schedule, err error) {
	for _, name := range names {
		i := slices.IndexFunc(all, func(s schema.Schedule) bool { return s.Name == name })
		if i < 0 {
			return nil, d.noSchedule(name)
		}
		found = append(found, all[i])
	}
	return found, nil
}

func (d *driver) noSchedule(name string) error {
	return fmt.Errorf("no schedule is named %q; %s schedules lists them", name, d.program.Name)
}

// allSchedules answers the schedules of all pages.
func allSchedules(ctx context.Context, c *client.Client) (all []schema.Schedule, err error) {
	for p := (schema.SchedulesParams{Limit: pageOfSchedules}); ; {
		page, err := c.Schedules(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Schedules...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return all, nil
		}
	}
}

func scheduleTable(all []schema.Schedule) *table {
	t := &table{columns: []tableColumn{
		{title: "NAME", least: 8}, {title: "DUE", least: 10}, {title: "NEXT"}, {title: "LAST", drop: 2}, {title: "STATE", drop: 1, least: 13}, {title: "TASK", drop: 3, least: 10}, {title: "NOTE", least: 10},
	}}
	for i := range all {
		s := &all[i]
		next, last, state, style := "", "", "", plain
		if !s.NextAt.IsZero() {
			next = show.Moment(s.NextAt)
		}
		if s.Last != nil {
			last = show.Moment(s.Last.DueAt)
			if s.Last.State != nil {
				state, style = show.State(&schema.Task{State: *s.Last.State, Error: s.Last.Error}), stateStyle(*s.Last.State)
			}
		}
		work := show.Work(&schema.Task{Type: s.Submit.Type, Input: s.Submit.Input})
		if work == "" {
			work = s.Submit.Type
		}
		t.add(tableCell{text: s.Name}, tableCell{text: show.Due(s)}, tableCell{text: next}, tableCell{text: last}, tableCell{state, style}, tableCell{text: work}, tableCell{show.ScheduleNote(s), yellow})
	}
	return t
}

func (p *Program) unscheduleCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "unschedule NAME...",
		Short: "Remove schedules",
		Long: "Unschedule removes schedules, so that no task of them is due any more. Tasks that they have submitted stay as they are.\n" +
			"Where there is none of a name, the others are removed all the same, and the exit code is 1.",
		Example: p.driverExamples("unschedule import", "unschedule import report"),
		ValidArgsFunction: func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return d.completeSchedule(c, nil, word)
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || slices.Contains(args, "") {
				return usagef("unschedule takes the names of schedules; %s schedules lists them", p.Name)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error {
				var failed error
				for _, name := range args {
					failed = errors.Join(failed, d.unschedule(ctx, c, name))
				}
				return failed
			})
		},
	}
	d.flags(c)
	return c
}

func (d *driver) unschedule(ctx context.Context, c *client.Client, name string) error {
	existed, err := c.Unschedule(ctx, schema.UnscheduleParams{Name: name})
	switch {
	case err != nil:
		return err
	case d.json:
		return printJSONLine(os.Stdout, schema.UnscheduleResult{Existed: existed})
	case !existed:
		return d.noSchedule(name)
	}
	return nil
}

// completeSchedule completes the name of a schedule as the only argument. It starts no server, and
// gives up soon.
func (d *driver) completeSchedule(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, stop := context.WithTimeout(context.Background(), completionTime)
	defer stop()
	var found []string
	d.ask(ctx, func(c *client.Client) {
		all, _ := allSchedules(ctx, c)
		for i := range all {
			if name := all[i].Name; show.Line(name) == name { // or it cannot be typed
				found = append(found, name+"\t"+show.Work(&schema.Task{Type: all[i].Submit.Type, Input: all[i].Submit.Input}))
			}
		}
	})
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
}
