package cmd

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// runGap is how long none of the tasks of a label may be under way before the next one of them
// is submitted. After a longer time the next one begins a new run.
const runGap = time.Minute

// newestRunHelp says in a help text which tasks of a label are meant.
const newestRunHelp = "Of the tasks of a label those of its newest run are meant. An older run has ended, and more than a minute has\n" +
	"passed before the next task of the label was submitted. Of a task that retry has submitted again the new one counts."

// latestTry is a task of a label that was not submitted again.
type latestTry struct {
	schema.Task
	// first is the place, among the tasks of the label, of the task of which this one is another run.
	// It is the place of this task where it is another run of none.
	first int
}

// latestTries are those of the tasks of a label, the oldest first, that retry has not submitted again.
// Each is in the place of the task of which it is another run.
func latestTries(tasks []schema.Task) []latestTry {
	tries := make([]latestTry, len(tasks))
	places := make(map[uuid.UUID]int, len(tasks))
	again := map[uuid.UUID]bool{}
	for i, t := range tasks {
		tries[i] = latestTry{t, i}
		places[t.ID] = i
		if c := t.Conditions; c != nil && c.RetryOf != uuid.Nil {
			again[c.RetryOf] = true
			if old, known := places[c.RetryOf]; known {
				tries[i].first = tries[old].first
			}
		}
	}
	tries = slices.DeleteFunc(tries, func(t latestTry) bool { return again[t.ID] })
	slices.SortStableFunc(tries, func(a, b latestTry) int { return a.first - b.first })
	return tries
}

// newestRun parts the tasks of a label, the oldest first, into those of the newest run and the
// older ones, which all have ended. Of a task that was submitted again only the newest try is among
// them, and it belongs to the run of the first. A label as build=7 is often used again, and how a task
// ended yesterday says nothing about the tasks of today.
func newestRun(tasks []schema.Task) (older, newest []schema.Task) {
	begin := 0
	var idle schema.Time // from then on none of the tasks before was under way; 0 is never
	for i, t := range latestTries(tasks) {
		if i > 0 && !idle.IsZero() && tasks[t.first].CreatedAt.Time().Sub(idle.Time()) > runGap {
			begin = i
		}
		switch {
		case !t.State.Final():
			idle = 0
		case i == 0 || !idle.IsZero():
			idle = max(idle, t.FinishedAt)
		}
		newest = append(newest, t.Task)
	}
	return newest[:begin], newest[begin:]
}

// ofNewestRun leaves out the tasks of a label that are of an older run, and says so.
func (d *driver) ofNewestRun(label string, tasks []schema.Task) []schema.Task {
	older, newest := newestRun(tasks)
	if len(older) > 0 {
		ended := older[0].FinishedAt
		for i := range older {
			ended = max(ended, older[i].FinishedAt)
		}
		fmt.Fprintf(safe(os.Stderr), "%s: %s means %s of its newest run; left out: %s, the last of which ended at %s\n",
			d.program.Name, label, counted(len(newest), "task"), counted(len(older), "older task"), show.Moment(ended))
	}
	return newest
}
