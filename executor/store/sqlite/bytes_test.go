//go:build !race

// The race detector has more in the heap for each allocation.

package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// TestBytesOfAQueuedTask bounds what the heap has for each task that waits, in a long queue.
func TestBytesOfAQueuedTask(t *testing.T) {
	const tasks = 50_000
	s := open(t, withWindow(100))
	before := heap()
	batch := make([]executor.Submission, 1000)
	for range tasks / len(batch) {
		for i := range batch {
			batch[i] = newTask()
		}
		submit(t, s, batch...)
	}
	clear(batch)
	require.Less(t, float64(heap()-before)/tasks, 10.0)
}
