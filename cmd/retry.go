package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// retryOptions are the flags of retry.
type retryOptions struct {
	driver
}

func (p *Program) retryCommand() *cobra.Command {
	o := &retryOptions{driver: p.driver()}
	o.tellsLast = true
	c := &cobra.Command{
		Use:   "retry TASK...",
		Short: "Submit tasks that have ended again",
		Long: "Retry submits tasks again with the same type, input, priority, labels, group, key, needs and --retry, and prints the ids of the new\n" +
			"ones. They wait for no time and for no other tasks.\n" + namesHelp + "\n" +
			"Of the tasks that a label names it takes those that failed or were cancelled.\n" +
			"A command runs in the directory and with the environment of the first time; its hidden values, which are kept nowhere,\n" +
			"are taken from the environment of this command.",
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
		again, err := resubmit(ctx, c, tasks[i].ID)
		if err != nil {
			return err
		}
		o.program.rememberLast(&o.target, again.ID)
		if err := o.printSubmitted(&again); err != nil {
			return err
		}
	}
	return nil
}

// resubmit submits a task again with the same type, input, priority and labels, and with those
// of its conditions that hold at any time.
func resubmit(ctx context.Context, c *client.Client, id uuid.UUID) (schema.SubmitResult, error) {
	old, err := c.Status(ctx, schema.StatusParams{ID: id, IncludeInput: true})
	if err != nil {
		return schema.SubmitResult{}, err
	}
	input, err := withOwnSecrets(old.Input, os.LookupEnv)
	if err == nil {
		err = checkEnvironment(input)
	}
	if err != nil {
		return schema.SubmitResult{}, fmt.Errorf("%s: %w", old.ID, err)
	}
	return c.Submit(ctx, schema.SubmitParams{
		Type: old.Type, Input: input, Priority: int(old.Priority), Labels: submittable(old.Labels), Events: []string{},
		Conditions: lasting(old.Conditions),
	})
}

// lasting are those of the conditions of a task that another run of it has, too. The times are
// over, and the tasks that came before have ended.
func lasting(c *schema.Conditions) schema.Conditions {
	if c == nil {
		return schema.Conditions{}
	}
	return schema.Conditions{Group: c.Group, Key: c.Key, Needs: c.Needs, Retry: c.Retry}
}

// submittable are the labels of a task without the one that the server has added, where
// that makes them more than a submit may have.
func submittable(labels map[string]string) map[string]string {
	if len(labels) > executor.MaxLabels {
		delete(labels, show.OwnerLabel)
	}
	return labels
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

// checkEnvironment refuses an input of exec whose environment is gone: without a reader its
// file is kept for envKept.
func checkEnvironment(input jsontext.Value) error {
	var in struct {
		EnvFile string `json:"envFile"`
	}
	if json.Unmarshal(input, &in) != nil || in.EnvFile == "" {
		return nil
	}
	if _, err := os.Stat(in.EnvFile); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its environment is no longer kept (%s); submit its command anew", in.EnvFile)
	}
	return nil
}

// withOwnSecrets puts the values of this process's variables in the place of those that
// an input of exec has hidden.
func withOwnSecrets(input jsontext.Value, lookup func(string) (string, bool)) (jsontext.Value, error) {
	var in struct {
		Env map[string]jsontext.Value `json:"env"`
	}
	if json.Unmarshal(input, &in) != nil {
		return input, nil // an input of another type than exec
	}
	mask := quotedJSON(executor.Mask)
	var missing []string
	changed := false
	for _, name := range slices.Sorted(maps.Keys(in.Env)) {
		if !bytes.Equal(in.Env[name], mask) {
			continue
		}
		value, ok := lookup(name)
		if !ok {
			missing = append(missing, name)
		}
		in.Env[name], changed = quotedJSON(value), true
	}
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("hidden values of the input are kept nowhere: %s; set them, and submit the task again", strings.Join(missing, ", "))
	case !changed:
		return input, nil
	}
	env, err := json.Marshal(in.Env, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	return setMember(input, []string{"env"}, env)
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
