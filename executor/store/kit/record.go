package kit

import (
	"cmp"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// EndTime is when a task ends. A clock that was set back lets no task end before
// it began.
func EndTime(now, started, created schema.Time) schema.Time { return max(now, started, created) }

// End makes a task final that has written so much.
func End(t *schema.Task, o executor.Outcome, written *schema.OutputBytes, now schema.Time) {
	t.State, t.Result, t.Error = o.State, o.Result, o.Error
	t.FinishedAt = EndTime(now, t.StartedAt, t.CreatedAt)
	t.OutputBytes = written
}

// KeptBytes is what a final task counts towards a store's KeepBytes, with so many
// bytes of output.
func KeptBytes(input, result []byte, output int64) int64 {
	return int64(len(input)+len(result)) + output
}

// StartOf is the event of the start of a task that runs, as Store.Replay tells it.
func StartOf(seq uint64, r *executor.Record, shown *schema.Task) executor.Event {
	return executor.Event{Seq: seq, ID: r.ID, Kind: executor.EventStarted, Attempt: r.Attempt, StartedAt: r.StartedAt, Task: shown}
}

// EndOf is the event of the end of a final task.
func EndOf(seq uint64, t *schema.Task) executor.Event {
	return executor.Event{Seq: seq, ID: t.ID, Kind: executor.EventFinished, Task: ShownEnd(t)}
}

// ReplayPage is the first of the events, in the order of Seq, as Store.Replay
// answers them.
func ReplayPage(events []executor.Event, limit int) []executor.Event {
	slices.SortFunc(events, func(a, b executor.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events[:min(limit, len(events))]
}
