package cmd

import (
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/cmd/internal/show"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "16777216": 16 << 20, "16MiB": 16 << 20, " 2 KiB ": 2 << 10, "3kB": 3000, "4MB": 4e6,
		"5GiB": 5 << 30, "5G": 5 << 30, "1 M": 1 << 20, "2K": 2 << 10, "2k": 2 << 10, "1T": 1 << 40, "6GB": 6e9, "7B": 7, "1TiB": 1 << 40, "9223372036854775807": math.MaxInt64,
	} {
		n, ok := parseSize(text)
		require.True(t, ok, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5MiB", "1mib", "16m", "1.5G", "8388608TiB", "9223372036854775808", "0x10"} {
		_, ok := parseSize(text)
		require.False(t, ok, text)
	}
}

func TestSizesAreWrittenAsTheyAreRead(t *testing.T) {
	for n, want := range map[int64]string{1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 16 << 20: "16MiB", 5 << 40: "5TiB"} {
		require.Equal(t, want, formatSize(n))
		back, ok := parseSize(want)
		require.True(t, ok)
		require.Equal(t, n, back)
	}
}

func TestBoundsOfFlags(t *testing.T) {
	var n int
	number := count(&n, 7, 2)
	require.Equal(t, "7", number.String())
	require.NoError(t, number.Set("2"))
	for _, text := range []string{"1", "-2", "", "2.0", "two", "99999999999999999999"} {
		require.ErrorContains(t, number.Set(text), "want a number of 2 or more", text)
	}
	require.Equal(t, 2, n, "a bad value changes nothing")

	number = countTo(&n, 7, 2, 9)
	require.NoError(t, number.Set("9"))
	for _, text := range []string{"1", "10", "nine"} {
		require.ErrorContains(t, number.Set(text), "want a number from 2 to 9", text)
	}

	var bytes int64
	sized := size(&bytes, 16<<20, 1<<10)
	require.Equal(t, "16MiB", sized.String())
	require.NoError(t, sized.Set("1KiB"))
	for _, text := range []string{"1023", "1kB", "0", "many"} {
		require.ErrorContains(t, sized.Set(text), "want a number of bytes, 1KiB or more", text)
	}
	require.EqualValues(t, 1024, bytes)

	var d time.Duration
	limit := span(&d, time.Hour, time.Second)
	require.Equal(t, "1h", limit.String())
	require.NoError(t, limit.Set("1s"))
	for _, text := range []string{"999ms", "-1h", "-5", "0.5", "", ".", "soon"} {
		require.ErrorContains(t, limit.Set(text), "want a time of 1s or more", text)
	}
	require.Equal(t, time.Second, d)
	require.NoError(t, limit.Set("5"))
	require.Equal(t, 5*time.Second, d)
	require.NoError(t, limit.Set("1.5"))
	require.Equal(t, 1500*time.Millisecond, d)
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"300ms": 300 * time.Millisecond, "24h": day, "30d": 30 * day, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "0d": 0, "1": time.Second, "1.5": 1500 * time.Millisecond,
	} {
		d, err := parseSpan(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{"", "d", ".", "1dd", "1d-1h", "1d1", "xd", "1e300d", "NaNd", "106751d24h"} {
		_, err := parseSpan(text)
		require.Error(t, err, text)
	}
	for d, want := range map[time.Duration]string{time.Hour: "1h", 90 * time.Minute: "90m", day: "24h", 30 * day: "30d"} {
		require.Equal(t, want, show.Exact(d))
		back, err := parseSpan(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}

func TestNamesInTheEnvironment(t *testing.T) {
	require.Equal(t, "JOBLINE_MAX_MESSAGE", envName("max-message"))
	require.Equal(t, "JOBLINE_LIMIT", envName("limit"))
}

func TestCounted(t *testing.T) {
	require.Equal(t, "0 bytes", counted(0, "byte"))
	require.Equal(t, "1 byte", counted(int64(1), "byte"))
	require.Equal(t, "2 bytes", counted(2, "byte"))
}

func TestVariablesOfNoFlag(t *testing.T) {
	root := (&Program{Name: "jobline"}).newRoot(io.Discard)
	c, _, err := root.Find([]string{"serve"})
	require.NoError(t, err)
	c.InitDefaultHelpFlag()
	for variable, says := range map[string]string{
		"JOBLINE_LIMIT=3":       "",
		"JOBLINE_MAX_BATCH=3":   "",
		"JOBLINE_LIMT=":         "",
		"JOBLINE_SERVER_ID=1":   "",
		"JOBLINE_TASK_ID=1":     "",
		"JOBLINE_CLIENTS=/a":    "",
		"OTHER=1":               "",
		"JOBLINE_LIMT=3":        "the variable JOBLINE_LIMT is of no flag; did you mean JOBLINE_LIMIT?",
		"JOBLINE_MAXBATCH=3":    "the variable JOBLINE_MAXBATCH is of no flag; did you mean JOBLINE_MAX_BATCH?",
		"JOBLINE_max_batch=3":   "the variable JOBLINE_max_batch is of no flag; did you mean JOBLINE_MAX_BATCH?",
		"JOBLINE_HELP=1":        "the variable JOBLINE_HELP is of no flag; jobline serve --help lists the flags",
		"JOBLINE_SOMETHING=a=b": "the variable JOBLINE_SOMETHING is of no flag; jobline serve --help lists the flags",
	} {
		warnings := unknownVariables(c, []string{"PATH=/bin", variable})
		if says == "" {
			require.Empty(t, warnings, variable)
			continue
		}
		require.Equal(t, []string{says}, warnings)
	}
}

func TestMomentsOfFlags(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "1d": now.Add(-24 * time.Hour), "2026-01-30T10:00:00Z": time.Date(2026, 1, 30, 10, 0, 0, 0, time.UTC),
		"2026-01-30": time.Date(2026, 1, 30, 0, 0, 0, 0, time.Local), "2026-01-30 10:05": time.Date(2026, 1, 30, 10, 5, 0, 0, time.Local),
	} {
		got, ok := parseMoment(text, now)
		require.True(t, ok, text)
		require.True(t, want.Equal(got.Time()), text)
	}
	for _, text := range []string{"", "yesterday", "-2h", "2026-13-01"} {
		_, ok := parseMoment(text, now)
		require.False(t, ok, text)
	}
}
