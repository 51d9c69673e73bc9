package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// retryOptions are the flags of retry.
type retryOptions struct {
	driver
}

func (p *Program) retryCommand() *cobra.Command {
	o := &retryOptions{driver: p.driver()}
	c := &cobra.Command{
		Use:   "retry TASK...",
		Short: "Submit tasks that have ended again",
		Long: "Retry submits tasks again with the same type, input, priority and labels, and prints the ids of the new ones.\n" + namesHelp + "\n" +
			"Of the tasks that a label names it takes those that failed or were cancelled.\n" +
			"A command runs in the directory and with the environment of the first time.",
		Example:           p.driverExamples("retry @last", "retry build=7"),
		Args:              o.names("retry"),
		ValidArgsFunction: o.completeTasks(schema.Failed, schema.Cancelled, schema.Completed),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args) })
		},
	}
	o.flags(c)
	return c
}

func (o *retryOptions) run(ctx context.Context, c *client.Client, names []string) error {
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil {
		return err
	}
	if tasks, err = o.ended(names, tasks); err != nil {
		return err
	}
	for i := range tasks {
		old, err := c.Status(ctx, schema.StatusParams{ID: tasks[i].ID, IncludeInput: true})
		if err != nil {
			return err
		}
		again, err := c.Submit(ctx, schema.SubmitParams{
			Type: old.Type, Input: old.Input, Priority: int(old.Priority), Labels: old.Labels, Events: []string{},
		})
		if err != nil {
			return err
		}
		if err := o.printSubmitted(&again); err != nil {
			return err
		}
	}
	return nil
}

// ended answers the tasks to submit again. A task that is named alone must have ended;
// of those that a label names, it is those that did not complete.
func (o *retryOptions) ended(names []string, tasks []schema.Task) ([]schema.Task, error) {
	if len(tasks) <= len(names) {
		for i := range tasks {
			if t := &tasks[i]; !t.State.Final() {
				return nil, fmt.Errorf("%s has not ended, it is %s; %s cancel %[1]s ends it", t.ID, t.State, o.program.Name)
			}
		}
		return tasks, nil
	}
	var found []schema.Task
	for _, t := range tasks {
		if t.State == schema.Failed || t.State == schema.Cancelled {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("of these %d tasks none failed or was cancelled; name a task by its id to run it again all the same", len(tasks))
	}
	return found, nil
}

// printSubmitted prints the id of a task that was submitted, or with --json the
// server's answer.
func (d *driver) printSubmitted(r *schema.SubmitResult) error {
	if d.json {
		return printJSONLine(os.Stdout, r)
	}
	_, err := fmt.Fprintln(os.Stdout, r.ID)
	return err
}
