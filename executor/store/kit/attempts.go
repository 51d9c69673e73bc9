package kit

import (
	"slices"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Followed is the history of a task after an attempt that is followed by another one. r is the task as it was
// claimed, with RunsOn; written is its output so far.
func Followed(r *executor.Record, a *executor.NextAttempt, written *schema.OutputBytes, now schema.Time) *executor.History {
	h := new(executor.History)
	if r.History != nil {
		*h = *r.History
	}
	before := h.Written
	h.DueAt, h.Written, h.InputEnded = a.At, written, a.InputEnded
	if a.Error == nil {
		h.Snoozes++
		return h
	}
	if a.Rerun {
		h.Reruns++
	}
	ended := schema.Attempt{
		Attempt: r.Attempt, StartedAt: r.StartedAt, FinishedAt: EndTime(now, r.StartedAt, r.CreatedAt),
		Error: briefError(a.Error), RanOn: r.RunsOn, Output: executor.Written(before, written),
	}
	kept := slices.Clone(h.Attempts[max(0, len(h.Attempts)+1-schema.MaxAttempts):])
	if n := len(kept); n > 0 {
		kept[n-1].Error = earlierError(kept[n-1].Error)
	}
	h.Attempts = append(kept, ended)
	return h
}

// earlierError shortens the error of an attempt that is no longer the latest. It is nil for nil.
func earlierError(e *schema.TaskError) *schema.TaskError {
	if e == nil {
		return nil
	}
	earlier := *e
	earlier.Message, earlier.StderrTail = strings.Clone(schema.CutBytes(e.Message, schema.MaxEarlierText)), ""
	return &earlier
}

// Retrying is the event of an attempt that is followed by another one. shown is the event's Task.
func Retrying(r *executor.Record, a *executor.NextAttempt, shown *schema.Task) executor.Event {
	again := &executor.NextAttempt{At: a.At, Error: briefError(a.Error)}
	return executor.Event{ID: r.ID, Kind: executor.EventRetrying, Attempt: r.Attempt, Next: again, Task: shown}
}

// Updated is the event of a change of a queued task. r is the task after the change, and before are its labels
// before it.
func Updated(r *executor.Record, before map[string]string) executor.Event {
	ev := executor.Event{ID: r.ID, Kind: executor.EventUpdated, LabelsBefore: before, Task: &schema.Task{
		ID: r.ID, Type: r.Type, Priority: r.Priority, Labels: r.Labels, CreatedAt: r.CreatedAt, Conditions: r.Task.Conditions,
	}}
	if r.History != nil {
		ev.Next = &executor.NextAttempt{At: r.History.DueAt}
	}
	return ev
}

// briefError is an error with texts of at most schema.MaxAttemptText bytes, or nil. They are copies,
// because a part of a text keeps the whole in memory.
func briefError(e *schema.TaskError) *schema.TaskError {
	if e == nil {
		return nil
	}
	brief := *e
	brief.Message = strings.Clone(schema.CutBytes(e.Message, schema.MaxAttemptText))
	if more := len(e.StderrTail) - schema.MaxAttemptText; more > 0 {
		brief.StderrTail = strings.ToValidUTF8(strings.Clone(e.StderrTail[more:]), "")
	}
	return &brief
}
