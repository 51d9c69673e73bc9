package schedule

import (
	"time"

	"github.com/jobline/jobline/schema"
)

const (
	// Tolerance is how late a due time may be before it counts as missed. A server reads the clock once a
	// minute, and a restart takes less than this.
	Tolerance = 2 * time.Minute
	// MaxMissed is how many missed due times schema.MissedAll runs at most.
	MaxMissed = 100
	// MaxBack is how far the clock can be set back while decided due times stay decided. A clock that is set
	// back further was wrong before.
	MaxBack = 24 * time.Hour
)

// Due is what is to be done for a schedule at a time.
type Due struct {
	// Run are the due times that get a task each, the earliest first.
	Run []schema.Time
	// Missed is the latest due time that was missed and gets no task; 0 means none.
	Missed schema.Time
	// Decided is the latest due time that is decided, or the time from which due times count.
	Decided schema.Time
}

// At answers what is due now. decided is the Decided of the last call. A due time more than Tolerance ago was
// missed: no server ran, the machine slept, the clock was set forward, or nothing could be recorded. If several
// due times have come since the last call, all but the last were missed.
//
// If the clock was set back, nothing is due until it shows more than decided. If it was set back by more than
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

// Passed are the due times after decided that get no task, the earliest first, at most the last MaxMissed. One
// of them can still have a task, if that was submitted when the decision could not be recorded.
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
