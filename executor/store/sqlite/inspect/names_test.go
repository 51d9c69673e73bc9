package inspect_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/internal/sqlitetest"
)

// The short names of what these tests share with those of the store.
var (
	newTask   = sqlitetest.NewTask
	submit    = sqlitetest.Submit
	claim     = sqlitetest.Claim
	runOne    = sqlitetest.RunOne
	completed = sqlitetest.Completed
	fill      = sqlitetest.Fill
	findings  = sqlitetest.Findings
	exports   = sqlitetest.Exports
	edit      = sqlitetest.Edit
	editState = sqlitetest.EditState
	editOpen  = sqlitetest.EditOpen
	looks     = sqlitetest.Looks
	newRandom = sqlitetest.NewRandom
)

func openPath(ctx context.Context, path string) (executor.Store, error) {
	return sqlite.Open(ctx, sqlite.Options{Path: path})
}

func sample(t *testing.T) (path string, ids []uuid.UUID) { return sqlitetest.Sample(t, openPath) }

func killed(t *testing.T) (path string, ids []uuid.UUID) { return sqlitetest.Killed(t, openPath) }

// open opens a store in a directory of its own.
func open(t *testing.T) (s executor.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tasks.db")
	s, err := openPath(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, path
}

// latestSeq is the number of the latest event.
func latestSeq(t *testing.T, s executor.Store) uint64 {
	t.Helper()
	w, err := s.Watch(t.Context())
	require.NoError(t, err)
	defer w.Close()
	_, seq, err := w.Subscribe(t.Context(), executor.Selector{})
	require.NoError(t, err)
	return seq
}
