package sqlite

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// TestEndsInAnyOrder ends tasks in another order than that of their submits. A replay has them
// in the order of their ends, and retention removes what ended first.
func TestEndsInAnyOrder(t *testing.T) {
	const tasks, kept = 3000, 1000
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	leases := make([]executor.Lease, tasks)
	for i := range leases {
		leases[i] = claim(t, s, func(r *executor.Submission) { r.Rerun = true })
	}
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(tasks, func(i, j int) { leases[i], leases[j] = leases[j], leases[i] })
	recorded := make(chan error, tasks)
	var want []uuid.UUID
	for _, l := range leases {
		want = append(want, l.Record().ID)
		l.Finish(completed, func(err error) { recorded <- err })
	}
	for range tasks {
		require.NoError(t, <-recorded)
	}
	require.Equal(t, want, endsAfter(t, s, 0))
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, path))

	s, err = Open(t.Context(), Options{Path: path, Keep: kept})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		submit(t, s, newTask()) // what is too much goes with transactions
		counts, err := s.Counts(t.Context())
		require.NoError(t, err)
		return counts.Completed == kept
	}, time.Minute, time.Millisecond)
	gone := new(executor.EventsGoneError)
	_, err = s.Replay(t.Context(), 0, 1<<62, tasks)
	require.ErrorAs(t, err, &gone)
	require.Equal(t, want[tasks-kept:], endsAfter(t, s, gone.Oldest))
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, path))
}

// endsAfter is the tasks of the ends after a number, which are read in pages.
func endsAfter(t *testing.T, s *Store, after uint64) (ids []uuid.UUID) {
	t.Helper()
	for {
		events, err := s.Replay(t.Context(), after, 1<<62, 170)
		require.NoError(t, err)
		if len(events) == 0 {
			return ids
		}
		for i := range events {
			ids = append(ids, events[i].ID)
		}
		after = events[len(events)-1].Seq
	}
}
