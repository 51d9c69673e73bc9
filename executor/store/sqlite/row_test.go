package sqlite

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// TestTheLongestBoundIsKept reads it back from the file.
func TestTheLongestBoundIsKept(t *testing.T) {
	s := open(t)
	submit(t, s, newTask(func(r *executor.Submission) { r.Timeout, r.Grace = math.MaxInt64, math.MaxInt64 }))
	got, err := s.Get(t.Context(), runOne(t, s, completed))
	require.NoError(t, err)
	require.Equal(t, time.Duration(math.MaxInt64).Truncate(time.Millisecond), got.Timeout)
	require.Equal(t, got.Timeout, got.Grace)
}
