package cmd

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // so that time zones are known where the system has none

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/rpc/client"
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
	expire    time.Duration
}

func (p *Program) scheduleCommand() *cobra.Command {
	o := &scheduleOptions{driver: p.driver(), taskFlags: p.taskFlags("schedule")}
	c := &cobra.Command{
		Use:   "schedule NAME [TYPE] " + commandUse,
		Short: "Submit a task again and again, at certain times",
		Long: "Schedule makes a schedule, or changes the one that has the name. A task is submitted for each time at which one is\n" +
			"due, for as long as a server runs; a server of this user stays while there is a schedule. Its tasks have the label\n" +
			"schedule=NAME. schedules shows the schedules, and unschedule removes one.\n\n" +
			"A command runs in this directory, and has of this environment PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_* and TZ.\n" +
			"The rest is the environment of its server, and what --set env.NAME=VALUE sets.",
		Example: p.driverExamples("schedule import --cron '30 2 * * *' --zone Europe/Berlin -- ./import", "schedule sync --every 10m --overlap replace -- ./sync",
			"schedule report --cron '0 9 * * MON#1' --missed one -- ./report"),
		Args:              o.args,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			params, err := o.params()
			if err != nil {
				return err
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, params) })
		},
	}
	o.driver.flags(c)
	o.taskFlags.flagsOfEach(c)
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
	f.Var(span(&o.jitter, 0, 0), "jitter", "each task runs up to so much later than it is due, to spread those that are due together")
	f.Var(dueTime(&o.until), "until", "no task is due after this time, as of submit --at")
	f.Var(nonEmpty(&o.key), "key", "tasks of one key run one at a time, in the order of their submits")
	f.Var(nonEmpty(&o.group), "group", "the group of the tasks; its limit, rate and pause hold for them (groups shows them)")
	f.Var(amounts(&o.needs), "needs", "resources that a task has for itself while it runs, as gpu=1,ram=4; serve --resource says how much there is")
	f.Var(span(&o.expire, 0, 0), "expire", "a task fails where it has not begun within this time after it was due; 0 is never")
	complete(c, "group", o.driver.completeGroup)
	complete(c, "key", o.driver.completeKey)
	complete(c, "needs", o.driver.completeNeeds)
	for _, flag := range []string{"cron", "every", "zone", "jitter", "until", "expire"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
}

func (o *scheduleOptions) args(c *cobra.Command, args []string) error {
	dash := c.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return usagef("schedule: which name? it stands before the task, as in: %s schedule import --cron '30 2 * * *' -- ./import", o.driver.program.Name)
	case args[0] == "":
		return usagef("schedule: the name is empty; give one")
	case o.cron == "" && o.every == 0:
		return usagef("schedule: when is a task due? give --cron or --every")
	case o.cron != "" && o.every != 0:
		return usagef("schedule: --cron and --every both say when a task is due; give one of them")
	case o.every != 0 && o.zone != "":
		return usagef("schedule: --zone is of --cron; leave it out")
	}
	if err := o.retry.check(c); err != nil {
		return err
	}
	o.scheduled = args[0]
	return o.splitAt(args[1:], dash-1)
}

// params are the schedule of the flags.
func (o *scheduleOptions) params() (p schema.ScheduleParams, err error) {
	submit, err := o.taskFlags.params()
	if err != nil {
		return p, err
	}
	if err := o.checkCommand(submit.Input); err != nil {
		return p, err
	}
	if o.driver.program.shipsExec(o.name) {
		if submit.Input, err = withPlace(submit.Input); err != nil {
			return p, err
		}
	}
	if o.cron != "" && o.zone == "" {
		if o.zone, err = localZone(); err != nil {
			return p, err
		}
	}
	o.retry.addTo(&submit)
	return schema.ScheduleParams{
		Name: o.scheduled, Cron: o.cron, EveryMs: milliseconds(o.every), TimeZone: o.zone,
		Submit: schema.ScheduledSubmit{
			Type: submit.Type, Input: submit.Input, Priority: submit.Priority, TimeoutMs: submit.TimeoutMs, GraceMs: submit.GraceMs, Labels: submit.Labels,
			Key: o.key, Group: o.group, Needs: o.needs, Retry: submit.Retry, ExpireMs: milliseconds(o.expire),
		},
		Overlap: o.overlap, Missed: o.missed, JitterMs: milliseconds(o.jitter), Until: o.until,
	}, nil
}

func (o *scheduleOptions) run(ctx context.Context, c *client.Client, p schema.ScheduleParams) error {
	made, err := c.Schedule(ctx, p)
	if err != nil {
		return err
	}
	if o.json {
		return printJSONLine(os.Stdout, &made)
	}
	if made.NextAt.IsZero() {
		o.tell("no task is due any more: its end, --until, has passed")
		return nil
	}
	o.tell("a task is due at %s; %s unschedule %s ends it", show.Moment(made.NextAt), o.driver.program.Name, show.ShellWord(p.Name))
	return nil
}

// keptVariables are what a command of a schedule has of the environment in which the schedule was
// made, beside those whose names begin with LC_. Others, as the socket of an agent, are gone
// when it runs.
var keptVariables = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"}

// withPlace sets in an input of exec where this process runs, and a little of its environment,
// unless the input says other.
func withPlace(input jsontext.Value) (jsontext.Value, error) {
	caller, err := newCallerEnv("")
	if err != nil {
		return nil, err
	}
	if input, err = caller.addTo(input); err != nil {
		return nil, err
	}
	var members map[string]jsontext.Value
	if json.Unmarshal(input, &members) != nil || members == nil || members["envFile"] != nil || members["cleanEnv"] != nil {
		return input, nil // what is wrong with it, the server says better
	}
	kept := map[string]string{}
	open, _ := splitEnviron(os.Environ())
	for name, value := range open {
		if slices.Contains(keptVariables, name) || strings.HasPrefix(name, "LC_") {
			kept[name] = value
		}
	}
	text, err := json.Marshal(kept, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	if members["env"], err = withHidden(members["env"], text); err != nil {
		return nil, err
	}
	return json.Marshal(members, json.Deterministic(true))
}

// localZone is the name of this machine's time zone.
func localZone() (string, error) {
	name := time.Local.String() // of the variable TZ, or UTC where the system has no zone
	if name == "Local" {
		link, _ := os.Readlink("/etc/localtime") // where it is no link, the next file may tell
		if _, found, ok := strings.Cut(link, "/zoneinfo/"); ok {
			name = found
		} else if text, err := os.ReadFile("/etc/timezone"); err == nil {
			name = strings.TrimSpace(string(text))
		}
	}
	if _, err := schedule.Zone(name); err != nil {
		return "", usagef("schedule: the name of this machine's time zone cannot be told; give it by --zone, as --zone Europe/Berlin")
	}
	return name, nil
}
