package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// retryOptions are the flags of retry.
type retryOptions struct {
	driver
	dependents bool
	force      bool
}

func (p *Program) retryCommand() *cobra.Command {
	o := &retryOptions{driver: p.readingDriver()}
	o.tellsLast, o.newestRun = true, true
	c := &cobra.Command{
		Use:   "retry TASK...",
		Short: "Submit tasks that have ended again",
		Long: "Retry submits tasks again with the same type, input, priority, labels, group, key, needs and --retry, and prints the ids of the new\n" +
			"ones. They wait for no time. Those that came after others of them do so again, in the same order.\n" + namesHelp + "\n" +
			newestRunHelp + "\n" +
			"Those of them are submitted again that failed or were cancelled.\n" +
			"A command runs in the directory and with the environment of the first time; its hidden values, which are kept nowhere,\n" +
			"are taken from the environment of this command.",
		Example:           p.driverExamples("retry @last", "retry build=7", "retry --dependents 018f"),
		Args:              o.names("retry"),
		ValidArgsFunction: o.completeTasks(schema.Failed, schema.Cancelled, schema.Completed),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args) })
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.dependents, "dependents", false, "submit again, too, what has failed because of the tasks, and so on down the graph")
	c.Flags().BoolVar(&o.force, "force", false, "submit again, too, a task alone that has failed because of another one which does not run again")
	return c
}

func (o *retryOptions) run(ctx context.Context, c *client.Client, names []string) error {
	tasks, err := o.tasksToRetry(ctx, c, names)
	if err != nil {
		return err
	}
	// Completed tasks are named by their ids here, so they are meant.
	params := schema.RetryParams{Dependents: o.dependents, Force: o.force || !slices.ContainsFunc(tasks, func(t schema.Task) bool { return failedByOther(&t) })}
	for i := range tasks {
		if err := checkEnvironment(ctx, c, &o.target, tasks[i].ID); err != nil {
			return err
		}
		params.IDs = append(params.IDs, tasks[i].ID)
	}
	again, err := retryTasks(ctx, c, params)
	if err != nil {
		return ofTasks(err, params.Force)
	}
	for i := range again.Tasks {
		o.program.rememberLast(&o.target, again.Tasks[i].ID)
		if err := o.printSubmitted(&schema.SubmitResult{Task: again.Tasks[i]}); err != nil {
			return err
		}
	}
	return nil
}

// retryTasks submits tasks again. The values that their inputs have hidden are those of this process's
// variables.
func retryTasks(ctx context.Context, c *client.Client, params schema.RetryParams) (schema.RetryResult, error) {
	again, err := c.Retry(ctx, params)
	names := hiddenNames(err)
	if names == nil {
		return again, err
	}
	if params.Hidden, err = ownValues(names, os.LookupEnv); err != nil {
		return again, err
	}
	return c.Retry(ctx, params)
}

// hiddenNames are the names of the hidden values for which a server has asked, or nil.
func hiddenNames(err error) (names []string) {
	e, answered := errors.AsType[*wire.Error](err)
	if !answered || e.Code != schema.CodeInvalidParams {
		return nil
	}
	for _, v := range e.Data.Violations {
		if at := jsontext.Pointer(v.Pointer); at.Parent() == "/hidden" {
			names = append(names, at.LastToken())
		}
	}
	return names
}

// ownValues looks hidden values up.
func ownValues(names []string, lookup func(string) (string, bool)) (map[string]string, error) {
	values := map[string]string{}
	var missing []string
	for _, name := range names {
		value, ok := lookup(name)
		if !ok {
			missing = append(missing, name)
		}
		values[name] = value
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("hidden values of the input are kept nowhere: %s; set them, and submit the task again", strings.Join(missing, ", "))
	}
	return values, nil
}

// tasksToRetry answers the tasks to submit again, each once. A task that is named alone must have
// ended. Of those that a label names, it is those that did not complete.
func (o *retryOptions) tasksToRetry(ctx context.Context, c *client.Client, names []string) ([]schema.Task, error) {
	var all []schema.Task
	known := map[uuid.UUID]bool{}
	for _, name := range names {
		found, err := o.tasksOf(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if strings.Contains(name, "=") {
			found, err = o.failures(name, found)
		} else {
			err = o.checkEnded(found)
		}
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if !known[t.ID] {
				known[t.ID] = true
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// checkEnded refuses tasks that have not ended.
func (o *retryOptions) checkEnded(tasks []schema.Task) error {
	for i := range tasks {
		t := &tasks[i]
		if betweenAttempts(*t) {
			return fmt.Errorf("%s is tried again by itself; %s update %[1]s --in 0 tries it now", t.ID, o.program.Name)
		}
		if !t.State.Final() {
			return fmt.Errorf("%s has not ended, it is %s; %s cancel %[1]s ends it", t.ID, t.State, o.program.Name)
		}
	}
	return nil
}

// betweenAttempts reports whether a task waits for its next attempt.
func betweenAttempts(t schema.Task) bool {
	return slices.ContainsFunc(t.WaitingFor, func(w schema.Waiting) bool { return w.Kind == schema.WaitsForRetry })
}

// failures are those of the tasks of a label that failed or were cancelled. A branch that was not taken,
// and what failed because of it, is no failure.
func (o *retryOptions) failures(label string, tasks []schema.Task) (found []schema.Task, err error) {
	left := branches{}
	for i := range tasks {
		t := &tasks[i]
		if (t.State == schema.Failed || t.State == schema.Cancelled) && !left.notTaken(t) {
			found = append(found, *t)
		}
	}
	if i := slices.IndexFunc(tasks, betweenAttempts); len(found) == 0 && i >= 0 {
		return nil, fmt.Errorf("%s: %s is tried again by itself; %s update %[2]s --in 0 tries it now", label, tasks[i].ID, o.program.Name)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: of %s none failed or was cancelled; name a task by its id to run it again all the same", label, counted(len(tasks), "task"))
	}
	return found, nil
}

// ofTasks is the error of a retry. A refusal of a task is put without its place in the params, and names
// the flags that change it.
func ofTasks(err error, forced bool) error {
	e, answered := errors.AsType[*wire.Error](err)
	if !answered || e.Code != schema.CodeInvalidParams || len(e.Data.Violations) != 1 || !strings.HasPrefix(e.Data.Violations[0].Pointer, "/id") {
		return err
	}
	if forced {
		return errors.New(e.Data.Violations[0].Message)
	}
	return errors.New(strings.NewReplacer(" with dependents", " with --dependents", " with force", " with --force", " give force", " give --force").Replace(e.Data.Violations[0].Message))
}

// checkEnvironment refuses a task of exec whose environment is gone: without a reader its file is
// kept for envKept. That of a task of other machines is there, and not here.
func checkEnvironment(ctx context.Context, c *client.Client, o *targetOptions, id uuid.UUID) error {
	if o.elsewhere() {
		return nil
	}
	task, err := c.Status(ctx, schema.StatusParams{ID: id, IncludeInput: true})
	if err != nil {
		return err
	}
	var in struct {
		EnvFile string `json:"envFile"`
	}
	if json.Unmarshal(task.Input, &in) != nil || in.EnvFile == "" {
		return nil
	}
	if _, err := os.Stat(in.EnvFile); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: its environment is no longer kept (%s); submit its command anew", id, in.EnvFile)
	}
	return nil
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
