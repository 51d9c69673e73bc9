package schedule

import "time"

// This file finds the times at which the local time of a zone is due by a cron expression. Between two changes
// of the clock the local time differs from UTC by a constant, so each such span is searched by itself.

// span is a time between two changes of the clock. It may also begin or end without a change.
type span struct {
	begin, end time.Time // either is zero if there is no change
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

// shiftOf is how much local time is ahead of UTC.
func shiftOf(local time.Time) time.Duration {
	_, seconds := local.Zone()
	return time.Duration(seconds) * time.Second
}

// next is the first due time after a time, or the zero time if there is none.
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

// within is the first due time in a span at or after from.
func (c *cronTimes) within(from time.Time, s span) (due time.Time, found bool) {
	wall := from.Add(s.shift)
	if change := s.shift - s.before; change < 0 && !c.everyHour { // local times that come a second time were due the first time
		wall = later(wall, s.begin.UTC().Add(s.before))
	} else if change > 0 { // local times that were skipped are due now
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

// farthest is more than any local time differs from UTC.
const farthest = 26 * time.Hour

// Instant is when local time shows wall, which is given as a time in UTC. A time that a change skips is as much
// later as the change is long. Of a time that is shown twice, it is the first.
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
