package cmd

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// conditionFlags are the flags that say what tasks wait for before they run.
type conditionFlags struct {
	driver   *driver // that the after flags ask for tasks; it has newestRun
	after    []string
	key      string
	group    string
	in       time.Duration
	at       schema.Time
	expire   time.Duration
	expireAt schema.Time
	needs    map[string]int64
	on       map[string]string
	dedupe   dedupeFlags
	parent   string

	parentID uuid.UUID // the task that parent names
}

// flags adds the flags to a command.
func (o *conditionFlags) flags(c *cobra.Command, d *driver) {
	o.driver, d.newestRun = d, true
	f := c.Flags()
	f.StringArrayVar(&o.after, "after", nil, "run only after a task, named as for status, has completed; with :failure behind it after it has failed or was cancelled, with :finish after it has ended in any way; given again, after all of them. Of a label it is the newest run, as for wait")
	f.Var(properName(&o.key), "key", "tasks of one key run one at a time, in the order of their submits")
	f.Var(properName(&o.group), "group", "the group of the task; its limit, rate and pause hold for the task (groups shows them)")
	f.Var(span(&o.in, 0, 0), "in", "run no sooner than in this time, as 10m")
	f.Var(dueTime(&o.at), "at", "run no sooner than at this time: 02:30 is the next 02:30 of this machine's time zone, or a date and a time")
	f.Var(span(&o.expire, 0, 0), "expire", "fail where the task has not begun within this time; 0 is never")
	f.Var(dueTime(&o.expireAt), "expire-at", "fail where the task has not begun by this time, which is given as for --at")
	f.Var(amounts(&o.needs), "needs", "resources that the task has for itself while it runs, as gpu=1,ram=4; serve --resource says how much there is")
	f.Var(placesOrNone(&o.on), "on", "run only on an executor that has these labels, as gpu=a100,os=linux; serve --label gives them, and executors shows them; none asks for none, whatever the group says")
	o.dedupe.flags(c)
	f.Var(nonEmpty(&o.parent), "parent", "the task of which this one is a part, named as for status: a cancel of that one cancels this one, too. In a command of a task $JOBLINE_TASK_ID is that task")
	complete(c, "parent", d.completeTasks(schema.Queued, schema.Running))
	complete(c, "after", o.completeAfter)
	complete(c, "group", d.completeGroup)
	complete(c, "key", d.completeKey)
	complete(c, "needs", d.completeNeeds)
	complete(c, "on", d.completeOn)
	for _, flag := range []string{"in", "at", "expire", "expire-at"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
}

// check refuses flags that exclude each other.
func (o *conditionFlags) check(command string) error {
	switch {
	case o.in != 0 && !o.at.IsZero():
		return usagef("%s: --in and --at both say when the task runs; give one of them", command)
	case o.expire != 0 && !o.expireAt.IsZero():
		return usagef("%s: --expire and --expire-at both say when the task fails; give one of them", command)
	case !o.expireAt.IsZero() && o.expireAt <= o.at:
		return usagef("%s: --expire-at %s is not after --at %s, so the task would never run; let it expire later, or run earlier", command, show.Moment(o.expireAt), show.Moment(o.at))
	case o.expire != 0 && o.expire <= o.in:
		return usagef("%s: --expire %s is not more than --in %s, so the task would never run; let it expire later, or run earlier", command, show.Exact(o.expire), show.Exact(o.in))
	}
	return o.dedupe.check(command)
}

// given reports whether a flag says anything.
func (o *conditionFlags) given(c *cobra.Command) bool {
	return slices.ContainsFunc(conditionNames, c.Flags().Changed)
}

// conditionNames are the flags of conditions.
var conditionNames = []string{"after", "key", "group", "in", "at", "expire", "expire-at", "needs", "on", "dedupe", "dedupe-on", "dedupe-for", "parent"}

// addTo adds the conditions of the flags to a submit, where it says nothing of the same.
func (o *conditionFlags) addTo(p *schema.SubmitParams, after []schema.Dependency) {
	if p.DelayMs == 0 && p.RunAt.IsZero() {
		p.DelayMs, p.RunAt = milliseconds(o.in), o.at
	}
	if p.ExpireMs == 0 && p.ExpiresAt.IsZero() {
		p.ExpireMs, p.ExpiresAt = milliseconds(o.expire), o.expireAt
	}
	if p.After == nil {
		p.After = after
	}
	if p.Key == "" {
		p.Key = o.key
	}
	if p.Group == "" {
		p.Group = o.group
	}
	if p.Needs == nil {
		p.Needs = o.needs
	}
	if p.On == nil {
		p.On = o.on
	}
	if p.Dedupe == nil {
		p.Dedupe = o.dedupe.of()
	}
	if p.Parent == uuid.Nil {
		p.Parent = o.parentID
	}
}

// findParent finds the task of --parent.
func (o *conditionFlags) findParent(ctx context.Context, c *client.Client) (err error) {
	if o.parent != "" {
		o.parentID, err = o.driver.oneTask(ctx, c, "--parent", o.parent)
	}
	return err
}

// dependencies are the tasks of the --after flags, each once.
func (o *conditionFlags) dependencies(ctx context.Context, c *client.Client) ([]schema.Dependency, error) {
	var all []schema.Dependency
	for _, text := range o.after {
		name, on := splitOn(text)
		tasks, err := o.driver.tasksOf(ctx, c, name)
		if err != nil {
			return nil, withOnHint(err, name)
		}
		for i := range tasks {
			d := schema.Dependency{ID: tasks[i].ID, On: on}
			switch at := slices.IndexFunc(all, func(known schema.Dependency) bool { return known.ID == d.ID }); {
			case at < 0:
				all = append(all, d)
			case all[at] != d:
				return nil, usagef("--after names %s twice, and says two ways in which it must end", d.ID)
			}
		}
		if len(all) > executor.MaxAfter {
			return nil, usagef("--after %s: these are %d tasks, and a task comes after at most %d; let some come before a noop, and this one after that", text, len(all), executor.MaxAfter)
		}
	}
	return all, nil
}

// withOnHint adds to the error of a name, that has a colon, what may be meant behind the colon.
func withOnHint(err error, name string) error {
	i := strings.LastIndexByte(name, ':')
	if i < 0 {
		return err
	}
	if close := schema.Suggest(name[i+1:], schema.OnNames[:]); len(close) > 0 {
		return usagef("--after %s: did you mean %s:%s?", name, name[:i], close[0])
	}
	return usagef("--after %s: %v; behind a colon stands one of %s", name, err, strings.Join(schema.OnNames[:], ", "))
}

// splitOn splits a task and how it must end.
func splitOn(text string) (name string, on schema.On) {
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		if at := slices.Index(schema.OnNames[:], text[i+1:]); at >= 0 {
			return text[:i], schema.On(at)
		}
	}
	return text, schema.OnSuccess
}

// completeAfter completes tasks, and behind a colon how they must end.
func (o *conditionFlags) completeAfter(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if name, _, found := strings.Cut(word, ":"); found {
		if _, err := uuid.Parse(name); err == nil || name == lastTask {
			var found []string
			for _, on := range schema.OnNames {
				found = append(found, name+":"+on)
			}
			return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return o.driver.completeTasks()(c, args, word)
}

// amounts is a flag for amounts of resources, as NAME=N with commas between; given again it
// adds to those before.
func amounts(to *map[string]int64) pflag.Value {
	return &flagValue[map[string]int64]{to, func(text string) (map[string]int64, error) {
		all := map[string]int64{}
		for name, n := range *to {
			all[name] = n
		}
		for part := range strings.SplitSeq(text, ",") {
			name, number, _ := strings.Cut(part, "=")
			n, err := strconv.ParseInt(number, 10, 64)
			if name == "" || err != nil || n < 1 {
				return nil, errors.New("want NAME=N with N of 1 or more, as gpu=1,ram=4")
			}
			all[name] = n
		}
		return all, nil
	}, func(map[string]int64) string { return "" }, "amounts"}
}
