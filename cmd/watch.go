package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// watchPause is the least time between two looks at the tasks.
	watchPause = 200 * time.Millisecond
	// watchTick is the time after which the screen is drawn anew where nothing has
	// changed but the ages.
	watchTick = time.Second
)

// watched are the tasks that a command shows as they change.
type watched struct {
	subscribe schema.SubscribeParams // for the events that may be of the tasks
	// tasks answers the tasks as they are, at most so many.
	tasks func(ctx context.Context, most int) ([]schema.Task, error)
	// lines is what a terminal of so many columns shows of the tasks.
	lines func(tasks []schema.Task, columns int) []string
	// of reports whether a task is shown.
	of func(*schema.Task) bool
	// over reports whether nothing can change any more.
	over func(tasks []schema.Task) bool
}

// watch shows the tasks until the context ends, or nothing can change any more: on a
// terminal in place, else each change as a line.
func (d *driver) watch(ctx context.Context, c *client.Client, w watched) error {
	w.subscribe.Events = []string{schema.EventStarted, schema.EventProgress, schema.EventRetrying, schema.EventUpdated, schema.EventFinished}
	out := terminalOf(os.Stdout)
	inLines := d.json || !out.isTerminal() || !out.moves
	if inLines {
		w.subscribe.Events = []string{schema.EventStarted, schema.EventRetrying, schema.EventUpdated, schema.EventFinished}
	}
	if _, err := c.Subscribe(ctx, w.subscribe); err != nil {
		return err
	}
	if inLines {
		return d.watchLines(ctx, c, w)
	}
	return d.watchScreen(ctx, c, w, out)
}

// watchScreen draws the tasks in place.
func (d *driver) watchScreen(ctx context.Context, c *client.Client, w watched, out terminal) error {
	changed := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() { // ends with the connection or the context
		defer close(ended)
		for range c.Events(ctx) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	screen := block{to: os.Stdout}
	inputs := map[uuid.UUID]jsontext.Value{}
	for {
		columns, rows := out.size()
		tasks, err := w.tasks(ctx, max(1, rows-2))
		if err == nil {
			err = rememberInputs(ctx, c, tasks, inputs)
		}
		if err != nil {
			return err
		}
		lines := w.lines(tasks, columns-1)
		screen.draw(lines[:min(len(lines), rows-1)])
		if w.over(tasks) {
			fmt.Fprintln(os.Stdout)
			return nil
		}
		select {
		case <-changed:
		case <-time.After(watchTick):
		case <-ended:
			fmt.Fprintln(os.Stdout)
			return endOf(ctx, c)
		}
		if !sleep(ctx, watchPause) {
			fmt.Fprintln(os.Stdout)
			return context.Cause(ctx)
		}
	}
}

// endOf says why the events of a connection have ended.
func endOf(ctx context.Context, c *client.Client) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err := c.Stats(ctx) // after the end of a connection every call says why
	return err
}

// sleep waits, and reports whether the context has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// rememberInputs adds the inputs of the tasks, which do not change, and asks for those
// that are not known.
func rememberInputs(ctx context.Context, c *client.Client, tasks []schema.Task, inputs map[uuid.UUID]jsontext.Value) error {
	var unknown []schema.Task
	shown := map[uuid.UUID]bool{}
	for i := range tasks {
		shown[tasks[i].ID] = true
		if _, ok := inputs[tasks[i].ID]; !ok {
			unknown = append(unknown, tasks[i])
		}
	}
	if err := withInputs(ctx, c, unknown); err != nil {
		return err
	}
	for i := range unknown {
		inputs[unknown[i].ID] = unknown[i].Input
	}
	for id := range inputs {
		if !shown[id] {
			delete(inputs, id)
		}
	}
	for i := range tasks {
		tasks[i].Input = inputs[tasks[i].ID]
	}
	return nil
}

// watchLines prints the tasks as they are, and then each that has changed.
func (d *driver) watchLines(ctx context.Context, c *client.Client, w watched) error {
	tasks, err := w.tasks(ctx, defaultListed)
	if err == nil && !d.json {
		err = withInputs(ctx, c, tasks)
	}
	if err != nil {
		return err
	}
	for i := range tasks {
		if err := d.printChange(&tasks[i]); err != nil {
			return err
		}
	}
	if w.over(tasks) {
		return nil
	}
	for ev := range c.Events(ctx) {
		if ev.Started == nil && ev.Retrying == nil && ev.Updated == nil && ev.Finished == nil {
			continue
		}
		t, err := c.Status(ctx, schema.StatusParams{ID: ev.TaskID(), IncludeInput: !d.json})
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		replaceTask(tasks, &t)
		if w.of(&t) {
			err = d.printChange(&t)
		}
		if err != nil || w.over(tasks) {
			return err
		}
	}
	return endOf(ctx, c)
}

// replaceTask puts a task in the place of what it was before.
func replaceTask(tasks []schema.Task, t *schema.Task) {
	for i := range tasks {
		if tasks[i].ID == t.ID {
			tasks[i] = *t
		}
	}
}

// printChange prints a task that has changed.
func (d *driver) printChange(t *schema.Task) error {
	if d.json {
		return printJSONLine(os.Stdout, t)
	}
	words := []string{t.ID.String(), t.Type, show.State(t)}
	for _, more := range []string{show.Labels(t.Labels), show.Work(t)} {
		if more != "" {
			words = append(words, more)
		}
	}
	_, err := fmt.Fprintln(safe(os.Stdout), show.Line(strings.Join(words, " ")))
	return err
}
