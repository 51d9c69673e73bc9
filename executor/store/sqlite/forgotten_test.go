package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// TestSoManyIDsAreRemembered lowers the limit, and takes it away.
func TestSoManyIDsAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	var ids []uuid.UUID
	rows := func() (n int64) {
		c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
		require.NoError(t, err)
		n, err = c.Number("SELECT count(*) FROM gone")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		return n
	}
	runs := func(limit, more int) {
		s, err := Open(t.Context(), Options{Path: path, Keep: -1, KeepIDs: limit})
		require.NoError(t, err)
		for range more {
			submit(t, s, newTask())
			ids = append(ids, runOne(t, s, completed))
		}
		for _, id := range ids[max(0, len(ids)-max(limit, 0)):] {
			answers, err := s.Submit(t.Context(), []executor.Submission{newTask(func(r *executor.Submission) { r.ID = id })})
			require.NoError(t, err)
			require.ErrorIs(t, answers[0].Err, executor.ErrTaskGone)
		}
		require.NoError(t, s.Close())
	}
	runs(500, 200)
	require.EqualValues(t, 200, rows())
	runs(10, 1)
	require.EqualValues(t, 201-trimStep, rows(), "the rest is dropped little by little")
	runs(10, 5)
	require.EqualValues(t, 10, rows())
	known := ids[len(ids)-1]
	ids = nil
	runs(-1, 5)
	s, err := Open(t.Context(), Options{Path: path, KeepIDs: -1})
	require.NoError(t, err)
	submit(t, s, newTask(func(r *executor.Submission) { r.ID = known }))
	require.NoError(t, s.Close())
	require.EqualValues(t, 10, rows(), "nothing is added, nothing is looked up")
	require.Empty(t, findings(t, path))

	edit(t, path, "UPDATE gone SET id=randomblob(16) WHERE n=(SELECT max(n) FROM gone)")
	found := findings(t, path)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "in the table gone is wrong")
}
