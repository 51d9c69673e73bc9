package sqlite

import (
	"cmp"
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// smallWindow makes nearly all of a test's queue a backlog.
const smallWindow = 2

func withWindow(n int) func(*Options) { return func(o *Options) { o.window = n } }

func inBacklog(s *Store) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims.backlog.Len()
}

// mixed makes tasks of some types and priorities, at random.
func mixed(n int, seed uint64) (tasks []executor.Submission) {
	random := rand.New(rand.NewPCG(seed, 1))
	for range n {
		tasks = append(tasks, newTask(func(r *executor.Submission) {
			r.Type, r.Priority = []string{"a", "b"}[random.IntN(2)], int8(random.IntN(3))
		}))
	}
	return tasks
}

// TestABacklogKeepsTheOrder has a queue of which only a few records are in memory. Some of
// its tasks are cancelled. The others run in their order, before and after a restart.
func TestABacklogKeepsTheOrder(t *testing.T) {
	for _, window := range []int{1, smallWindow, 50} {
		s := open(t, withWindow(window))
		tasks := mixed(300, uint64(window))
		for piece := range slices.Chunk(tasks, 7) {
			submit(t, s, piece...)
		}
		require.Greater(t, inBacklog(s), 300-3*2*window)
		for i := 0; i < len(tasks); i += 10 {
			a, err := cancelOne(t.Context(), s, tasks[i].ID, executor.Cancellation{})
			require.NoError(t, err)
			require.NoError(t, a.Err)
			require.Equal(t, schema.OutcomeCancelled, a.Outcome)
			tasks[i].ID = uuid.Nil
		}
		tasks = slices.DeleteFunc(tasks, func(r executor.Submission) bool { return r.ID == uuid.Nil })
		slices.SortStableFunc(tasks, func(a, b executor.Submission) int { return cmp.Compare(b.Priority, a.Priority) })
		half := len(tasks) / 2
		runInOrder(t, s, tasks[:half])
		require.NoError(t, s.Close())
		s, err := Open(t.Context(), s.options)
		require.NoError(t, err)
		runInOrder(t, s, tasks[half:])
		require.Zero(t, inBacklog(s))
		require.NoError(t, s.Close())
	}
}

func runInOrder(t *testing.T, s *Store, tasks []executor.Submission) {
	t.Helper()
	for i := range tasks {
		l, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, tasks[i].ID, l.Record().ID)
		require.Equal(t, tasks[i].Input, l.Record().Input)
		l.Finish(completed, func(error) {})
		l.Release()
	}
	for i := range tasks {
		r, err := s.Get(t.Context(), tasks[i].ID)
		require.NoError(t, err)
		require.Equal(t, tasks[i].Priority, r.Priority)
	}
}

// TestTasksOfABacklogAreSeen: they are told, listed, followed, and submitted again as all others.
func TestTasksOfABacklogAreSeen(t *testing.T) {
	s := open(t, withWindow(1))
	w, err := s.Watch(t.Context())
	require.NoError(t, err)
	defer w.Close()
	tasks := make([]executor.Submission, 20)
	for i := range tasks {
		tasks[i] = newTask(func(r *executor.Submission) {
			r.Labels, r.Owner, r.Events = map[string]string{"k": "v"}, w.ID(), executor.DefaultEvents
		})
	}
	submit(t, s, tasks...)
	require.Equal(t, len(tasks)-1, inBacklog(s))
	for i := range tasks {
		r, err := s.Get(t.Context(), tasks[i].ID)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, r.State)
		require.Equal(t, tasks[i].Input, r.Input)
		require.Equal(t, tasks[i].Labels, r.Labels)
		p, err := s.Output(t.Context(), tasks[i].ID, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, executor.OutputPiece{}, p)
	}
	p, err := s.List(t.Context(), executor.Filter{States: []schema.State{schema.Queued}}, executor.PageRequest{Oldest: true, Limit: 50})
	require.NoError(t, err)
	require.Len(t, p.Tasks, len(tasks))
	other := newTask(func(r *executor.Submission) { r.ID = tasks[9].ID })
	other.Input = []byte(`{"other":1}`)
	answers, err := s.Submit(t.Context(), []executor.Submission{tasks[9], other})
	require.NoError(t, err)
	require.True(t, answers[0].Existing)
	require.Equal(t, schema.Queued, answers[0].Task.State)
	require.ErrorIs(t, answers[1].Err, executor.ErrIDConflict)
	a, err := cancelOne(t.Context(), s, tasks[15].ID, executor.Cancellation{Reason: "enough"})
	require.NoError(t, err)
	require.Equal(t, schema.Cancelled, a.Task.State)
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 1, "its owner is told")
	require.Equal(t, tasks[15].ID, got[0].ID)
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(len(tasks)-1), counts.Queued)
}

// asBeforeAttempts makes of tasks that ran such as wait for another attempt in a file of a version that kept nothing of those
// before. Only they have run before and can be in the backlog.
func asBeforeAttempts(t *testing.T, path string) {
	c, err := file.DialWriter(path, "", "OFF", false)
	require.NoError(t, err)
	n, err := c.Number("SELECT count(*) FROM active")
	require.NoError(t, err)
	for ord := range n {
		_, err = file.WriteActive(c, nil, ord+1, file.Active{Attempt: 1})
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())
}

// TestRestartedTasksOfABacklog have run before: they have their attempts and their output.
func TestRestartedTasksOfABacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	var ids []uuid.UUID
	for range 5 {
		l := claim(t, s, func(r *executor.Submission) { r.Rerun = true })
		require.NoError(t, l.Write(schema.Stdout, []byte("before")))
		ids = append(ids, l.Record().ID)
	}
	require.NoError(t, s.Close())
	asBeforeAttempts(t, path)
	s, err = Open(t.Context(), Options{Path: path, window: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, 4, inBacklog(s))
	for _, id := range ids {
		r, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, int32(1), r.Attempt)
		require.Equal(t, "before", stdoutOf(t, s, id))
	}
	p, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 9})
	require.NoError(t, err)
	for i := range p.Tasks {
		require.Equal(t, int32(1), p.Tasks[i].Attempt)
	}
	a, err := cancelOne(t.Context(), s, ids[3], executor.Cancellation{})
	require.NoError(t, err)
	require.Equal(t, int64(6), a.Task.OutputBytes.Stdout)
	for _, i := range []int{0, 1, 2, 4} {
		l, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, ids[i], l.Record().ID)
		require.Equal(t, int32(2), l.Record().Attempt)
		require.Equal(t, "before", stdoutOf(t, s, ids[i]))
	}
}

// TestTasksOfABacklogAreReadWhileTheyEnd: tasks that have run before are cancelled while others
// read them. Whatever they have read when the end is recorded, none of them seems damaged.
func TestTasksOfABacklogAreReadWhileTheyEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	ids := make([]uuid.UUID, 100)
	for i := range ids {
		ids[i] = claim(t, s, func(r *executor.Submission) { r.Rerun = true }).Record().ID
	}
	require.NoError(t, s.Close())
	asBeforeAttempts(t, path)
	s = open(t, withWindow(1), func(o *Options) { o.Path = path })
	var next atomic.Int64
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := next.Load(); i < int64(len(ids)); i = next.Load() {
				_, err := s.Get(t.Context(), ids[i])
				assert.NoError(t, err)
			}
		})
	}
	for _, id := range ids {
		a, err := cancelOne(t.Context(), s, id, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeCancelled, a.Outcome)
		next.Add(1)
	}
	readers.Wait()
}

// TestDamageInABacklog: the row of a task that waits is damaged while the store is open.
// It is not run, and the others are.
func TestDamageInABacklog(t *testing.T) {
	s := open(t, withWindow(1))
	tasks := []executor.Submission{newTask(), newTask(), newTask(), newTask(), newTask()}
	submit(t, s, tasks...)
	edit(t, s.path, "UPDATE task SET priority=1 WHERE ord=3")
	edit(t, s.path, "DELETE FROM task WHERE ord=4")
	_, err := s.Get(t.Context(), tasks[2].ID)
	require.ErrorIs(t, err, executor.ErrDamaged)
	for _, i := range []int{0, 1, 4} {
		require.Equal(t, tasks[i].ID, runOne(t, s, completed))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = claimAny(ctx, s)
	require.ErrorIs(t, err, context.Canceled)
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Zero(t, counts.Queued)
	require.Zero(t, inBacklog(s))
}

// TestABacklogThatCannotBeRead: its tasks run when it can.
func TestABacklogThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, withWindow(1))
		tasks := []executor.Submission{newTask(), newTask(), newTask()}
		submit(t, s, tasks...)
		v.Fail(faultvfs.Read, faultvfs.WAL, sqlite3.IOERR, 1, 2, 3)
		v.Evict()
		for i := range tasks {
			require.Equal(t, tasks[i].ID, runOne(t, s, completed))
		}
	})
}

// TestRecordsOfABacklogAreNotKept bounds the records in memory, for each type and priority.
func TestRecordsOfABacklogAreNotKept(t *testing.T) {
	s := open(t, withWindow(10))
	for i := range 100 {
		submit(t, s, mixed(10, uint64(i))...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.LessOrEqual(t, len(s.live), 2*3*10)
	require.Equal(t, 1000, s.claims.Len())
}

// TestLargeInputsOfABacklog bounds the bytes of the records in memory.
func TestLargeInputsOfABacklog(t *testing.T) {
	s := open(t)
	large := append(append([]byte(`"`), make([]byte, 1<<20)...), '"')
	for i := range large[1 : len(large)-1] {
		large[1+i] = 'x'
	}
	var tasks []executor.Submission
	for range 40 {
		tasks = append(tasks, newTask(func(r *executor.Submission) { r.Input = large }))
		submit(t, s, tasks[len(tasks)-1])
	}
	s.mu.Lock()
	require.Less(t, s.claims.bytes, windowBytes+2*len(large))
	s.mu.Unlock()
	require.Greater(t, inBacklog(s), 20)
	runInOrder(t, s, tasks)
}
