package schedule

import "time"

// This file finds the times at which a clock on the wall shows what a cron expression says. Between
// two changes of the clock it differs from UTC by a constant, so each such span is looked at alone.

// span is a time between two changes of the clock. What is no change may part it, too.
type span struct {
	begin, end time.Time // of which either is zero where there is no change
	shift      time.Duration
	before     time.Duration // the shift before begin
}

func spanOf(t time.Time, zone *time.Location) span {
	local := t.In(zone)
	s := span{shift: shiftOf(local)}
	s.begin, s.end = local.ZoneBounds()
	if !s.end.IsZero() && !s.end.After(t) { // Go 1.26 answers so on December 31 of leap years after 2037
		s.end = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	s.before = s.shift
	if !s.begin.IsZero() {
		s.before = shiftOf(s.begin.Add(-1).In(zone))
	}
	return s
}

// shiftOf is how much the clock shows more than UTC.
func shiftOf(local time.Time) time.Duration {
	_, seconds := local.Zone()
	return time.Duration(seconds) * time.Second
}

// next is the first due time after a time, or zero where there is none.
func (c *cronTimes) next(after time.Time, zone *time.Location) time.Time {
	from := after.UTC().Add(1)
	for end := from.AddDate(searchYears, 0, 0); from.Before(end); {
		s := spanOf(from, zone)
		if t, found := c.within(from, s); found {
			return t
		}
		if s.end.IsZero() {
			break
		}
		from = s.end.UTC()
	}
	return time.Time{}
}

// within is the first due time of a span that is not before a time of it.
func (c *cronTimes) within(from time.Time, s span) (due time.Time, found bool) {
	wall := from.Add(s.shift)
	if change := s.shift - s.before; change < 0 && !c.everyHour { // what it shows again was due before
		wall = later(wall, s.begin.UTC().Add(s.before))
	} else if change > 0 { // what it has skipped is due now
		skipped, ok := c.first(from.Add(s.before))
		if ok && skipped.Before(s.begin.UTC().Add(s.shift)) {
			due, found = skipped.Add(-s.before), true
		}
	}
	if shown, ok := c.first(wall); ok {
		t := shown.Add(-s.shift)
		if (s.end.IsZero() || t.Before(s.end)) && (!found || t.Before(due)) {
			due, found = t, true
		}
	}
	return due, found
}

// farthest is more than any clock differs from UTC.
const farthest = 26 * time.Hour

// Instant is when a clock on the wall shows a time, which is given as a time in UTC. One that it
// skips is as much later as the change is long. Of one that it shows twice it is the first.
func Instant(wall time.Time, zone *time.Location) time.Time {
	for from := wall.Add(-farthest); ; {
		s := spanOf(from, zone)
		switch t := wall.Add(-s.shift); {
		case !s.end.IsZero() && !t.Before(s.end):
			from = s.end.UTC()
		case t.Before(s.begin): // it was skipped
			return wall.Add(-s.before)
		default:
			return t
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
