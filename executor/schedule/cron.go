package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// searchYears is how many years ahead a due time is looked for. A February 29 on a given weekday comes at least
// every 40 years.
const searchYears = 50

// cronParser reads five fields, names such as @daily, and L, W and # as Quartz has them. It only
// reads: when an expression is due is decided here.
var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.Extended)

// cronTimes are the due times of a cron expression, in local time.
type cronTimes struct {
	*cron.SpecSchedule
	// eitherDay means that a day is due by its number or by its weekday, because the expression restricts both
	// (crontab(5)).
	eitherDay bool
	everyHour bool
}

var (
	errEvery = errors.New("@every is not taken: give everyMs in place of cron")
	errZone  = errors.New("a time zone does not stand in it: give timeZone")
	errNever = errors.New("no day is ever due, as of February 30")
)

func parseCron(text string) (*cronTimes, error) {
	if strings.Contains(text, "TZ=") { // the parser takes CRON_TZ=, too
		return nil, errZone
	}
	parsed, err := cronParser.Parse(text)
	if err != nil {
		return nil, cronError(text, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errEvery
	}
	c := &cronTimes{SpecSchedule: spec, everyHour: bits.OnesCount64(spec.Hour<<40) == 24}
	if fields := strings.Fields(text); len(fields) == 5 {
		c.eitherDay = !startsWithStar(fields[2]) && !startsWithStar(fields[4])
	}
	if _, found := c.first(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !found {
		return nil, errNever
	}
	return c, nil
}

// cronFields are the fields of an expression, and what each may be.
var cronFields = [...]struct{ name, want string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day", "1 to 31, or L for the last"},
	{"month", "1 to 12, or jan to dec"},
	{"weekday", "0 to 7, or sun to sat"},
}

// mostQuoted is up to which length of an expression an error quotes its field.
const mostQuoted = 200

// cronError says which field of an expression is wrong. err is the error of the parser.
func cronError(text string, err error) error {
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "@"), len(fields) == 0, len(text) > mostQuoted:
		return err
	case len(fields) != len(cronFields):
		return fmt.Errorf("it takes %d fields, and this has %d", len(cronFields), len(fields))
	}
	for i, field := range fields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = field
		if _, err := cronParser.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Errorf("the %s is %q; want %s, with * for all, or a list as 1,3, a range as 1-5 or a step as */2", cronFields[i].name, field, cronFields[i].want)
		}
	}
	return err
}

// startsWithStar reports whether a field counts as unrestricted (crontab(5)).
func startsWithStar(field string) bool { return field[0] == '*' || field[0] == '?' }

// first is the first due time at or after from. Both are local times, written as times in UTC.
func (c *cronTimes) first(from time.Time) (t time.Time, found bool) {
	t = from.Truncate(time.Minute)
	if t.Before(from) {
		t = t.Add(time.Minute)
	}
	for end := t.Year() + searchYears; t.Year() < end; {
		switch year, month, day := t.Date(); {
		case c.Month>>month&1 == 0:
			t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.dueOn(t):
			t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case c.Hour>>t.Hour()&1 == 0:
			t = t.Truncate(time.Hour).Add(time.Hour)
		case c.Minute>>t.Minute()&1 == 0:
			t = t.Add(time.Minute)
		default:
			return t, true
		}
	}
	return t, false
}

// dueOn reports whether a day is due.
func (c *cronTimes) dueOn(t time.Time) bool {
	byNumber := c.Dom>>t.Day()&1 == 1 || slices.ContainsFunc(c.DomConstraints, func(d cron.DomConstraint) bool { return dayOf(d, t) == t.Day() })
	byWeekday := c.Dow>>t.Weekday()&1 == 1 || slices.ContainsFunc(c.DowConstraints, func(d cron.DowConstraint) bool { return isNth(d, t) })
	if c.eitherDay {
		return byNumber || byWeekday
	}
	return byNumber && byWeekday
}

// dayOf is the day of the month of t that a constraint means, or 0 if the month has none.
func dayOf(d cron.DomConstraint, t time.Time) int {
	last := daysIn(t)
	switch {
	case d.Type == cron.DomLast:
		return last
	case d.Type == cron.DomLastOffset:
		return last - d.N
	case d.Type == cron.DomLastWeekday:
		return workday(t, last, last)
	case d.N <= last: // the workday next to a day
		return workday(t, d.N, last)
	}
	return 0
}

// workday is the day from Monday to Friday that is nearest to a day, within the month.
func workday(t time.Time, day, last int) int {
	switch time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}

// isNth reports whether a day is the weekday of a constraint: the Nth of its month, or the last.
func isNth(d cron.DowConstraint, t time.Time) bool {
	if int(t.Weekday()) != d.Weekday%7 {
		return false
	}
	if d.N < 0 {
		return t.Day()+7 > daysIn(t)
	}
	return (t.Day()+6)/7 == d.N
}

func daysIn(t time.Time) int { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }
