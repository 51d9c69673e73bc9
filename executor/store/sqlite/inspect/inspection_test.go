package inspect

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// openStore opens the store of a path, and submits a task.
func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	task := schema.Task{ID: uuid.New(), Type: "x", Input: []byte("{}"), CreatedAt: 1}
	answers, err := s.Submit(t.Context(), []executor.Submission{{Record: executor.Record{Task: task}}})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
	return s
}

// TestTheLastReaderDeletesNoLog has the server end before the reader.
func TestTheLastReaderDeletesNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s := openStore(t, path)
	in, err := openInspection(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	before := bytesOf(t, path)
	require.Contains(t, before, "tasks.db-wal")
	require.NoError(t, in.close())
	require.Equal(t, before, bytesOf(t, path))
}

// bytesOf is what the files of a store have in them, by name.
func bytesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	found := map[string]string{}
	names, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		found[filepath.Base(name)] = string(b)
	}
	return found
}

// TestDamageOfAFileThatChangesIsNone has a server start while the file is read.
func TestDamageOfAFileThatChangesIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	require.NoError(t, openStore(t, path).Close())
	in, err := openInspection(t.Context(), path)
	require.NoError(t, err)
	openStore(t, path)
	err = in.end(sqlite3.CORRUPT, "read it", file.AdviceInspect)
	require.ErrorContains(t, err, "a server has started; run this again")
	require.NotContains(t, err.Error(), "put a backup in its place")
}
