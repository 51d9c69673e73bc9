package sqlite

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// TestWhatWaitsIsTakenUpInItsOrder opens a store where many tasks of some spans wait, and few
// of others, with final ones among them.
func TestWhatWaitsIsTakenUpInItsOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	o := Options{Path: path, VFS: faultvfs.New(t, faultvfs.Options{}).Name()} // it does not sync
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	tasks := make([]executor.Submission, 3200)
	for i := range tasks {
		tasks[i] = newTask(func(r *executor.Submission) {
			r.Priority = int8(i * 37 % 101)
			if i < 2048 && i >= 1024 && i%100 > 0 { // few of the second span are left
				r.Priority = executor.MaxPriority
			}
		})
	}
	for part := range slices.Chunk(tasks, 800) {
		submit(t, s, part...)
	}
	slices.SortStableFunc(tasks, func(a, b executor.Submission) int { return int(b.Priority) - int(a.Priority) })
	const run = 1800
	runs := func(tasks []executor.Submission) {
		var want, got []uuid.UUID
		for i := range tasks {
			want = append(want, tasks[i].ID)
			got = append(got, runOne(t, s, completed))
		}
		require.Equal(t, want, got)
	}
	runs(tasks[:run])
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, path))
	s, err = Open(t.Context(), o)
	require.NoError(t, err)
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(tasks)-run, counts.Queued)
	runs(tasks[run : run+300])
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, path))
}
