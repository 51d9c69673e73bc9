package inspect_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

func backUp(t *testing.T, path, dest string) (damaged []inspect.Finding, err error) {
	t.Helper()
	err = inspect.Backup(t.Context(), path, dest, func(f inspect.Finding) { damaged = append(damaged, f) })
	return damaged, err
}

// TestBackupBesideAServer backs up in the midst of submits and ends.
func TestBackupBesideAServer(t *testing.T) {
	s, path := open(t)
	var ids []uuid.UUID
	fill(t, s, &ids)
	var working sync.WaitGroup
	stop := make(chan struct{})
	working.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r := newTask()
				if answers, err := s.Submit(t.Context(), []executor.Submission{r}); err != nil || answers[0].Err != nil {
					t.Error(err, answers)
					return
				}
			}
		}
	})
	for i := range 5 {
		dest := filepath.Join(t.TempDir(), "backup.db")
		told := latestSeq(t, s)
		damaged, err := backUp(t, path, dest)
		require.NoError(t, err)
		require.Empty(t, damaged)
		require.Empty(t, findings(t, dest), i)
		entries, err := os.ReadDir(filepath.Dir(dest))
		require.NoError(t, err)
		require.Len(t, entries, 1, "one file")
		info, err := os.Stat(dest)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

		again, err := sqlite.Open(t.Context(), sqlite.Options{Path: dest})
		require.NoError(t, err)
		require.GreaterOrEqual(t, latestSeq(t, again), told, "no number is given out again")
		_, err = again.Get(t.Context(), ids[0])
		require.NoError(t, err)
		runOne(t, again, completed)
		require.NoError(t, again.Close())
		require.Empty(t, findings(t, dest))
	}
	close(stop)
	working.Wait()
}

func TestBackupOfAStoreThatNobodyHolds(t *testing.T) {
	for name, make := range map[string]func(*testing.T) (string, []uuid.UUID){"closed": sample, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			path, ids := make(t)
			before := looks(t, path)
			dest := filepath.Join(t.TempDir(), "backup.db")
			damaged, err := backUp(t, path, dest)
			require.NoError(t, err)
			require.Empty(t, damaged)
			require.Equal(t, before, looks(t, path))
			tasks, _ := exports(t, dest, executor.Filter{})
			require.Len(t, tasks, len(ids))
			files, err := os.ReadDir(filepath.Dir(dest))
			require.NoError(t, err)
			require.Len(t, files, 1, "a backup is one file")
		})
	}
}

func TestBackupReplacesNothing(t *testing.T) {
	path, _ := sample(t)
	for _, name := range []string{"backup.db", "backup.db-wal", "backup.db-journal", "backup.db.part"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
			before := looks(t, filepath.Join(dir, name))
			_, err := backUp(t, path, filepath.Join(dir, "backup.db"))
			require.ErrorContains(t, err, name+" exists")
			require.Equal(t, before, looks(t, filepath.Join(dir, name)))
		})
	}
	_, err := backUp(t, path, filepath.Join(t.TempDir(), "no", "backup.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestBackupOfADamagedStoreSaysSo(t *testing.T) {
	path, ids := sample(t)
	edit(t, path, "UPDATE task SET priority=9 WHERE ord=1")
	dest := filepath.Join(t.TempDir(), "backup.db")
	damaged, err := backUp(t, path, dest)
	require.NoError(t, err)
	require.Len(t, damaged, 1)
	require.Equal(t, ids[0], damaged[0].ID)
	require.FileExists(t, dest)
}

// The name can be taken while the copy is checked.
func TestABackupThatLosesItsNameReplacesNothing(t *testing.T) {
	path, _ := sample(t)
	edit(t, path, "UPDATE task SET priority=9 WHERE ord=1")
	dest := filepath.Join(t.TempDir(), "backup.db")
	err := inspect.Backup(t.Context(), path, dest, func(inspect.Finding) {
		require.NoError(t, os.WriteFile(dest, []byte("mine"), 0o600))
	})
	require.ErrorContains(t, err, "exists, and a backup replaces nothing")
	text, err := os.ReadFile(dest)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	require.NoFileExists(t, dest+".part")
}

func TestABackupThatIsInterruptedLeavesNothing(t *testing.T) {
	path, _ := sample(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	require.Error(t, inspect.Backup(ctx, path, filepath.Join(dir, "backup.db"), func(inspect.Finding) {}))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
