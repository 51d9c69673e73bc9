package cmd

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// TestTimesOfTheDayAreTheNext reads times of the day, also around changes of summer time.
func TestTimesOfTheDayAreTheNext(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, c := range []struct{ now, text, want string }{
		{"2026-01-31T01:00:00+01:00", "02:30", "2026-01-31T02:30:00+01:00"},
		{"2026-01-31T02:30:00+01:00", "02:30", "2026-02-01T02:30:00+01:00"},
		{"2026-01-31T12:00:00+01:00", "02:30:15", "2026-02-01T02:30:15+01:00"},
		{"2026-03-28T12:00:00+01:00", "02:30", "2026-03-29T03:30:00+02:00"}, // there is no 02:30 that night
		{"2026-10-24T12:00:00+02:00", "02:30", "2026-10-25T02:30:00+02:00"}, // there are two
		{"2026-10-25T02:40:00+02:00", "02:30", "2026-10-26T02:30:00+01:00"}, // the first has passed
		{"2026-10-24T12:00:00+02:00", "2026-10-25T02:30", "2026-10-25T02:30:00+02:00"},
		{"2026-03-28T12:00:00+01:00", "12:00", "2026-03-29T12:00:00+02:00"},
		{"2026-01-31T12:00:00+01:00", "2026-07-01T02:30", "2026-07-01T02:30:00+02:00"},
		{"2026-01-31T12:00:00+01:00", "2026-07-01T02:30:00Z", "2026-07-01T04:30:00+02:00"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		due, ok := parseDue(c.text, now.In(berlin))
		require.True(t, ok, c.text)
		require.Equal(t, c.want, due.In(berlin).Format(time.RFC3339), "%s at %s", c.text, c.now)
	}
	for _, text := range []string{"", "25:00", "02", "soon", "02:30 Uhr", "10m"} {
		_, ok := parseDue(text, time.Now())
		require.False(t, ok, text)
	}
}

func TestHowATaskMustEndIsBehindItsName(t *testing.T) {
	for text, want := range map[string]struct {
		name string
		on   schema.On
	}{
		"018f": {"018f", schema.OnSuccess}, "018f:failure": {"018f", schema.OnFailure}, "a=b:finish": {"a=b", schema.OnFinish},
		"a=b:c": {"a=b:c", schema.OnSuccess}, "@last:success": {"@last", schema.OnSuccess},
	} {
		name, on := splitOn(text)
		require.Equal(t, want.name, name, text)
		require.Equal(t, want.on, on, text)
	}
}

func TestRatesAreACountAndATime(t *testing.T) {
	for text, want := range map[string]schema.Rate{
		"100/1m": {Count: 100, PerMs: 60_000}, "1/s": {Count: 1, PerMs: 1000}, "5/2d": {Count: 5, PerMs: 172_800_000},
	} {
		got, ok := parseRate(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
		back, ok := parseRate(formatRate(got))
		require.True(t, ok)
		require.Equal(t, want, back)
	}
	for _, text := range []string{"", "10", "/1m", "0/1m", "-1/1m", "10/0s", "10/-1m", "x/1m", "10/1x"} {
		_, ok := parseRate(text)
		require.False(t, ok, text)
	}
}

// Run asks for the shared server where any flag of a condition is given.
func TestTheFlagsOfConditionsAreNamed(t *testing.T) {
	c := &cobra.Command{Use: "run"}
	var o conditionFlags
	o.flags(c, &driver{program: &Program{Name: "jobline"}})
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	require.ElementsMatch(t, conditionNames, names)
}
