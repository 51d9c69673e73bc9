package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func at(t testing.TB, text string) schema.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return schema.TimeOf(parsed)
}

func cronIn(t testing.TB, expression, zone string) *Times {
	t.Helper()
	times, err := Cron(expression, zone, 0)
	require.NoError(t, err, expression)
	return times
}

// dues are the next n due times, on the clock of their zone.
func (t *Times) dues(after schema.Time, n int) string {
	var all []string
	for range n {
		if after = t.Next(after); after == 0 {
			all = append(all, "never")
			break
		}
		all = append(all, after.Time().In(t.zone).Format("2006-01-02T15:04-07:00"))
	}
	return strings.Join(all, " ")
}

// TestChangesOfTheClock follows real zones over changes of their clocks: by an hour, by half an
// hour, at midnight, and by a day.
func TestChangesOfTheClock(t *testing.T) {
	for _, c := range []struct{ name, cron, zone, after, want string }{
		{"a skipped time is as much later", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			"2026-03-29T03:30+02:00 2026-03-30T02:30+02:00"},
		{"the first minute that is skipped", "0 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			"2026-03-29T03:00+02:00 2026-03-30T02:00+02:00"},
		{"a skipped time and the one that it falls on are one", "30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			"2026-03-29T03:30+02:00 2026-03-30T02:30+02:00 2026-03-30T03:30+02:00"},
		{"of a time that there is twice the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			"2026-10-25T02:30+02:00 2026-10-26T02:30+01:00"},
		{"a schedule of the second time waits for the next day", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z",
			"2026-10-26T02:30+01:00"},
		{"the first time after the change", "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			"2026-10-25T03:00+01:00 2026-10-26T03:00+01:00"},
		{"every hour is due both times", "30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
			"2026-10-25T01:30+02:00 2026-10-25T02:30+02:00 2026-10-25T02:30+01:00 2026-10-25T03:30+01:00"},
		{"every hour skips none", "30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			"2026-03-29T01:30+01:00 2026-03-29T03:30+02:00 2026-03-29T04:30+02:00"},
		{"quarters of a skipped hour", "*/15 2 * * *", "America/New_York", "2026-03-08T05:00:00Z",
			"2026-03-08T03:00-04:00 2026-03-08T03:15-04:00 2026-03-08T03:30-04:00 2026-03-08T03:45-04:00 2026-03-09T02:00-04:00"},
		{"an hour that there is twice in New York", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			"2026-11-01T01:30-04:00 2026-11-02T01:30-05:00"},
		{"half an hour is skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T05:00:00Z",
			"2026-10-04T02:45+11:00 2026-10-05T02:15+11:00"},
		{"what the half hour has not skipped", "45 2 * * *", "Australia/Lord_Howe", "2026-10-02T05:00:00Z",
			"2026-10-03T02:45+10:30 2026-10-04T02:45+11:00"},
		{"half an hour is there twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T05:00:00Z",
			"2026-04-05T01:45+11:00 2026-04-06T01:45+10:30"},
		{"every hour in half an hour that is there twice", "45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z",
			"2026-04-05T01:45+11:00 2026-04-05T01:45+10:30 2026-04-05T02:45+10:30"},
		{"midnight is skipped", "30 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
			"2018-11-04T01:30-02:00 2018-11-05T00:30-02:00"},
		{"a day is skipped, and is due a day later", "0 9 * * FRI", "Pacific/Apia", "2011-12-28T12:00:00Z",
			"2011-12-31T09:00+14:00 2012-01-06T09:00+14:00"},
		{"a skipped day and the next are one", "0 9 * * *", "Pacific/Apia", "2011-12-28T12:00:00Z",
			"2011-12-28T09:00-10:00 2011-12-29T09:00-10:00 2011-12-31T09:00+14:00 2012-01-01T09:00+14:00"},
		{"the end of a leap year long after this one", "0 1 * * *", "Europe/Berlin", "2040-12-30T12:00:00Z",
			"2040-12-31T01:00+01:00 2041-01-01T01:00+01:00 2041-01-02T01:00+01:00"},
		{"a zone without changes", "30 2 * * *", "UTC", "2026-10-24T12:00:00Z", "2026-10-25T02:30+00:00 2026-10-26T02:30+00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := strings.Count(c.want, " ") + 1
			require.Equal(t, c.want, cronIn(t, c.cron, c.zone).dues(at(t, c.after), n))
		})
	}
}

func TestExpressions(t *testing.T) {
	for expression, want := range map[string]string{
		"0 0 L * *":       "2026-01-31 2026-02-28 2026-03-31",
		"0 0 L-2 * *":     "2026-01-29 2026-02-26 2026-03-29",
		"0 0 LW * *":      "2026-01-30 2026-02-27 2026-03-31",
		"0 0 1W * *":      "2026-02-02 2026-03-02 2026-04-01",
		"0 0 31W * *":     "2026-01-30 2026-03-31 2026-05-29",
		"0 0 * * FRI#3":   "2026-01-16 2026-02-20 2026-03-20",
		"0 0 * * FRI#5":   "2026-01-30 2026-05-29 2026-07-31",
		"0 0 * * MON#L":   "2026-01-26 2026-02-23 2026-03-30",
		"0 0 * * 7":       "2026-01-04 2026-01-11 2026-01-18",
		"0 0 * * 5-7":     "2026-01-02 2026-01-03 2026-01-04",
		"0 0 13 * 5":      "2026-01-02 2026-01-09 2026-01-13", // by the day or by the weekday
		"0 0 */2 * 1":     "2026-01-05 2026-01-19 2026-02-09", // both: the first restricts nothing
		"0 0 29 2 *":      "2028-02-29 2032-02-29 2036-02-29",
		"0 0 31 4,5 *":    "2026-05-31 2027-05-31 2028-05-31",
		"@monthly":        "2026-02-01 2026-03-01 2026-04-01",
		"0 0 1 NOV-FEB *": "2026-02-01 2026-11-01 2026-12-01",
	} {
		times := cronIn(t, expression, "UTC")
		var found []string
		for next := times.Next(at(t, "2026-01-01T00:00:00Z")); len(found) < 3; next = times.Next(next) {
			found = append(found, next.Time().Format(time.DateOnly))
		}
		require.Equal(t, want, strings.Join(found, " "), expression)
	}
	// February 29 on a Monday, which comes after 40 years where 2100 is between.
	require.Equal(t, "2112-02-29T00:00+00:00", cronIn(t, "0 0 */28 2 MON#5", "UTC").dues(at(t, "2072-03-01T00:00:00Z"), 1))
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for expression, says := range map[string]string{
		"":                         "empty",
		"* * *":                    "5 fields",
		"0 0 30 2 *":               "no day is ever due",
		"0 0 31 4,6,9,11 *":        "no day is ever due",
		"@every 1h":                "everyMs",
		"TZ=Asia/Tokyo 0 9 * * *":  "timeZone",
		"CRON_TZ=UTC 0 9 * * *":    "timeZone",
		"60 * * * *":               `the minute is "60"; want 0 to 59,`,
		"a b c d e":                `the minute is "a"; want 0 to 59,`,
		"* 24 * * *":               `the hour is "24"; want 0 to 23,`,
		"* * 1-x * *":              `the day is "1-x"; want 1 to 31,`,
		"* * * foo *":              `the month is "foo"; want 1 to 12, or jan to dec,`,
		"* * * * 8":                `the weekday is "8"; want 0 to 7, or sun to sat,`,
		"*/0 * * * *":              "step",
		"0 0 0 * *":                `the day is "0"`,
		"0 0 1 1 * 2027":           "5 fields",
		"H * * * *":                `the minute is "H"`,
		strings.Repeat("1,", 4000): "long",
	} {
		_, err := Cron(expression, "UTC", 0)
		require.ErrorContains(t, err, says, expression)
	}
	for _, zone := range []string{"", "Local", "Europe/Atlantis", "../etc/passwd", "localtime", "posixrules", "posix/Europe/Berlin", "right/UTC"} {
		_, err := Cron("0 0 * * *", zone, 0)
		require.Error(t, err, zone)
	}
}

func TestEvery(t *testing.T) {
	since := at(t, "2026-01-01T00:00:00Z")
	times := Every(10*time.Minute, since, since+25*60_000_000)
	times.zone = time.UTC
	require.Equal(t, "2026-01-01T00:10+00:00 2026-01-01T00:20+00:00 never", times.dues(since, 3))
	require.Equal(t, since+600_000_000, times.Next(since-5), "none is due before it was made")
	require.Equal(t, since+1200_000_000, times.Next(since+600_000_000))
}

func TestWhatIsDue(t *testing.T) {
	const minute = schema.Time(60_000_000)
	nightly := cronIn(t, "30 2 * * *", "Europe/Berlin")
	due := at(t, "2026-06-02T00:30:00Z")
	before := due - 24*60*minute
	for _, c := range []struct {
		name    string
		now     schema.Time
		decided schema.Time
		missed  schema.MissedPolicy
		want    Due
	}{
		{"not yet", due - 1, before, schema.MissedAll, Due{Decided: before}},
		{"now", due, before, schema.MissedSkip, Due{Run: []schema.Time{due}, Decided: due}},
		{"a little late", due + 2*minute, before, schema.MissedSkip, Due{Run: []schema.Time{due}, Decided: due}},
		{"too late", due + 3*minute, before, schema.MissedSkip, Due{Missed: due, Decided: due}},
		{"too late for one", due + 3*minute, before, schema.MissedOne, Due{Run: []schema.Time{due}, Decided: due}},
		{"decided", due + 1, due, schema.MissedAll, Due{Decided: due}},
		{"the clock was set back", due - 60*minute, due, schema.MissedAll, Due{Decided: due}},
		{"the clock had been wrong", due - 3*24*60*minute, due, schema.MissedAll, Due{Decided: due - 3*24*60*minute}},
		{"three nights, and the last in time", due + minute, before - 48*60*minute, schema.MissedSkip, Due{Run: []schema.Time{due}, Decided: due}},
		{"three nights", due + 60*minute, before - 48*60*minute, schema.MissedAll, Due{Run: []schema.Time{before - 24*60*minute, before, due}, Decided: due}},
		{"three nights as one", due + 60*minute, before - 48*60*minute, schema.MissedOne, Due{Run: []schema.Time{due}, Decided: due}},
	} {
		require.Equal(t, c.want, nightly.At(c.now, c.decided, c.missed), c.name)
	}
	often := cronIn(t, "* * * * *", "UTC")
	all := often.At(due, due-365*24*60*minute, schema.MissedAll)
	require.Len(t, all.Run, MaxMissed)
	require.Equal(t, due-99*minute, all.Run[0])
	require.Equal(t, due, all.Run[99])
	yearly := cronIn(t, "0 0 1 1 *", "UTC")
	require.Len(t, yearly.At(due, at(t, "2020-06-01T00:00:00Z"), schema.MissedAll).Run, 6)
	ended, err := Cron("* * * * *", "UTC", due-5*minute)
	require.NoError(t, err)
	require.Equal(t, []schema.Time{due - 5*minute}, ended.At(due, due-60*minute, schema.MissedOne).Run)
	require.Equal(t, Due{Decided: due - 5*minute}, ended.At(due, due-5*minute, schema.MissedAll))
}

// TestInstantIsTheDueTimeOfThatTime compares times with those of a cron expression for them.
func TestInstantIsTheDueTimeOfThatTime(t *testing.T) {
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for _, from := range []string{"2011-12-29T00:00:00Z", "2018-11-03T12:00:00Z", "2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-04-04T00:00:00Z", "2026-10-03T00:00:00Z", "2026-10-24T12:00:00Z", "2026-10-31T12:00:00Z", "2040-12-30T00:00:00Z"} {
			wall := at(t, from).Time()
			for range 48 * 4 {
				wall = wall.Add(15 * time.Minute)
				c, err := parseCron(wall.Format("4 15 2 1 *"))
				require.NoError(t, err)
				require.Equal(t, c.next(wall.Add(-50*time.Hour), zone).UTC(), Instant(wall, zone), "%s in %s", wall, name)
			}
		}
	}
}
