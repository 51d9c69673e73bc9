package executor

import (
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// ShownSchedule is a schedule as a store has it, for one who reads the store without running it:
// when the next task is due, and the last task without its state. Fault says why it could make no
// tasks. An error means that the text is none of a schedule.
func ShownSchedule(t ScheduleText) (schema.Schedule, error) {
	var s scheduled
	if err := json.Unmarshal(t.Text, &s.storedSchedule); err != nil {
		return schema.Schedule{}, err
	}
	s.Name = t.Name
	if s.due, s.fault = s.times(); s.fault == nil {
		s.next = s.due.Next(s.Decided)
	}
	return s.shown(), nil
}

// shown is the schedule as it is shown, without the state of its last task.
func (s *scheduled) shown() schema.Schedule {
	shown := schema.Schedule{ScheduleParams: s.ScheduleParams, CreatedAt: s.CreatedAt, NextAt: s.next, Skipped: s.Skipped}
	if s.fault != nil {
		shown.Fault = s.fault.Error()
	}
	if s.LastTask != uuid.Nil {
		shown.Last = &schema.ScheduledTask{DueAt: s.LastDue, ID: s.LastTask}
	}
	return shown
}
