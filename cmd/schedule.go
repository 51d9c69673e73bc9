package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// scheduleOptions are the flags of schedule.
type scheduleOptions struct {
	driver
	taskFlags
	retry     retryFlags
	scheduled string // the name of the schedule
	cron      string
	every     time.Duration
	zone      string
	overlap   schema.OverlapPolicy
	missed    schema.MissedPolicy
	jitter    time.Duration
	until     schema.Time
	key       string
	group     string
	needs     map[string]int64
	on        map[string]string
	expire    time.Duration
}

func (p *Program) scheduleCommand() *cobra.Command {
	o := &scheduleOptions{driver: p.driver(), taskFlags: p.taskFlags("schedule")}
	c := &cobra.Command{
		Use:   "schedule NAME [TYPE] " + commandUse,
		Short: "Submit a task again and again, at certain times",
		Long: "Schedule makes a schedule, or changes the one that has the name: what is not given stays as it is, the task, too.\n" +
			"It prints when the next task is due. A task is submitted for each time at which one is due, for as long as a server\n" +
			"runs; a server of this user stays while there is a schedule. Its tasks have the label schedule=NAME. schedules shows\n" +
			"the schedules, and unschedule removes one.\n\n" +
			"A command runs in this directory, and has of this environment PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_* and TZ.\n" +
			"The rest is the environment of its server, and what --set env.NAME=VALUE sets.",
		Example: p.driverExamples("schedule import --cron '30 2 * * *' --zone Europe/Berlin -- ./import", "schedule import --cron '30 3 * * *'",
			"schedule sync --every 10m --overlap replace -- ./sync", "schedule report --cron '0 9 * * MON#1' --missed one -- ./report"),
		Args:              o.args,
		ValidArgsFunction: o.completeName,
		RunE: func(c *cobra.Command, _ []string) error {
			change, err := o.change(c)
			if err != nil {
				return err
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, change) })
		},
	}
	o.driver.flags(c)
	o.taskFlags.flagsOfEach(c)
	c.Flags().Lookup("label").Usage = "a label to add as KEY=VALUE, in place of one with the same key; KEY= removes it; may be given again"
	o.retry.flags(c)
	o.flags(c)
	return c
}

// flags adds the flags that say when tasks are due, and what they wait for then.
func (o *scheduleOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.cron, "cron", "", "when a task is due: minute, hour, day, month and weekday as in a crontab, or @daily and the like")
	f.Var(span(&o.every, 0, executor.LeastEvery), "every", "in place of --cron: a task is due each time so much time has passed")
	f.StringVar(&o.zone, "zone", "", "the time zone of --cron, as Europe/Berlin; that of this machine where it is left out")
	choice(c, &o.overlap, "overlap", "what happens where the last task has not ended when the next is due: there is no next, it waits for the last, or it takes the place of the last",
		option[schema.OverlapPolicy]{"skip", schema.OverlapSkip}, option[schema.OverlapPolicy]{"queue", schema.OverlapQueue}, option[schema.OverlapPolicy]{"replace", schema.OverlapReplace})
	choice(c, &o.missed, "missed", "what becomes of times at which no server ran: nothing, one task for the last of them, or one for each of the last 100",
		option[schema.MissedPolicy]{"skip", schema.MissedSkip}, option[schema.MissedPolicy]{"one", schema.MissedOne}, option[schema.MissedPolicy]{"all", schema.MissedAll})
	f.Var(span(&o.jitter, 0, 0), "jitter", "each task runs up to so much later than it is due, at most 24h, to spread those that are due together")
	f.Var(lastTime(&o.until), "until", "no task is due after this time, as of submit --at; none ends that")
	f.Var(nameOrNone(&o.key), "key", "tasks of one key run one at a time, in the order of their submits; none takes the key back")
	f.Var(nameOrNone(&o.group), "group", "the group of the tasks; its limit, rate and pause hold for them (groups shows them); none takes them out of it")
	f.Var(amounts(&o.needs), "needs", "resources that a task has for itself while it runs, as gpu=1,ram=4; serve --resource says how much there is")
	f.Var(placesOrNone(&o.on), "on", "a task runs only on an executor that has these labels, as gpu=a100,os=linux; serve --label gives them, and executors shows them; none asks for none, whatever the group says")
	f.Var(span(&o.expire, 0, 0), "expire", "a task fails where it has not begun within this time after it was due; 0 is never")
	complete(c, "group", o.driver.completeGroup)
	complete(c, "key", o.driver.completeKey)
	complete(c, "needs", o.driver.completeNeeds)
	complete(c, "on", o.driver.completeOn)
	for _, flag := range []string{"cron", "every", "zone", "jitter", "until", "expire"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
}

// completeName completes the name of a schedule.
func (o *scheduleOptions) completeName(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return o.driver.completeSchedule(c, args, word)
}

func (o *scheduleOptions) args(c *cobra.Command, args []string) error {
	program, dash := o.driver.program.Name, c.ArgsLenAtDash()
	switch {
	case o.cron != "" && len(strings.Fields(o.cron)) == 1 && !strings.HasPrefix(o.cron, "@"):
		return usagef("schedule: --cron %s is only a part of a time: quote all of it for the shell, as in --cron '30 2 * * *'", o.cron)
	case len(args) == 0 || dash == 0:
		return usagef("schedule: which name? it stands before the task, as in: %s schedule import --cron '30 2 * * *' -- ./import", program)
	case args[0] == "":
		return usagef("schedule: the name is empty; give one")
	case len(args) > 1 && (dash < 0 || dash > 1) && isCron(args[1]):
		return usagef("schedule: %q is when it is due, and no task type: give it by --cron %s", args[1], show.ShellWord(args[1]))
	case o.target.local:
		return usagef("schedule: a server of --local ends with this command, and its schedules with it; leave --local out")
	case o.cron != "" && o.every != 0:
		return usagef("schedule: --cron and --every both say when a task is due; give one of them")
	case o.every != 0 && o.zone != "":
		return usagef("schedule: --zone is of --cron; leave it out")
	case o.jitter > executor.MaxJitter:
		return usagef("schedule: --jitter is %s at most", show.Exact(executor.MaxJitter))
	case !o.until.IsZero() && !o.until.Time().After(time.Now()):
		return usagef("schedule: --until %s is over, so that no task would be due", show.Moment(o.until))
	}
	if err := o.retry.check(c); err != nil {
		return err
	}
	o.before = show.ShellWord(args[0]) + " …"              // and when it is due
	if o.scheduled = args[0]; len(args) == 1 && dash < 0 { // it has its task already
		return nil
	}
	return o.splitAt(args[1:], dash-1)
}

// isCron reports whether a word is what --cron takes.
func isCron(word string) bool {
	return strings.HasPrefix(word, "@") || len(strings.Fields(word)) == 5
}

func (o *scheduleOptions) run(ctx context.Context, c *client.Client, change *scheduleChange) error {
	old, err := findSchedule(ctx, c, o.scheduled)
	if err != nil {
		return err
	}
	params, err := change.applied(old)
	if err != nil {
		return err
	}
	made, err := c.Schedule(ctx, params)
	switch {
	case err != nil:
		return o.refusedSchedule(err)
	case o.json:
		return printJSONLine(os.Stdout, &made)
	case made.NextAt.IsZero():
		fmt.Fprintf(safe(os.Stderr), "%s: no task of %s is due any more: --until %s comes before; --until none ends that\n", o.driver.program.Name, made.Name, show.Moment(made.Until))
		return nil
	}
	if _, err := fmt.Fprintf(safe(os.Stdout), "%s is due at %s\n", made.Name, show.Moment(made.NextAt)); err != nil {
		return err
	}
	o.tell("%s unschedule %s ends it", o.driver.program.Name, show.ShellWord(made.Name))
	return nil
}

// refusedSchedule makes of the error of a server what a person can act on, in terms of the flags.
func (o *scheduleOptions) refusedSchedule(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case !ok:
		return err
	case e.Code == schema.CodeUnknownType:
		return usagef("schedule: no task type is named %q; %s types lists them", o.name, o.driver.program.Name)
	}
	return inFlags("schedule", err, placeOfScheduled)
}

// placeOfScheduled names the flag, or the place in the input, that a violation is of.
func placeOfScheduled(pointer string) string {
	switch inner, ofSubmit := strings.CutPrefix(pointer, "/submit"); {
	case ofSubmit && inner == "/input":
		return "the input"
	case ofSubmit && strings.HasPrefix(inner, "/input/"):
		return strings.TrimPrefix(inner, "/input/")
	case ofSubmit:
		return placeOf(inner, true)
	case scheduleFlags[pointer] != "":
		return scheduleFlags[pointer]
	}
	return pointer
}

// scheduleFlags are the flags of schedule that set members of its params, by the pointer of the
// member.
var scheduleFlags = map[string]string{
	"/name": "the name", "/cron": "--cron", "/everyMs": "--every", "/timeZone": "--zone", "/overlap": "--overlap", "/missed": "--missed", "/jitterMs": "--jitter", "/until": "--until",
}
