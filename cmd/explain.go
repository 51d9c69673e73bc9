package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

func (p *Program) explainCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "explain TASK...",
		Short: "Say why tasks wait, down to what holds them up",
		Long: "Explain shows a task, all that it waits for, the task that it waits for, and so on: the last one holds up the others.\n" +
			"Of a task that failed because of another one it shows that one, down to the first that failed.\n" +
			"Each line is true at the moment, and of several tasks each is shown once. " + strings.ReplaceAll(namesHelp, "\n", " "),
		Example:           p.driverExamples("explain @last", "explain 018f", "explain build=7 --json"),
		Args:              d.names("explain"),
		ValidArgsFunction: d.completeTasks(schema.Queued),
		RunE: func(c *cobra.Command, args []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.explain(ctx, c, args) })
		},
	}
	d.flags(c)
	return c
}

func (d *driver) explain(ctx context.Context, c *client.Client, names []string) error {
	tasks, err := d.tasksNamed(ctx, c, names)
	if err != nil {
		return err
	}
	shown := map[uuid.UUID]bool{}
	for i := range tasks {
		if shown[tasks[i].ID] && !d.json { // a chain before has it
			continue
		}
		why, err := c.Explain(ctx, schema.ExplainParams{ID: tasks[i].ID})
		switch {
		case isNotFound(err): // it has ended, and is no longer kept
			continue
		case err != nil:
			return err
		case d.json:
			if err := printJSONLine(os.Stdout, &why); err != nil {
				return err
			}
			continue
		}
		cutShown(&why, shown)
		chain := chainTasks(&why)
		if err := withInputs(ctx, c, chain); err != nil {
			return err
		}
		out := terminalOf(os.Stdout)
		lines := d.chainLines(&why, chain, time.Now(), out, out.columns())
		if i > 0 {
			lines = append([]string{""}, lines...)
		}
		if _, err := fmt.Fprintln(os.Stdout, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// cutShown leaves out the end of a chain that another one has shown, and notes what it shows itself. The
// task before the cut names the one that follows.
func cutShown(why *schema.ExplainResult, shown map[uuid.UUID]bool) {
	for i := range why.Chain {
		if id := why.Chain[i].ID; shown[id] {
			why.Chain, why.Truncated = why.Chain[:i], false
			return
		}
		shown[why.Chain[i].ID] = true
	}
}

// chainTasks are the tasks of a chain.
func chainTasks(why *schema.ExplainResult) []schema.Task {
	tasks := make([]schema.Task, len(why.Chain))
	for i, l := range why.Chain {
		tasks[i].ID = l.ID
	}
	return tasks
}

// chainLines say why the first task of a chain waits. The tasks are those of the chain, with
// their inputs; their states may be newer than those of the chain.
func (d *driver) chainLines(why *schema.ExplainResult, tasks []schema.Task, now time.Time, out terminal, columns int) []string {
	var lines []string
	add := func(s style, indent, text string) {
		text = indent + show.Line(text)
		if columns > 0 {
			text = show.Cut(text, columns)
		}
		lines = append(lines, out.paint(s, text))
	}
	for i := range why.Chain {
		l := &why.Chain[i]
		task := schema.Task{ID: l.ID, Type: l.Type, State: l.State, StartedAt: l.StartedAt, Input: tasks[i].Input, Error: tasks[i].Error}
		work := show.Work(&task)
		if tasks[i].State != l.State {
			task.Error = nil
		}
		add(stateStyle(l.State), "", strings.TrimSpace(fmt.Sprintf("%s %s %s %s", l.ID, show.State(&task), l.Type, work)))
		for j := range l.WaitingFor {
			add(plain, "  ", d.waitText(&l.WaitingFor[j]))
		}
		switch {
		case l.State == schema.Running:
			add(plain, "  ", "has run for "+show.Ran(&task, now))
		case l.State.Final() && task.Error != nil:
			add(plain, "  ", show.ErrorText(&task))
		case l.State.Final():
			add(plain, "  ", "has ended")
		}
	}
	if why.Truncated {
		add(dim, "", fmt.Sprintf("the chain goes on: %s explain %s", d.program.Name, why.Chain[len(why.Chain)-1].ID))
	}
	return lines
}

// waitText is what a task waits for in words, with the command that changes it.
func (d *driver) waitText(w *schema.Waiting) string {
	text, cure := show.WaitingText(w), ""
	switch {
	case w.Kind == schema.WaitsForResume && w.Name == "":
		cure = "resume"
	case w.Kind == schema.WaitsForResume:
		cure = "resume " + show.ShellWord(w.Name)
	case w.Kind == schema.WaitsForGroup:
		cure = "groups set " + show.ShellWord(w.Name) + " --limit"
	case w.Kind == schema.WaitsForRate:
		cure = "groups set " + show.ShellWord(w.Name) + " --rate"
	default:
		return text
	}
	return fmt.Sprintf("%s; %s %s changes it", text, d.program.Name, cure)
}
