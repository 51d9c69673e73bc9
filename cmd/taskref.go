package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// leastOfID is how many characters of an id name a task.
	leastOfID = 4
	// lastTask names the task that a command of this terminal has submitted last.
	lastTask = "@last"
	// mostCandidates is how many tasks an error lists that a name may mean.
	mostCandidates = 5
	// pageOfTasks is how many tasks are asked for at once.
	pageOfTasks = 1000
	// mostNamed bounds the tasks that a label may name, so that memory is bounded.
	mostNamed = 1_000_000
)

// namesHelp says in a help text how tasks are named.
const namesHelp = "A task is named by 4 or more characters that its id begins or ends with, or that list shows first, by @last,\n" +
	"or, where several may be meant, by a label as KEY=VALUE. @last is the task that a command of this terminal\n" +
	"submitted last; where none did, the newest one that a command line submitted, and else the newest of all."

// tasksNamed answers the tasks that the names of a command line mean, each once and
// in the order of the names.
func (d *driver) tasksNamed(ctx context.Context, c *client.Client, names []string) ([]schema.Task, error) {
	var tasks []schema.Task
	known := map[uuid.UUID]bool{}
	for _, name := range names {
		found, err := d.tasksOf(ctx, c, name)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if !known[t.ID] {
				known[t.ID] = true
				tasks = append(tasks, t)
			}
		}
	}
	return tasks, nil
}

// tasksOf answers the tasks that one name means: at least one.
func (d *driver) tasksOf(ctx context.Context, c *client.Client, name string) ([]schema.Task, error) {
	key, value, isLabel := strings.Cut(name, "=")
	id, err := uuid.Parse(name)
	switch {
	case isLabel && key != "":
		return d.tasksLabelled(ctx, c, key, value)
	case name == lastTask:
		tasks, err := d.newestTask(ctx, c)
		if err == nil && d.tellsLast {
			err = d.tellLast(ctx, c, tasks[0].ID)
		}
		return tasks, err
	case err == nil && len(name) == len(id.String()):
		t, err := c.Status(ctx, schema.StatusParams{ID: id})
		if isNotFound(err) {
			return nil, d.unknown(name, "is")
		}
		return []schema.Task{t}, err
	case isPartOfID(name):
		return d.taskWithPart(ctx, c, strings.ToLower(name))
	}
	return nil, usagef("%q names no task; want %d or more characters of its id (%s list shows them), %s, or KEY=VALUE of a label", name, leastOfID, d.program.Name, lastTask)
}

// oneTask is the task that a name means, which is the only one. flag is what has the name, for
// messages.
func (d *driver) oneTask(ctx context.Context, c *client.Client, flag, name string) (uuid.UUID, error) {
	tasks, err := d.tasksOf(ctx, c, name)
	switch {
	case err != nil:
		return uuid.Nil, err
	case len(tasks) > 1:
		return uuid.Nil, usagef("%s %s: these are %d tasks; name one of them by its id", flag, name, len(tasks))
	}
	return tasks[0].ID, nil
}

// isNotFound reports whether a server has answered that there is no such task.
func isNotFound(err error) bool {
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Code == schema.CodeTaskNotFound
}

// isPartOfID reports whether a text can be a part of an id.
func isPartOfID(text string) bool {
	return len(text) >= leastOfID && strings.Trim(text, "0123456789abcdefABCDEF-") == ""
}

// unknown is the error of a name that no task has.
func (d *driver) unknown(name, relation string) error {
	return fmt.Errorf("there is no task whose id %s %s: it is wrong, or the task is no longer kept; %s list shows those that are", relation, name, d.program.Name)
}

func (d *driver) taskWithPart(ctx context.Context, c *client.Client, part string) ([]schema.Task, error) {
	found, err := collect(listed(ctx, c, schema.ListParams{ID: part, Limit: pageOfTasks}), mostCandidates+1)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 0:
		return nil, d.unknown(part, "begins or ends with")
	case 1:
		return found, nil
	}
	candidates := make([]string, 0, mostCandidates)
	for _, t := range found[:min(len(found), mostCandidates)] {
		candidates = append(candidates, fmt.Sprintf("%s (%s, %s)", t.ID, t.Type, t.State))
	}
	more := ""
	if len(found) > mostCandidates {
		more = " and others"
	}
	return nil, fmt.Errorf("%s may mean %s%s; write more of the id", part, strings.Join(candidates, ", "), more)
}

// newestTask is the task that a command of this terminal has submitted last, else the
// newest that a command line has, or where none has, the newest of all.
func (d *driver) newestTask(ctx context.Context, c *client.Client) ([]schema.Task, error) {
	if t, err := d.lastOfTerminal(ctx, c); err != nil || t != nil {
		if err != nil {
			return nil, err
		}
		return []schema.Task{*t}, nil
	}
	for _, labels := range []map[string]string{{show.OwnerLabel: d.program.Name}, nil} {
		found, err := collect(listed(ctx, c, schema.ListParams{Labels: labels, Limit: 1}), 1)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, fmt.Errorf("%s: there is no task yet; %s submit -- COMMAND makes one", lastTask, d.program.Name)
}

func (d *driver) tasksLabelled(ctx context.Context, c *client.Client, key, value string) ([]schema.Task, error) {
	found, err := collect(listed(ctx, c, schema.ListParams{
		Labels: map[string]string{key: value}, Order: schema.OldestFirst, Limit: pageOfTasks,
	}), mostNamed)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no task has the label %s=%s; %s list shows the labels", key, value, d.program.Name)
	}
	if err == nil && d.newestRun {
		found = d.ofNewestRun(key+"="+value, found)
	}
	return found, err
}
