package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jobline/jobline/schema"
)

// Times are the due times of a schedule. They do not change, so they are safe for concurrent use.
type Times struct {
	cron  *cronTimes // nil if made by Every
	zone  *time.Location
	every schema.Time // microseconds
	since schema.Time // the first due time is since + every
	until schema.Time // the last possible due time; 0 means no end
}

// UTC is the name of the default time zone.
const UTC = "UTC"

// Cron makes the due times of a cron expression in a time zone of the IANA database. until is the last possible
// due time; 0 means no end. The error names the field that is wrong.
func Cron(expression, zone string, until schema.Time) (*Times, error) {
	c, err := parseCron(expression)
	if err != nil {
		return nil, err
	}
	where, err := Zone(zone)
	if err != nil {
		return nil, err
	}
	return &Times{cron: c, zone: where, until: until}, nil
}

// Zone finds a time zone by its name in the IANA database.
func Zone(name string) (*time.Location, error) {
	if folder, _, _ := strings.Cut(name, "/"); slices.Contains(noZones[:], folder) {
		return nil, fmt.Errorf("%q is no name of a time zone", name)
	}
	return time.LoadLocation(name)
}

// noZones are names that time.LoadLocation takes, and that are in no list of time zones. The first
// two mean others to it. The rest are files and folders that some systems have beside those of the
// time zones: they mean something else on another machine, or count leap seconds.
var noZones = [...]string{"", "Local", "localtime", "posixrules", "posix", "right"}

// Every makes due times at a fixed interval. The first one is each after since. until is the last possible one;
// 0 means no end.
func Every(each time.Duration, since, until schema.Time) *Times {
	return &Times{every: schema.Time(each.Microseconds()), since: since, until: until}
}

// Next is the first due time after a time, or 0 if there is none.
func (t *Times) Next(after schema.Time) schema.Time {
	next := t.next(after)
	if t.until != 0 && next > t.until {
		return 0
	}
	return next
}

func (t *Times) next(after schema.Time) schema.Time {
	if t.cron == nil {
		return t.since + (max(after-t.since, 0)/t.every+1)*t.every
	}
	next := t.cron.next(after.Time(), t.zone)
	if next.IsZero() {
		return 0
	}
	return schema.TimeOf(next)
}

// latest are the last due times in (after, now], at most n of them, the earliest first.
func (t *Times) latest(after, now schema.Time, n int) []schema.Time {
	if t.until != 0 {
		now = min(now, t.until)
	}
	const minute = schema.Time(time.Minute / time.Microsecond)
	for back := max(minute, t.every); ; back *= 2 { // most are looked for once a minute
		from := max(after, now-back*schema.Time(n))
		found := t.between(from, now)
		if len(found) >= n || from <= after {
			return found[max(len(found)-n, 0):]
		}
	}
}

func (t *Times) between(after, now schema.Time) (all []schema.Time) {
	for at := t.Next(after); at != 0 && at <= now; at = t.Next(at) {
		all = append(all, at)
	}
	return all
}
