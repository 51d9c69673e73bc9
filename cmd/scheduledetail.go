package cmd

import (
	"fmt"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// scheduleLines are all that is known of a schedule, for a terminal of so many columns; 0 is as many
// as it takes.
func scheduleLines(s *schema.Schedule, now time.Time, out terminal, columns int) []string {
	fields := namedFields{out: out, columns: columns}
	add := fields.add
	add("name", s.Name, bold)
	add("due", show.Due(s), plain)
	add("next", dueText(s.NextAt, now), plain)
	if s.NextAt.IsZero() && s.Fault == "" {
		add("next", "never again", yellow)
	}
	addLastTask(s, now, add)
	add("note", show.ScheduleNote(s), yellow)
	add("until", dueText(s.Until, now), plain)
	add("overlap", string(s.Overlap), plain)
	add("missed", string(s.Missed), plain)
	if s.JitterMs > 0 {
		add("jitter", "up to "+show.Exact(time.Duration(s.JitterMs)*time.Millisecond), plain)
	}
	submit := s.Submit.Params()
	task := schema.Task{Type: submit.Type, Input: submit.Input, Conditions: &submit.Conditions}
	add("type", task.Type, plain)
	add("task", show.Work(&task), plain)
	add("folder", show.CommandOf(&task).Dir, plain)
	add("labels", show.Labels(submit.Labels), plain)
	if submit.Priority != nil {
		add("priority", fmt.Sprint(*submit.Priority), plain)
	}
	switch {
	case submit.TimeoutMs > 0:
		add("timeout", show.Exact(time.Duration(submit.TimeoutMs)*time.Millisecond), plain)
	case submit.TimeoutMs == schema.NoTimeout:
		add("timeout", "none", plain)
	}
	addConditions(&task, now, add)
	if submit.ExpireMs > 0 {
		add("expires", show.Exact(time.Duration(submit.ExpireMs)*time.Millisecond)+" after it was due", plain)
	}
	add("made", timeText(s.CreatedAt, now), plain)
	return fields.lines
}

// addLastTask adds what became of the last task of a schedule.
func addLastTask(s *schema.Schedule, now time.Time, add func(name, text string, s style)) {
	if s.Last == nil {
		return
	}
	state, style := "no longer kept", dim
	if s.Last.State != nil {
		state, style = show.State(&schema.Task{State: *s.Last.State, Error: s.Last.Error}), stateStyle(*s.Last.State)
	}
	add("last", fmt.Sprintf("%s: %s %s", timeText(s.Last.DueAt, now), s.Last.ID, state), style)
	if s.Last.Error != nil {
		add("error", s.Last.Error.Message, red)
	}
}
