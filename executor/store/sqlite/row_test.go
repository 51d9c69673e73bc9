package sqlite

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

func TestABoundIsInMilliseconds(t *testing.T) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	for d, want := range map[time.Duration]int64{
		0:                                        0,
		1:                                        1,
		time.Millisecond:                         1,
		time.Millisecond + 1:                     2,
		time.Hour:                                3_600_000,
		math.MaxInt64:                            most,
		math.MaxInt64 - time.Millisecond:         most,
		time.Duration(most-1) * time.Millisecond: most - 1,
	} {
		require.Equal(t, want, milliseconds(d), d)
		require.GreaterOrEqual(t, time.Duration(milliseconds(d))*time.Millisecond, d.Truncate(time.Millisecond), d)
	}
}

// TestTheLongestBoundIsKept reads it back from the file.
func TestTheLongestBoundIsKept(t *testing.T) {
	s := open(t)
	submit(t, s, newTask(func(r *executor.Record) { r.Timeout, r.Grace = math.MaxInt64, math.MaxInt64 }))
	got, err := s.Get(t.Context(), runOne(t, s, completed))
	require.NoError(t, err)
	require.Equal(t, time.Duration(math.MaxInt64).Truncate(time.Millisecond), got.Timeout)
	require.Equal(t, got.Timeout, got.Grace)
}
