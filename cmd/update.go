package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// updateOptions are the flags of update.
type updateOptions struct {
	driver
	priority int
	labels   []string
	group    string
	on       map[string]string
	in       time.Duration
	at       schema.Time
	expire   time.Duration
	expireAt schema.Time
}

func (p *Program) updateCommand() *cobra.Command {
	o := &updateOptions{driver: p.readingDriver()}
	c := &cobra.Command{
		Use:   "update TASK...",
		Short: "Change tasks that wait",
		Long: "Update changes what its flags name of tasks that wait, and leaves the rest as it is, also their place among tasks of the\n" +
			"same priority. A task that runs or has ended is not changed. " + namesHelp + "\n" +
			"Of the tasks that a label names it takes those that wait.",
		Example:           p.driverExamples("update @last --priority 5", "update build=7 --in 10m", "update 018f --group deploy --label urgent=yes", "update train=7 --on gpu=h100"),
		Args:              o.names("update"),
		ValidArgsFunction: o.completeTasks(schema.Queued),
		RunE: func(c *cobra.Command, args []string) error {
			params, err := o.params(c)
			if err != nil {
				return err
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args, params) })
		},
	}
	o.flags(c)
	f := c.Flags()
	f.Var(countTo(&o.priority, 0, executor.MinPriority, executor.MaxPriority), "priority",
		fmt.Sprintf("higher runs first; from %d to %d", executor.MinPriority, executor.MaxPriority))
	f.StringArrayVar(&o.labels, "label", nil, "a label to add as KEY=VALUE, in place of one with the same key; KEY= removes it; may be given again")
	f.Var(nameOrNone(&o.group), "group", "the group in which the task counts; none takes it out of its group")
	f.Var(placesOrNone(&o.on), "on", "run only on an executor that has these labels, as gpu=a100,os=linux, in place of all that the task asked for; none lets it run anywhere")
	f.Var(span(&o.in, 0, 0), "in", "run no sooner than in this time, as 10m; 0 is as soon as it can")
	f.Var(dueTime(&o.at), "at", "run no sooner than at this time: 02:30 is the next 02:30 of this machine's time zone, or a date and a time")
	f.Var(span(&o.expire, 0, 0), "expire", "fail where the task has not begun within this time; 0 is never")
	f.Var(dueTime(&o.expireAt), "expire-at", "fail where the task has not begun by this time, which is given as for --at")
	complete(c, "group", o.completeGroup)
	complete(c, "on", o.completeOn)
	for _, flag := range []string{"priority", "label", "in", "at", "expire", "expire-at"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
	return c
}

// params are the change that the flags describe, without the task.
func (o *updateOptions) params(c *cobra.Command) (p schema.UpdateParams, err error) {
	given := c.Flags().Changed
	if given("in") && given("at") {
		return p, usagef("update: --in and --at both say when the task runs; give one of them")
	}
	if given("expire") && given("expire-at") {
		return p, usagef("update: --expire and --expire-at both say when the task fails; give one of them")
	}
	if given("priority") {
		p.Priority = &o.priority
	}
	if given("group") {
		p.Group = &o.group
	}
	if given("in") {
		p.DelayMs = new(milliseconds(o.in))
	}
	p.RunAt, p.ExpiresAt, p.On = o.at, o.expireAt, o.on
	if given("expire") {
		p.ExpireMs = new(milliseconds(o.expire))
	}
	if p.Labels, err = labelsOf("update", o.labels); err != nil {
		return p, err
	}
	for _, flag := range []string{"priority", "group", "on", "in", "at", "expire", "expire-at", "label"} {
		if given(flag) {
			return p, nil
		}
	}
	return p, usagef("update: it is not said what to change; give a flag, as --priority 5 or --in 10m")
}

// placeOf names the flag that a violation is of. A server makes times of --in and --expire.
func (o *updateOptions) placeOf(pointer string) string {
	switch {
	case pointer == "/runAt" && o.at.IsZero():
		pointer = "/delayMs"
	case pointer == "/expiresAt" && o.expireAt.IsZero():
		pointer = "/expireMs"
	}
	return placeOf(pointer, true)
}

func (o *updateOptions) run(ctx context.Context, c *client.Client, names []string, params schema.UpdateParams) error {
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil {
		return err
	}
	many := len(tasks) > len(names) // a label names some
	changed := 0
	for i := range tasks {
		if many && tasks[i].State != schema.Queued {
			continue
		}
		params.ID = tasks[i].ID
		t, err := c.Update(ctx, params)
		if many && isNotQueued(err) { // it has begun meanwhile
			continue
		}
		if err != nil {
			return inFlags("update", err, o.placeOf)
		}
		changed++
		if err := o.printUpdated(&t); err != nil {
			return err
		}
	}
	if changed == 0 {
		return fmt.Errorf("of these %d tasks none waits, and only such a task can be changed", len(tasks))
	}
	return nil
}

// isNotQueued reports whether a task was not changed because it does not wait.
func isNotQueued(err error) bool {
	e, answered := errors.AsType[*wire.Error](err)
	return answered && e.Code == schema.CodeNotQueued
}

// printUpdated prints a task that was changed, and what it waits for now.
func (o *updateOptions) printUpdated(t *schema.Task) error {
	if o.json {
		return printJSONLine(os.Stdout, t)
	}
	waits := make([]string, len(t.WaitingFor))
	for i := range waits {
		waits[i] = o.waitText(&t.WaitingFor[i])
	}
	_, err := fmt.Fprintf(safe(os.Stdout), "%s %s\n", t.ID, strings.Join(waits, "; "))
	return err
}
