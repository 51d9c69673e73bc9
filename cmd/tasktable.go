package cmd

import (
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// wideColumns is the width of a terminal from which on a table has whole ids.
const wideColumns = 160

// taskTable is a table of tasks for a terminal of so many columns, 0 for none.
func taskTable(tasks []schema.Task, now time.Time, columns int) *table {
	t := &table{columns: []tableColumn{
		{title: "ID"},
		{title: "STATE", least: 13},
		{title: "TYPE", least: 6},
		{title: "AGE", drop: 4},
		{title: "TIME", drop: 3},
		{title: "ON", least: 8, drop: 3},
		{title: "WAITING", least: 14, drop: 2},
		{title: "TASK", least: 16, drop: 1},
		{title: "OWNER", least: 6, drop: 6},
		{title: "LABELS", least: 10, drop: 5},
	}}
	for i := range tasks {
		task := &tasks[i]
		id := task.ID.String()
		if columns > 0 && columns < wideColumns {
			id = show.ShortID(task.ID)
		}
		t.add(
			tableCell{text: id}, tableCell{show.State(task), stateStyle(task.State)}, tableCell{text: task.Type},
			tableCell{text: show.Age(task.CreatedAt, now)}, tableCell{text: show.Ran(task, now)}, tableCell{text: executorOf(task)},
			tableCell{show.Waiting(task, now), dim}, tableCell{text: doingText(task)}, tableCell{task.Labels[show.OwnerLabel], dim}, tableCell{show.Labels(task.Labels), dim},
		)
	}
	return t
}

// executorOf is the name of the executor that runs a task or had it when it ended, or "" where it is not
// known, or the only one.
func executorOf(t *schema.Task) string {
	switch {
	case t.RunsOn != nil:
		return t.RunsOn.Executor
	case t.RanOn != nil:
		return t.RanOn.Executor
	}
	return ""
}

// doingText is what a task does, and while it runs what it has said of that last.
func doingText(t *schema.Task) string {
	text := show.Work(t)
	if t.State == schema.Running && t.Progress != nil && t.Progress.Message != "" {
		if text != "" {
			text += ": "
		}
		text += t.Progress.Message
	}
	return text
}
