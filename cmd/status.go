package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// statusOptions are the flags of status.
type statusOptions struct {
	driver
	input bool
	watch bool
}

func (p *Program) statusCommand() *cobra.Command {
	o := &statusOptions{driver: p.readingDriver()}
	c := &cobra.Command{
		Use:   "status TASK...",
		Short: "Show tasks in full",
		Long: "Status shows all that is known of tasks.\n" + namesHelp + "\n" +
			"With --watch it shows them as they change, and ends when all have ended.",
		Example:           p.driverExamples("status @last", "status 018f --watch", "status build=7", "status @last --json --input"),
		Args:              o.names("status"),
		ValidArgsFunction: o.completeTasks(),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args) })
		},
	}
	o.flags(c)
	f := c.Flags()
	f.BoolVar(&o.input, "input", false, "print the input, too, with --json")
	f.BoolVarP(&o.watch, "watch", "w", false, "show changes as they come, until all have ended")
	return c
}

func (o *statusOptions) run(ctx context.Context, c *client.Client, names []string) error {
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil {
		return err
	}
	if o.watch {
		return o.watchNamed(ctx, c, tasks)
	}
	if err := inFull(ctx, c, tasks, !o.json || o.input); err != nil {
		return err
	}
	out := terminalOf(os.Stdout)
	for i := range tasks {
		if o.json {
			if err := printJSONLine(os.Stdout, &tasks[i]); err != nil {
				return err
			}
			continue
		}
		parts, err := partsOf(ctx, c, &tasks[i])
		if err != nil {
			return err
		}
		lines := taskLines(&tasks[i], time.Now(), out, out.columns())
		lines = append(lines, parts.lines(out, out.columns())...)
		if i > 0 {
			lines = append([]string{""}, lines...)
		}
		if _, err := fmt.Fprintln(os.Stdout, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// watchNamed shows tasks until all have ended.
func (o *statusOptions) watchNamed(ctx context.Context, c *client.Client, tasks []schema.Task) error {
	if len(tasks) > pageOfTasks {
		return fmt.Errorf("status --watch shows at most %d tasks, and these are %d; name fewer", pageOfTasks, len(tasks))
	}
	ids := make([]uuid.UUID, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].ID
	}
	zero := int64(0)
	return o.driver.watch(ctx, c, watched{
		subscribe: schema.SubscribeParams{IDs: ids},
		tasks: func(ctx context.Context, _ int) ([]schema.Task, error) {
			now, err := c.Wait(ctx, schema.WaitParams{IDs: ids, TimeoutMs: &zero})
			return now.Tasks, err
		},
		lines: func(tasks []schema.Task, columns int) []string {
			out := terminalOf(os.Stdout)
			if len(tasks) > 1 {
				return taskTable(tasks, time.Now(), columns).lines(out, columns)
			}
			return taskLines(&tasks[0], time.Now(), out, columns)
		},
		of: func(*schema.Task) bool { return true },
		over: func(tasks []schema.Task) bool {
			for i := range tasks {
				if !tasks[i].State.Final() {
					return false
				}
			}
			return true
		},
	})
}

// taskLines is all that is known of a task, for a terminal of so many columns; 0 is as
// many as it takes. A terminal gets long texts in several lines, but of a result, which may
// be megabytes, only the beginning.
func taskLines(t *schema.Task, now time.Time, out terminal, columns int) []string {
	fields := namedFields{out: out, columns: columns}
	add := fields.add
	add("id", t.ID.String(), bold)
	add("type", t.Type, plain)
	add("state", show.State(t), stateStyle(t.State))
	if t.Error != nil {
		add("error", show.ErrorText(t), red)
	}
	add("task", show.Work(t), plain)
	add("directory", show.CommandOf(t).Dir, plain)
	if t.Progress != nil {
		add("progress", progressText(*t.Progress), plain)
	}
	add("owner", t.Labels[show.OwnerLabel], plain)
	add("labels", show.Labels(t.Labels), plain)
	if t.Priority != 0 {
		add("priority", fmt.Sprint(t.Priority), plain)
	}
	add("runs on", placeText(t.RunsOn), plain)
	add("ran on", placeText(t.RanOn), plain)
	if t.Attempt > 1 {
		add("attempt", fmt.Sprint(t.Attempt), plain)
	}
	addAttempts(t, now, add)
	if t.Children != nil {
		add("parts", show.StateCounts(t.Children), plain)
	}
	addConditions(t, now, add)
	addTerms(t, add)
	add("submitted", timeText(t.CreatedAt, now), plain)
	add("started", timeText(t.StartedAt, now), plain)
	add("ended", timeText(t.FinishedAt, now), plain)
	add("time", show.Ran(t, now), plain)
	add("cancelled", cancelText(t, now), yellow)
	if b := t.OutputBytes; b != nil {
		add("output", outputText(b), plain)
	}
	if string(t.Result) != "{}" {
		add("result", string(t.Result), plain)
	}
	return fields.lines
}

// placeText says where a task runs, or has run; it is "" for nil.
func placeText(on *schema.RunsOn) string {
	if on == nil {
		return ""
	}
	return on.Executor + " at " + on.Host
}

// addConditions adds what a task waits for, and its conditions.
func addConditions(t *schema.Task, now time.Time, add func(name, text string, s style)) {
	if t.State == schema.Queued {
		for i := range t.WaitingFor {
			add("waits", show.WaitingText(&t.WaitingFor[i]), yellow)
		}
	}
	c := t.Conditions
	if c == nil {
		return
	}
	if c.RetryOf != uuid.Nil {
		add("retry of", c.RetryOf.String(), plain)
	}
	if c.Parent != uuid.Nil {
		add("part of", c.Parent.String(), plain)
	}
	add("group", c.Group, plain)
	add("key", c.Key, plain)
	add("needs", show.Needs(c.Needs), plain)
	add("on", show.Places(c.On), plain)
	add("retry", retryText(c.Retry), plain)
	add("dedupe", dedupeText(c.Dedupe), plain)
	if t.StartedAt.IsZero() {
		add("runs", dueText(c.RunAt, now), plain)
		add("expires", dueText(c.ExpiresAt, now), plain)
	}
	if len(c.After) > 0 {
		words := make([]string, len(c.After))
		for i, d := range c.After {
			text, _ := d.MarshalText() // it has no error
			words[i] = string(text)
		}
		add("after", strings.Join(words, " "), plain)
	}
}

// addTerms adds how long a task may take, and what happens to it after a crash.
func addTerms(t *schema.Task, add func(name, text string, s style)) {
	if t.Terms == nil {
		return
	}
	if ms := t.Terms.TimeoutMs; ms > 0 {
		add("time-out", exactMs(ms), plain)
	}
	add("grace", exactMs(t.Terms.GraceMs), plain)
	if t.Terms.Rerun {
		add("rerun", "where the server has died while it ran", plain)
	}
}

// dedupeText says of which tasks a task is a duplicate, and what happens to the later one.
func dedupeText(d *schema.Dedupe) string {
	if d == nil {
		return ""
	}
	text := d.Key
	if d.On != "" && d.On != schema.DedupeReuse {
		text += ", " + string(d.On)
	}
	if d.WindowMs > 0 {
		text += ", for " + exactMs(d.WindowMs) + " after the end"
	}
	return text
}

// dueText is a time in the person's time zone, and how far it is.
func dueText(t schema.Time, now time.Time) string {
	if t.IsZero() || !t.Time().After(now) {
		return timeText(t, now)
	}
	return fmt.Sprintf("%s (in %s)", show.Moment(t), show.Span(t.Time().Sub(now)))
}

// leastWrapped is the least width to which status wraps a text.
const leastWrapped = 20

// statusNameWidth is the width of the names in what status shows.
const statusNameWidth = 11

// timeText is a time in the person's time zone, and how long ago it was.
func timeText(t schema.Time, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", show.Moment(t), show.Age(t, now))
}

// cancelText says when and why a cancel of the task was requested.
func cancelText(t *schema.Task, now time.Time) string {
	text := timeText(t.CancelRequestedAt, now)
	if text != "" && t.CancelReason != "" {
		text += ": " + t.CancelReason
	}
	return text
}

// outputText says how much a task has written.
func outputText(b *schema.OutputBytes) string {
	var words []string
	for i, n := range []int64{b.Stdout, b.Stderr, b.Log} {
		if n > 0 {
			words = append(words, fmt.Sprintf("%s %s", schema.Stream(i), counted(n, "byte")))
		}
	}
	return strings.Join(words, ", ")
}
