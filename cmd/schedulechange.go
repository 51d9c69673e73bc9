package cmd

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// This file makes the params of a schedule of the flags that were given, and of the schedule that
// there is.

// scheduleChange is what a command line says of a schedule.
type scheduleChange struct {
	options *scheduleOptions
	given   func(flag string) bool
	task    *schema.SubmitParams // nil where no task is given
}

// change reads what the command line says.
func (o *scheduleOptions) change(c *cobra.Command) (*scheduleChange, error) {
	change := &scheduleChange{options: o, given: c.Flags().Changed}
	if o.name == "" {
		return change, nil
	}
	task, err := o.taskFlags.params()
	if err != nil {
		return nil, err
	}
	if err := o.checkCommand(task.Input); err != nil {
		return nil, err
	}
	if o.driver.program.shipsExec(o.name) {
		if task.Input, err = withPlace(task.Input, &o.target); err != nil {
			return nil, err
		}
	}
	change.task = &task
	return change, nil
}

// applied answers the params of a schedule that was old, or nil where there was none.
func (c *scheduleChange) applied(old *schema.Schedule) (p schema.ScheduleParams, err error) {
	o := c.options
	switch {
	case old != nil:
		p = old.ScheduleParams
	case o.cron == "" && o.every == 0 && c.task == nil:
		return p, usagef("schedule: there is no schedule %q to be changed, and a new one has a time and a task; %s schedules lists those that there are", o.scheduled, o.driver.program.Name)
	case o.cron == "" && o.every == 0:
		return p, usagef("schedule: when is a task due? give --cron or --every")
	case c.task == nil:
		return p, usagef("schedule: which task is due? it comes after the name, as in: %s schedule import --cron '30 2 * * *' -- ./import", o.driver.program.Name)
	}
	p.Name = o.scheduled
	if err := c.addTask(&p.Submit); err != nil {
		return p, err
	}
	c.addConditions(&p.Submit)
	if err := c.addTimes(&p); err != nil {
		return p, err
	}
	switch {
	case p.Cron == "" && c.given("zone"):
		return p, usagef("schedule: --zone is of --cron, and %s has --every; leave it out", p.Name)
	case p.Missed == schema.MissedAll && p.Overlap != schema.OverlapQueue:
		return p, usagef("schedule: --missed all makes several tasks at once, which run one after the other only with --overlap queue")
	}
	return p, nil
}

// addTask adds what the flags say of the task.
func (c *scheduleChange) addTask(s *schema.ScheduledSubmit) error {
	o, task := c.options, c.task
	if task == nil {
		o.name, o.input.base = s.Type, s.Input
		same, err := o.taskFlags.params()
		if err != nil {
			return err
		}
		task = &same
	}
	s.Type, s.Input = task.Type, task.Input
	if c.given("priority") {
		s.Priority = task.Priority
	}
	if c.given("timeout") {
		s.TimeoutMs = task.TimeoutMs
	}
	if c.given("grace") {
		s.GraceMs = task.GraceMs
	}
	if c.given("rerun") {
		s.Rerun = task.Rerun
	}
	if c.given("label") {
		s.Labels = changedLabels(s.Labels, task.Labels)
	}
	if c.given("retry") {
		s.Retry = nil
		o.retry.addTo(task)
		s.Retry = task.Retry
	}
	return nil
}

// changedLabels are labels with a change: a label takes the place of one with the same key, and an
// empty one removes it.
func changedLabels(labels, change map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, labels)
	for key, value := range change {
		if all[key] = value; value == "" {
			delete(all, key)
		}
	}
	return all
}

// addConditions adds what the flags say of what each task waits for.
func (c *scheduleChange) addConditions(s *schema.ScheduledSubmit) {
	o := c.options
	if c.given("key") {
		s.Key = o.key
	}
	if c.given("group") {
		s.Group = o.group
	}
	if c.given("needs") {
		s.Needs = o.needs
	}
	if c.given("on") {
		s.On = o.on
	}
	if c.given("expire") {
		s.ExpireMs = milliseconds(o.expire)
	}
}

// addTimes adds what the flags say of when tasks are due.
func (c *scheduleChange) addTimes(p *schema.ScheduleParams) (err error) {
	o := c.options
	switch {
	case o.every != 0:
		o.sayLostZone(p.TimeZone)
		p.Cron, p.TimeZone, p.EveryMs = "", "", milliseconds(o.every)
	case o.cron != "":
		p.Cron, p.EveryMs = o.cron, 0
	}
	switch {
	case o.zone != "":
		p.TimeZone = o.zone
	case o.cron != "" && p.TimeZone == "": // there is none to be kept
		if p.TimeZone, err = localZone(); err != nil {
			return err
		}
	}
	if c.given("overlap") || p.Overlap == "" {
		p.Overlap = o.overlap
	}
	if c.given("missed") || p.Missed == "" {
		p.Missed = o.missed
	}
	if c.given("jitter") {
		p.JitterMs = milliseconds(o.jitter)
	}
	if c.given("until") {
		p.Until = o.until
	}
	return nil
}

// sayLostZone says that a schedule loses its time zone, as only one with --cron has any. The next
// --cron would mean other times without it.
func (o *scheduleOptions) sayLostZone(zone string) {
	if local, err := localZone(); zone != "" && (err != nil || zone != local) {
		fmt.Fprintf(safe(os.Stderr), "%s: a schedule with --every has no time zone: a later --cron needs --zone %s again\n", o.driver.program.Name, zone)
	}
}

// findSchedule answers the schedule of a name, or nil.
func findSchedule(ctx context.Context, c *client.Client, name string) (*schema.Schedule, error) {
	all, err := allSchedules(ctx, c)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(s schema.Schedule) bool { return s.Name == name }); i >= 0 {
		return &all[i], nil
	}
	return nil, nil
}

// keptVariables are what a command of a schedule has of the environment in which the schedule was
// made, beside those whose names begin with LC_. Others, as the socket of an agent, are gone
// when it runs.
var keptVariables = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"}

// withPlace sets in an input of exec where this process runs, and a little of its environment,
// unless the input says other. Of a command of other machines the place is theirs.
func withPlace(input jsontext.Value, o *targetOptions) (jsontext.Value, error) {
	if o.elsewhere() {
		return (&callerEnv{}).addTo(input)
	}
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
