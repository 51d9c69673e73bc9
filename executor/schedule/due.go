package schedule

import (
	"time"

	"github.com/jobline/jobline/schema"
)

const (
	// Tolerance is how late a due time is no missed one. A server reads the clock once a minute, and
	// one that is started again is there within it.
	Tolerance = 2 * time.Minute
	// MaxMissed is how many missed due times schema.MissedAll runs.
	MaxMissed = 100
	// MaxBack is how far the clock can be set back while due times still count as decided. A clock
	// that was set further back was wrong before.
	MaxBack = 24 * time.Hour
)

// Due is what is to be decided of a schedule at a time.
type Due struct {
	// Run are due times for each of which there must be a task, the earliest first.
	Run []schema.Time
	// Missed is a due time that was missed, and for which there must be none; 0 is none.
	Missed schema.Time
	// Decided is the latest due time that is decided then, or the time from which on they count.
	Decided schema.Time
}

// At answers what is due now. decided is the Decided of the last call. A due time that is more than
// Tolerance ago was missed, since no server ran, the machine slept, the clock was set forward, or
// nothing could be recorded. Where several have come since the last call, all but the last were
// missed.
//
// If the clock was set back, nothing is due until it shows more than decided. If that is more than
// MaxBack, due times count from now on.
func (t *Times) At(now, decided schema.Time, missed schema.MissedPolicy) Due {
	if decided-now > schema.Time(MaxBack/time.Microsecond) {
		return Due{Decided: now}
	}
	n := 1
	if missed == schema.MissedAll {
		n = MaxMissed
	}
	all := t.latest(decided, now, n)
	if len(all) == 0 {
		return Due{Decided: decided}
	}
	last := all[len(all)-1]
	if missed == schema.MissedSkip && now-last > schema.Time(Tolerance/time.Microsecond) {
		return Due{Missed: last, Decided: last}
	}
	return Due{Run: all, Decided: last}
}

// Passed are the due times after decided for which there is to be no task, the earliest first and at
// most the last MaxMissed. For one of them there can be a task all the same: one that was submitted
// when that could not be recorded.
func (t *Times) Passed(due Due, decided schema.Time) []schema.Time {
	last := due.Missed
	if len(due.Run) > 0 {
		last = due.Run[0] - 1
	}
	if last <= decided {
		return nil
	}
	return t.latest(decided, last, MaxMissed)
}
