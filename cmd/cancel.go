package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// cancelOptions are the flags of cancel.
type cancelOptions struct {
	driver
	selection
	reason string
	force  bool
	yes    bool
}

func (p *Program) cancelCommand() *cobra.Command {
	o := &cancelOptions{driver: p.readingDriver(), selection: selection{command: "cancel"}}
	o.tellsLast = true
	c := &cobra.Command{
		Use:   "cancel [TASK...]",
		Short: "Cancel tasks",
		Long: "Cancel removes tasks that wait from the queue, and tells those that run to stop. A task that does not\n" +
			"stop within its grace is killed; with --force it is killed at once. Its parts are cancelled with it, and theirs.\n" + namesHelp + "\n" +
			"Without names the flags select the tasks. Tasks that have ended stay as they are.\n" +
			"More than one task, and at a terminal one with parts, are cancelled only after a question, or with --yes.",
		Example: p.driverExamples("cancel @last", "cancel 018f --force --reason 'it hangs'",
			"cancel build=7 --yes", "cancel --owner Neovim --state queued"),
		Args:              o.args,
		ValidArgsFunction: o.completeTasks(schema.Queued, schema.Running),
		RunE: func(c *cobra.Command, args []string) error {
			params, err := o.params()
			if err != nil {
				return err
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args, params) })
		},
	}
	o.driver.flags(c)
	o.selection.flags(c, &o.driver)
	f := c.Flags()
	f.StringVar(&o.reason, "reason", "", "why, for the record")
	f.BoolVar(&o.force, "force", false, "kill what runs at once, without its grace")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	complete(c, "reason", cobra.NoFileCompletions)
	return c
}

func (o *cancelOptions) args(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && !o.given():
		return usagef("cancel: which tasks? name them, as %s, or select them by a flag, as --label, --owner, --group, --key, --state or --type", lastTask)
	case len(args) > 0 && o.given():
		return usagef("cancel: tasks are named or selected by flags; do one of them")
	}
	return nil
}

func (o *cancelOptions) run(ctx context.Context, c *client.Client, names []string, params schema.ListParams) error {
	var unreached *unreachedError
	tasks, err := o.chosen(ctx, c, names, params)
	if err != nil {
		if tasks, unreached, err = o.waitingHere(ctx, c, names, params, err); err != nil {
			return err
		}
	}
	switch {
	case len(tasks) > 0:
	case unreached != nil:
		return fmt.Errorf("no task that waits in the outbox is selected, and %w", unreached)
	default:
		return errors.New("no task that waits or runs is selected; nothing was cancelled")
	}
	below := 0 // how many parts of a task that is named alone are cancelled with it
	if len(tasks) == 1 {
		if below, err = openBelow(ctx, c, tasks[0].ID); err != nil {
			return err
		}
	}
	// A program that names one task means this task, with its parts.
	if !o.yes && (len(tasks) > 1 || below > 0 && terminalOf(os.Stdin).isTerminal()) {
		if err := o.ask(ctx, tasks, below); err != nil {
			return err
		}
	}
	waiting, others := waitingFirst(tasks)
	if err := o.cancelAll(ctx, c, waiting, below); err != nil {
		return err
	}
	if len(others) > 0 && unreached == nil {
		if unreached, err = unreachable(ctx, c); err != nil {
			return err
		}
	}
	if unreached != nil {
		return unreached
	}
	return o.cancelAll(ctx, c, others, below)
}

// cancelAll cancels tasks, of which one has so many parts.
func (o *cancelOptions) cancelAll(ctx context.Context, c *client.Client, tasks []schema.Task, below int) error {
	var mu sync.Mutex
	return eachTask(ctx, cancelsAtOnce, tasks, func(ctx context.Context, t *schema.Task) error {
		result, err := c.Cancel(ctx, schema.CancelParams{ID: t.ID, Reason: o.reason, Force: o.force})
		if isNotFound(err) { // it has ended, and is no longer kept
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if o.json {
			return printJSONLine(os.Stdout, &result)
		}
		_, err = fmt.Fprintf(os.Stdout, "%s %s%s\n", t.ID, cancelWord(&result), belowText(below))
		return err
	})
}

// chosen answers the tasks to cancel: those that are named, and of several only those
// that have not ended.
func (o *cancelOptions) chosen(ctx context.Context, c *client.Client, names []string, params schema.ListParams) ([]schema.Task, error) {
	if len(names) == 0 {
		if err := o.nameOwner(ctx, c, &params); err != nil {
			return nil, err
		}
		params.Limit = pageOfTasks
		if params.States == nil {
			params.States = []schema.State{schema.Queued, schema.Running}
		}
		return collect(listed(ctx, c, params), mostNamed)
	}
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil || len(tasks) <= len(names) {
		return tasks, err
	}
	var open []schema.Task
	for _, t := range tasks {
		if !t.State.Final() {
			open = append(open, t)
		}
	}
	return open, nil
}

// openBelow counts the parts of a task, and theirs, that have not ended.
func openBelow(ctx context.Context, c *client.Client, parent uuid.UUID) (n int, err error) {
	below, err := belowOf(ctx, c, []schema.Task{{ID: parent}})
	for i := range below {
		if !below[i].State.Final() {
			n++
		}
	}
	return n, err
}

// belowText says how many parts are cancelled with a task.
func belowText(below int) string {
	if below == 0 {
		return ""
	}
	return "; cancelled with it: " + counted(below, "part")
}

// ask asks a person whether to cancel several tasks, or one with so many parts.
func (o *cancelOptions) ask(ctx context.Context, tasks []schema.Task, below int) error {
	if !terminalOf(os.Stdin).isTerminal() {
		return usagef("cancel: these are %d tasks, and there is no terminal to ask at; give --yes", len(tasks))
	}
	kinds := map[string]int{}
	for i := range tasks {
		kinds[tasks[i].Type+" "+tasks[i].State.String()]++
	}
	with := ", with their parts"
	if len(tasks) == 1 {
		with = ", with " + counted(below, "part") + " of it"
	}
	fmt.Fprintf(safe(os.Stderr), "Cancel %s (%s)%s? [y/N] ", counted(len(tasks), "task"), show.Counts(kinds), with)
	answer := make(chan string, 1)
	go func() { // a person may not answer: it ends with the process
		line, _ := bufio.NewReader(io.LimitReader(os.Stdin, 1<<10)).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr)
		return context.Cause(ctx)
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return errors.New("nothing was cancelled")
	}
}

// cancelWord says what a cancel has met.
func cancelWord(r *schema.CancelResult) string {
	switch r.Outcome {
	case schema.OutcomeCancelling:
		return "is told to stop"
	case schema.OutcomeAlreadyFinished:
		return "had already ended: " + r.Task.State.String()
	}
	return string(r.Outcome)
}
