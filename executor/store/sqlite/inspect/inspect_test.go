package inspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/executor/store/sqlite/internal/sqlitetest"
	"github.com/jobline/jobline/schema"
)

func TestCareChangesNoFile(t *testing.T) {
	for name, make := range map[string]func(*testing.T) (string, []uuid.UUID){"closed": sample, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			path, ids := make(t)
			before := looks(t, path)
			require.Empty(t, findings(t, path))
			tasks, damaged := exports(t, path, executor.Filter{})
			require.Empty(t, damaged)
			require.Len(t, tasks, len(ids))
			info, err := inspect.Inspect(t.Context(), path)
			require.NoError(t, err)
			require.Empty(t, info.HeldBy)
			require.Equal(t, ids[4], info.Newest.ID)
			require.Equal(t, before, looks(t, path))
		})
	}
}

func TestCareBesideAServer(t *testing.T) {
	s, path := open(t)
	var ids []uuid.UUID
	fill(t, s, &ids)
	before := looks(t, path)
	require.Empty(t, findings(t, path))
	tasks, _ := exports(t, path, executor.Filter{})
	require.Len(t, tasks, 5)
	info, err := inspect.Inspect(t.Context(), path)
	require.NoError(t, err)
	require.Contains(t, info.HeldBy, "process ")
	require.Positive(t, info.WALBytes)
	require.Equal(t, ids[0], info.Oldest.ID)
	require.Equal(t, int64(latestSeq(t, s)), info.LatestSeq)
	after := looks(t, path)
	delete(before, "tasks.db-shm") // has the marks of readers
	delete(after, "tasks.db-shm")
	require.Equal(t, before, after)

	submit(t, s, newTask()) // it goes on as before
	runOne(t, s, completed)
	require.Empty(t, findings(t, path))
}

func TestInspect(t *testing.T) {
	path, ids := sample(t)
	info, err := inspect.Inspect(t.Context(), path)
	require.NoError(t, err)
	tasks := info.Tasks
	require.Equal(t, [...]int64{1, 1, 1, 1, 1}, [...]int64{tasks.Queued, tasks.Running, tasks.Completed, tasks.Failed, tasks.Cancelled})
	require.Equal(t, file.Version(), info.Version)
	require.Equal(t, ids[0], info.Oldest.ID)
	require.Positive(t, info.KeptBytes)
	file, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, file.Size(), info.Bytes)
}

func TestInspectNoTask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	info, err := inspect.Inspect(t.Context(), path)
	require.NoError(t, err)
	require.Nil(t, info.Oldest)
	require.Nil(t, info.Newest)
	require.Empty(t, findings(t, path))
}

func TestWhatIsNoStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		return filepath.Join(dir, name)
	}
	newer, _ := sample(t)
	edit(t, newer, "PRAGMA user_version=99")
	inLog := filepath.Join(dir, "in-log.db")
	_, held := open(t)
	edit(t, held, "PRAGMA user_version=99")
	sqlitetest.CopyFiles(t, held, inLog)
	foreign := filepath.Join(dir, "foreign.db")
	c, err := file.Dial(file.URI(foreign, ""), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	require.NoError(t, err)
	require.NoError(t, c.Exec("CREATE TABLE a(b); CREATE TABLE c(d)"))
	require.NoError(t, c.Close())
	for name, test := range map[string]struct{ path, says string }{
		"missing":           {filepath.Join(dir, "none.db"), "there is no store"},
		"directory":         {dir, "is a directory; name another file"},
		"empty":             {write("empty.db", ""), "it is empty"},
		"text":              {write("text.db", strings.Repeat("a line\n", 40)), "is not a jobline store"},
		"cut":               {write("cut.db", "SQLite format 3\x00"), "is not a jobline store"},
		"foreign":           {foreign, "another program"},
		"newer":             {newer, "written by a newer jobline"},
		"newer, in its log": {inLog, "written by a newer jobline"},
	} {
		t.Run(name, func(t *testing.T) {
			before := looks(t, test.path)
			dest := filepath.Join(t.TempDir(), "backup.db")
			_, inspects := inspect.Inspect(t.Context(), test.path)
			for what, err := range map[string]error{
				"inspect": inspects,
				"check":   inspect.Check(t.Context(), test.path, func(inspect.Finding) {}),
				"backup":  inspect.Backup(t.Context(), test.path, dest, func(inspect.Finding) {}),
				"export":  inspect.Export(t.Context(), test.path, executor.Filter{}, nil, nil),
			} {
				require.ErrorContains(t, err, test.says, what)
				require.NotContains(t, err.Error(), "\n", what)
			}
			require.NoFileExists(t, dest)
			require.Equal(t, before, looks(t, test.path))
		})
	}
}

// TestAHotJournalIsNotPassedOver has the journal of a transaction that another
// program began on a copy: without it the file is of no one moment.
func TestAHotJournalIsNotPassedOver(t *testing.T) {
	path, _ := sample(t)
	dest := filepath.Join(t.TempDir(), "backup.db")
	_, err := backUp(t, path, dest)
	require.NoError(t, err)
	require.Empty(t, findings(t, dest))
	require.NoError(t, os.WriteFile(dest+"-journal", []byte(strings.Repeat("x", 4096)), 0o600))
	before := looks(t, dest)
	_, err = inspect.Inspect(t.Context(), dest)
	require.ErrorIs(t, err, sqlite3.READONLY_ROLLBACK)
	require.Equal(t, before, looks(t, dest))
}

func TestAServerThatStartsDuringAnExportIsNoticed(t *testing.T) {
	path, _ := sample(t)
	err := inspect.Export(t.Context(), path, executor.Filter{}, func(*schema.Task) error {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err == nil {
			err = s.Close()
		}
		return err
	}, func(inspect.Finding) {})
	require.ErrorContains(t, err, "changed while it was read")
}

func TestExport(t *testing.T) {
	path, ids := sample(t)
	tasks, damaged := exports(t, path, executor.Filter{})
	require.Empty(t, damaged)
	for i, task := range tasks {
		require.Equal(t, ids[i], task.ID, "the oldest first")
		require.NotEmpty(t, task.Input)
	}
	require.Equal(t, schema.Completed, tasks[0].State)
	require.Equal(t, map[string]string{"team": "red", "n": "1"}, tasks[0].Labels)
	require.JSONEq(t, `{"b":2}`, string(tasks[0].Result))
	require.Equal(t, int64(6), tasks[0].OutputBytes.Stdout)
	require.Equal(t, "no", tasks[1].Error.Message)
	require.Equal(t, "not wanted", tasks[2].CancelReason)
	require.Equal(t, schema.Running, tasks[3].State)
	require.Equal(t, int32(1), tasks[3].Attempt)
	require.False(t, tasks[3].StartedAt.IsZero())
	require.Equal(t, schema.Queued, tasks[4].State)

	for name, test := range map[string]struct {
		filter executor.Filter
		want   []int
	}{
		"states": {executor.Filter{States: []schema.State{schema.Failed, schema.Queued}}, []int{1, 4}},
		"since":  {executor.Filter{Since: tasks[3].CreatedAt}, []int{3, 4}},
		"until":  {executor.Filter{Until: tasks[1].CreatedAt}, []int{0}},
		"none":   {executor.Filter{Since: schema.TimeOf(time.Now().Add(time.Hour))}, nil},
	} {
		some, _ := exports(t, path, test.filter)
		var want []schema.Task
		for _, i := range test.want {
			want = append(want, tasks[i])
		}
		require.Equal(t, want, some, name)
	}
}

func TestExportPassesOverWhatIsDamaged(t *testing.T) {
	path, ids := sample(t)
	edit(t, path, "UPDATE task SET priority=9 WHERE ord=1; UPDATE done SET attempt=7 WHERE ord=2; UPDATE active SET attempt=7 WHERE ord=4")
	editOpen(t, path, func(o *file.OpenChanges) { o.Remove(5) })
	tasks, damaged := exports(t, path, executor.Filter{})
	require.Len(t, tasks, 1)
	require.Equal(t, ids[2], tasks[0].ID)
	require.Len(t, damaged, 4)
	for i, n := range []int{0, 1, 3, 4} {
		require.Contains(t, damaged[i], ids[n].String())
	}
}
