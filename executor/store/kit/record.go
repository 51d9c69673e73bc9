package kit

import (
	"cmp"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// EndTime is when a task ends. It is not before the task began, even if the clock was set back.
func EndTime(now, started, created schema.Time) schema.Time { return max(now, started, created) }

// End makes a task final. written is all of its output.
func End(t *schema.Task, o executor.Outcome, written *schema.OutputBytes, now schema.Time) {
	t.State, t.Result, t.Error = o.State, o.Result, o.Error
	t.FinishedAt = EndTime(now, t.StartedAt, t.CreatedAt)
	t.OutputBytes = written
}

// KeptBytes is what a final task counts towards a store's KeepBytes. output is its bytes of output that are
// kept.
func KeptBytes(input, result []byte, output int64) int64 {
	return int64(len(input)+len(result)) + output
}

// StartOf is the start of a running task as an event of Store.Replay.
func StartOf(seq uint64, r *executor.Record, shown *schema.Task) executor.Event {
	return executor.Event{Seq: seq, ID: r.ID, Kind: executor.EventStarted, Attempt: r.Attempt, StartedAt: r.StartedAt, Task: shown}
}

// EndOf is the end of a final task as an event of Store.Replay.
func EndOf(seq uint64, t *schema.Task) executor.Event {
	return executor.Event{Seq: seq, ID: t.ID, Kind: executor.EventFinished, Task: ShownEnd(t)}
}

// ReplayPage sorts events by Seq, and answers the first limit of them.
func ReplayPage(events []executor.Event, limit int) []executor.Event {
	slices.SortFunc(events, func(a, b executor.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events[:min(limit, len(events))]
}
