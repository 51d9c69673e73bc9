package sqlite

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// sample is a store, closed, with a task of each kind: 1 completed with labels
// and output, 2 failed with a large input, 3 cancelled, 4 interrupted while it
// ran and to run again, 5 queued.
func sample(t *testing.T) (path string, ids []uuid.UUID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	fill(t, s, &ids)
	require.NoError(t, s.Close())
	return path, ids
}

func fill(t *testing.T, s *Store, ids *[]uuid.UUID) {
	t.Helper()
	add := func(set ...func(*executor.Submission)) {
		r := newTask(set...)
		submit(t, s, r)
		*ids = append(*ids, r.ID)
	}
	add(func(r *executor.Submission) { r.Labels = map[string]string{"team": "red", "n": "1"} })
	l, err := claimAny(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, l.Write(schema.Stdout, []byte("hello\n")))
	recorded := make(chan error, 1)
	l.Finish(completed, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
	add(func(r *executor.Submission) { r.Input = []byte(`"` + strings.Repeat("x", 2*file.LargeInput) + `"`) })
	runOne(t, s, executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}})
	add()
	_, err = s.Cancel(t.Context(), (*ids)[2:3], executor.Cancellation{Reason: "not wanted"})
	require.NoError(t, err)
	add(func(r *executor.Submission) { r.Rerun = true })
	_, err = claimAny(t.Context(), s)
	require.NoError(t, err)
	add()
}

// killed is a copy of a store as a killed process leaves it, with tasks that
// are only in its log.
func killed(t *testing.T) (path string, ids []uuid.UUID) {
	t.Helper()
	s := open(t)
	fill(t, s, &ids)
	path = filepath.Join(t.TempDir(), "tasks.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
	}
	return path, ids
}

func findings(t *testing.T, path string) (texts []string) {
	t.Helper()
	require.NoError(t, inspect.Check(t.Context(), path, func(f inspect.Finding) { texts = append(texts, f.String()) }))
	return texts
}

func exports(t *testing.T, path string, filter executor.Filter) (tasks []schema.Task, damaged []string) {
	t.Helper()
	err := inspect.Export(t.Context(), path, filter,
		func(task *schema.Task) error { tasks = append(tasks, *task); return nil },
		func(f inspect.Finding) { damaged = append(damaged, f.String()) })
	require.NoError(t, err)
	return tasks, damaged
}

// edit changes a store that nobody holds, as a fault of a disk or a person with
// a tool would.
func edit(t *testing.T, path, sql string) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
	require.NoError(t, err)
	require.NoError(t, c.Exec(sql))
	require.NoError(t, c.Close())
}

// editState changes the table store, with a checksum that is right.
func editState(t *testing.T, path string, change func(*file.State)) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE)
	require.NoError(t, err)
	st, err := file.ReadState(c)
	require.NoError(t, err)
	change(&st)
	require.NoError(t, file.WriteState(c, &st))
	require.NoError(t, c.Close())
}

// editOpen changes what the table store notes of tasks that are not final, with a checksum
// that is right.
func editOpen(t *testing.T, path string, change func(*file.OpenChanges)) {
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

// looks is how the files in a directory look.
func looks(t *testing.T, path string) map[string]any {
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
	s := open(t)
	var ids []uuid.UUID
	fill(t, s, &ids)
	before := looks(t, s.path)
	require.Empty(t, findings(t, s.path))
	tasks, _ := exports(t, s.path, executor.Filter{})
	require.Len(t, tasks, 5)
	info, err := inspect.Inspect(t.Context(), s.path)
	require.NoError(t, err)
	require.Contains(t, info.HeldBy, "process ")
	require.Positive(t, info.WALBytes)
	require.Equal(t, ids[0], info.Oldest.ID)
	require.Equal(t, int64(s.feed.Seq()), info.LatestSeq)
	after := looks(t, s.path)
	delete(before, "tasks.db-shm") // has the marks of readers
	delete(after, "tasks.db-shm")
	require.Equal(t, before, after)

	submit(t, s, newTask()) // it goes on as before
	runOne(t, s, completed)
	require.Empty(t, findings(t, s.path))
}

func TestInspect(t *testing.T) {
	path, ids := sample(t)
	info, err := inspect.Inspect(t.Context(), path)
	require.NoError(t, err)
	tasks := info.Tasks
	require.Equal(t, [...]int64{1, 1, 1, 1, 1}, [...]int64{tasks.Queued, tasks.Running, tasks.Completed, tasks.Failed, tasks.Cancelled})
	require.Equal(t, int64(len(file.Migrations())), info.Version)
	require.Equal(t, ids[0], info.Oldest.ID)
	require.Positive(t, info.KeptBytes)
	file, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, file.Size(), info.Bytes)
}

func TestInspectNoTask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
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
	s := open(t)
	edit(t, s.path, "PRAGMA user_version=99")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(inLog+suffix, b, 0o600))
	}
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
		s, err := Open(t.Context(), Options{Path: path})
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
