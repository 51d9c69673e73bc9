package show

import (
	"time"

	"github.com/jobline/jobline/schema"
)

// Due says when tasks of a schedule are due, as "30 2 * * * Europe/Berlin" or "every 10m".
func Due(s *schema.Schedule) string {
	if s.EveryMs > 0 {
		return "every " + Exact(time.Duration(s.EveryMs)*time.Millisecond)
	}
	return s.Cron + " " + s.TimeZone
}

// ScheduleNote is what is wrong with a schedule, or why a task that was due after the last one was
// not submitted.
func ScheduleNote(s *schema.Schedule) string {
	switch {
	case s.Fault != "":
		return s.Fault
	case s.Skipped != nil && (s.Last == nil || s.Skipped.DueAt > s.Last.DueAt):
		return "none at " + Moment(s.Skipped.DueAt) + ": " + s.Skipped.Reason
	}
	return ""
}
