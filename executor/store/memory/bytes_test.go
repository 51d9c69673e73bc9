//go:build !race

// The race detector has more in the heap for each allocation.

package memory_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
)

// TestBytesOfATask bounds what a store has in the heap for each task that waits,
// and for each that is finished and kept. Their inputs and results have two bytes, so
// that little counts but what the store itself needs.
func TestBytesOfATask(t *testing.T) {
	const tasks = 200_000
	before := heap()
	s := queued(t, tasks, memory.Options{Keep: tasks})
	require.Less(t, (heap()-before)/tasks, 130.0, "a queued task")
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	for range tasks {
		lease, err := c.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		require.NoError(t, lease.Started(0))
		lease.Finish(completed, func(err error) { require.NoError(t, err) })
		lease.Release()
	}
	require.Less(t, (heap()-before)/tasks, 130.0, "a finished task")
	require.NoError(t, s.Close())
}

// heap is how many bytes the heap has that are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
