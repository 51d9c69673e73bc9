package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

// naive finds the due times of some days by looking at every minute: which minutes the clock on
// the wall shows, which it skips, and which it shows twice.
func naive(c *cronTimes, zone *time.Location, from, to time.Time) (due []time.Time) {
	const margin = 50 * time.Hour // for what is shown twice, or skipped
	shown := map[time.Time][]time.Time{}
	var walls []time.Time
	for t := from.Add(-margin); t.Before(to.Add(margin)); t = t.Add(time.Minute) {
		wall := t.Add(shiftOf(t.In(zone)))
		shown[wall] = append(shown[wall], t)
		walls = append(walls, wall)
	}
	for wall := walls[0]; wall.Before(walls[len(walls)-1]); wall = wall.Add(time.Minute) {
		if c.Hour>>wall.Hour()&1 == 0 || c.Minute>>wall.Minute()&1 == 0 || !c.dueOn(wall) {
			continue
		}
		switch all := shown[wall]; {
		case len(all) == 0:
			i := slices.IndexFunc(walls, wall.Before) // the first that is later, behind the gap
			before := from.Add(-margin).Add(time.Duration(i-1) * time.Minute)
			due = append(due, before.Add(wall.Sub(walls[i-1])))
		case c.everyHour:
			due = append(due, all...)
		default:
			due = append(due, all[0])
		}
	}
	slices.SortFunc(due, time.Time.Compare)
	due = slices.CompactFunc(due, time.Time.Equal)
	return slices.DeleteFunc(due, func(t time.Time) bool { return !t.After(from) || t.After(to) })
}

// zones change their clocks by an hour, half an hour, two hours, a day, at midnight, or by an odd
// number of minutes.
var zones = []string{
	"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kwajalein",
	"Africa/Casablanca", "Antarctica/Troll", "Asia/Pyongyang", "America/Caracas", "America/St_Johns", "Asia/Tehran", "UTC",
}

func TestDueTimesAreThoseOfAScan(t *testing.T) {
	field := func(t *rapid.T, name string, least, most int) string {
		n := rapid.IntRange(least, most)
		switch rapid.IntRange(0, 3).Draw(t, name) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprintf("*/%d", rapid.IntRange(1, (most+1)/2).Draw(t, name))
		case 2:
			a, b := n.Draw(t, name), n.Draw(t, name)
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		}
		return fmt.Sprintf("%d,%d", n.Draw(t, name), n.Draw(t, name))
	}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		require.NoError(t, err)
		near := time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "near")/60*60, 0)
		if _, end := near.In(zone).ZoneBounds(); !end.IsZero() { // most of the time a change is near
			near = end.UTC().Truncate(time.Minute).Add(-time.Duration(rapid.IntRange(0, 48*60).Draw(t, "minutes")) * time.Minute)
		}
		day := "*"
		if rapid.IntRange(0, 3).Draw(t, "day") == 0 {
			day = fmt.Sprint(rapid.IntRange(1, 28).Draw(t, "day"))
		}
		expression := field(t, "minute", 0, 59) + " " + field(t, "hour", 0, 23) + " " + day + " * *"
		c, err := parseCron(expression)
		require.NoError(t, err, expression)
		from, to := near.UTC(), near.UTC().Add(48*time.Hour)
		var found []time.Time
		for next := c.next(from, zone); !next.IsZero() && !next.After(to); next = c.next(next, zone) {
			found = append(found, next)
		}
		want := naive(c, zone, from, to)
		require.Len(t, found, len(want))
		for i := range want {
			require.Equal(t, want[i], found[i], "%s in %s from %s", expression, zone, from.In(zone))
		}
	})
}

// TestLatestDueTimesAreThoseOfAWalk compares a search backwards with all due times.
func TestLatestDueTimesAreThoseOfAWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.SampledFrom([]string{"* * * * *", "0 * * * *", "30 2 * * *", "0 0 1 * *", "*/7 3-5 * * 1"}).Draw(t, "cron")
		times, err := Cron(expression, "Europe/Berlin", 0)
		if rapid.Bool().Draw(t, "every") {
			times, err = Every(time.Duration(rapid.IntRange(1000, 10_000_000).Draw(t, "ms"))*time.Millisecond, 7, 0), nil
		}
		require.NoError(t, err)
		now := schema.Time(rapid.Int64Range(1_700_000_000, 1_800_000_000).Draw(t, "now")) * 1_000_000
		after := now - schema.Time(rapid.Int64Range(0, 100_000).Draw(t, "ago"))*1_000_000
		n := rapid.IntRange(1, 5).Draw(t, "n")
		all := times.between(after, now)
		require.Equal(t, append([]schema.Time{}, all[max(len(all)-n, 0):]...), append([]schema.Time{}, times.latest(after, now, n)...))
	})
}

func TestTaskIDs(t *testing.T) {
	generation := uuid.MustParse("018f0000-0000-7000-8000-00000000000a")
	id := TaskID("nightly", generation, 1)
	require.Equal(t, id, TaskID("nightly", generation, 1))
	require.Equal(t, uuid.Version(8), id.Version())
	require.Equal(t, uuid.RFC4122, id.Variant())
	for _, other := range []uuid.UUID{TaskID("nightly2", generation, 1), TaskID("nightly", uuid.Nil, 1), TaskID("nightly", generation, 2)} {
		require.NotEqual(t, id, other)
	}
	require.Zero(t, Jitter("a", generation, 1, 0))
	seen := map[time.Duration]bool{}
	for due := range schema.Time(100) {
		j := Jitter("a", generation, due, 10*time.Millisecond)
		require.Equal(t, j, Jitter("a", generation, due, 10*time.Millisecond))
		require.True(t, 0 <= j && j < 10*time.Millisecond)
		seen[j] = true
	}
	require.Len(t, seen, 10)
}

// FuzzCron holds that no expression ends or stops the program, and that due times rise.
func FuzzCron(f *testing.F) {
	for _, seed := range []string{"30 2 * * *", "0 0 L-3,15W * FRI#3", "@weekly", "*/7 22-2 1,31 NOV-FEB 5-7", "? ? ? ? ?", "TZ=0", "0 0 32W * *", "0 0 L-40 * *"} {
		f.Add(seed, int64(1_750_000_000_000_000))
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, expression string, after int64) {
		c, err := parseCron(expression)
		if err != nil {
			return
		}
		last := time.UnixMicro(after % 4_000_000_000_000_000)
		for range 3 {
			next := c.next(last, zone)
			if next.IsZero() {
				return
			}
			require.True(t, next.After(last))
			last = next
		}
	})
}
