package sqlitetest

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Findings are what the check finds.
func Findings(t *testing.T, path string) (texts []string) {
	t.Helper()
	require.NoError(t, inspect.Check(t.Context(), path, func(f inspect.Finding) { texts = append(texts, f.String()) }))
	return texts
}

// Exports are the tasks that an export reads, and the damage that it tells.
func Exports(t *testing.T, path string, filter executor.Filter) (tasks []schema.Task, damaged []string) {
	t.Helper()
	err := inspect.Export(t.Context(), path, filter,
		func(task *schema.Task) error { tasks = append(tasks, *task); return nil },
		func(f inspect.Finding) { damaged = append(damaged, f.String()) })
	require.NoError(t, err)
	return tasks, damaged
}

// Edit changes a store that nobody holds, as a fault of a disk or a person with
// a tool would.
func Edit(t *testing.T, path, sql string) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
	require.NoError(t, err)
	require.NoError(t, c.Exec(sql))
	require.NoError(t, c.Close())
}

// EditState changes the table store, with a checksum that is right.
func EditState(t *testing.T, path string, change func(*file.State)) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
	require.NoError(t, err)
	st, err := file.ReadState(c)
	require.NoError(t, err)
	change(&st)
	require.NoError(t, file.WriteState(c, &st))
	require.NoError(t, c.Close())
}

// EditOpen changes what the table store notes of tasks that are not final, with a checksum
// that is right.
func EditOpen(t *testing.T, path string, change func(*file.OpenChanges)) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
	require.NoError(t, err)
	o, err := file.ReadOpen(c, func(err error) { t.Error(err) })
	require.NoError(t, err)
	changes := o.Change()
	change(&changes)
	require.NoError(t, changes.Write(c))
	require.NoError(t, c.Close())
}

// Looks is how the files in a directory look.
func Looks(t *testing.T, path string) map[string]any {
	t.Helper()
	found := map[string]any{}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		info, err := e.Info()
		require.NoError(t, err)
		var b []byte
		if info.Mode().IsRegular() {
			b, err = os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
			require.NoError(t, err)
		}
		found[e.Name()] = [...]any{info.ModTime(), info.Mode(), sha256.Sum256(b)}
	}
	return found
}
