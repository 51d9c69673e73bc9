package sqlite

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// mostHeap is how much memory a task that waits may cost, in bytes.
const mostHeap = 1500

// TestALongQueueIsTakenUp restarts with many tasks that wait.
func TestALongQueueIsTakenUp(t *testing.T) {
	n := 104_000 / slower
	if testing.Short() {
		n = 5_000
	}
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	var ids []uuid.UUID
	for len(ids) < n {
		batch := make([]executor.Submission, 1000)
		for i := range batch {
			batch[i] = newTask()
			ids = append(ids, batch[i].ID)
		}
		submit(t, s, batch...)
	}
	require.NoError(t, s.Close())

	before := heap()
	s = openAt(t, path)
	used := (heap() - before) / int64(n)
	require.Less(t, used, int64(mostHeap), "bytes of memory for each task")
	c, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(n), c.Queued)
	require.True(t, slices.Equal(ids, allIDs(t, s)), "the order of the list is that of the submits")
	for _, id := range ids[:500] {
		require.Equal(t, id, runOne(t, s, completed))
	}
}

func allIDs(t *testing.T, s *Store) (ids []uuid.UUID) {
	t.Helper()
	for page := (executor.PageRequest{Oldest: true, Limit: 1000}); ; {
		p, err := s.List(t.Context(), executor.Filter{}, page)
		require.NoError(t, err)
		for i := range p.Tasks {
			ids = append(ids, p.Tasks[i].ID)
		}
		if page.Cursor = p.Next; p.Next == "" {
			return ids
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
