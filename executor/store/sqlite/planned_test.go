package sqlite

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// dieWhenDoomed is a hook that ends the process, as far as the disk knows, before the first
// write after a task is found to have to end.
func dieWhenDoomed(s *Store, v *faultvfs.VFS, id uuid.UUID) func(faultvfs.Op, faultvfs.Kind) {
	return func(op faultvfs.Op, kind faultvfs.Kind) {
		if op != faultvfs.Write || kind != faultvfs.WAL {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.live[id]; r != nil && r.cancelling {
			v.Cut()
		}
	}
}

// TestWhatMustEndDoesNotRunAfterAKill has a store that keeps no finished task, and is killed when
// the end of a task is recorded, and that of one that must end by it is not. Only what comes
// after the failure runs in the next process.
func TestWhatMustEndDoesNotRunAfterAKill(t *testing.T) {
	for name, together := range map[string]bool{"submitted before": false, "submitted with the end": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.Keep = -1 })
				first := claim(t, s)
				id := first.Record().ID
				next, repairs := newTask(behind(schema.OnSuccess, id)), newTask(behind(schema.OnFailure, id))
				if together {
					goOn := stallDiskThen(v, faultvfs.Sync)
					later(func() ([]executor.Submitted, error) { return s.Submit(t.Context(), []executor.Submission{newTask()}) })
					first.Finish(failed, func(error) {})
					later(func() ([]executor.Submitted, error) {
						return s.Submit(t.Context(), []executor.Submission{next, repairs})
					})
					goOn(dieWhenDoomed(s, v, next.ID))
				} else {
					submit(t, s, next, repairs)
					v.Hook(dieWhenDoomed(s, v, next.ID))
					first.Finish(failed, func(error) {})
				}
				first.Release()
				synctest.Wait()
				require.Error(t, s.Close())

				o := s.options
				o.VFS = ""
				s, err := Open(t.Context(), o)
				require.NoError(t, err)
				defer s.Close()
				synctest.Wait()
				_, err = s.Get(t.Context(), next.ID)
				require.ErrorIs(t, err, executor.ErrNotFound, "it has ended, and is not kept")
				counts, err := s.Counts(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 1, counts.Unrun)
				if together {
					runOne(t, s, completed) // the one without conditions
				}
				require.Equal(t, repairs.ID, runOne(t, s, completed))
				synctest.Wait()
				counts, err = s.Counts(t.Context())
				require.NoError(t, err)
				require.Zero(t, counts.TaskCounts, "the reasons of ends are kept no longer than they are needed")
			})
		})
	}
}

// TestAnEndThatOthersMetIsForgotten has a chain of tasks in a store that keeps one finished task
// and is opened again after each.
func TestAnEndThatOthersMetIsForgotten(t *testing.T) {
	s := open(t, func(o *Options) { o.Keep = -1 })
	first := newTask()
	submit(t, s, first)
	all, last := []uuid.UUID{first.ID}, first.ID
	for range 4 {
		r := newTask(behind(schema.OnSuccess, last))
		submit(t, s, r)
		all, last = append(all, r.ID), r.ID
	}
	for _, id := range all {
		require.Equal(t, id, runOne(t, s, completed))
		require.NoError(t, s.Close())
		s = openAt(t, s.path)
		s.options.Keep = -1
	}
	require.Empty(t, findings(t, s.path))
}

// TestWhatHasBegunDoesNotExpire kills a process while a task runs that expires meanwhile and
// may run again. It had started in time, so it runs again, when it is its turn.
func TestWhatHasBegunDoesNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		c := schema.Conditions{ExpiresAt: schema.Now() + 1_000_000, Key: "k"}
		l := claim(t, s, when(c), func(r *executor.Submission) { r.Rerun = true })
		synctest.Wait() // its start is recorded
		v.Cut()
		require.Error(t, s.Close())
		time.Sleep(time.Minute)
		o := s.options
		o.VFS = ""
		s, err := Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		time.Sleep(time.Minute)
		got, err := s.Get(t.Context(), l.Record().ID)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, got.State)
		require.Equal(t, &c, got.Conditions, "as they were asked for")
		require.Equal(t, l.Record().ID, runOne(t, s, completed))
	})
}

// TestTimesFarAway has a task that runs after more time than a time.Duration has, and one that
// runs after a day, and closes the store before the time of a third.
func TestTimesFarAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := faulty(t, faultvfs.Options{})
		submit(t, s, newTask(when(schema.Conditions{RunAt: 250_000_000_000_000_000})))
		time.Sleep(time.Hour)
		at := schema.Now() + schema.Time((24 * time.Hour).Microseconds())
		day := newTask(when(schema.Conditions{RunAt: at}))
		submit(t, s, day, newTask(when(schema.Conditions{ExpiresAt: 2 * at})))
		runOne(t, s, completed)
		require.Equal(t, day.ID, runOne(t, s, completed))
		require.Equal(t, at, schema.Now())
		submit(t, s, newTask(when(schema.Conditions{ExpiresAt: at + 1_000_000, RunAt: at + 2_000_000})))
		require.NoError(t, s.Close())
		time.Sleep(time.Hour)
	})
}

// TestDamageToWhatTasksWaitFor damages the rows of tasks that others come after, and of a group.
// Nothing runs that may have to wait.
func TestDamageToWhatTasksWaitFor(t *testing.T) {
	s := open(t)
	require.NoError(t, s.SetGroup(t.Context(), "g", plan.Settings{Limit: 1}))
	row, conditions := newTask(when(schema.Conditions{RunAt: 1 << 57})), newTask(when(schema.Conditions{RunAt: 1 << 57}))
	submit(t, s, row, conditions) // numbers 1 and 2
	ended := claim(t, s)          // number 3
	after := map[schema.On][]executor.Submission{}
	for on := range schema.On(len(schema.OnNames)) {
		for _, id := range []uuid.UUID{row.ID, conditions.ID, ended.Record().ID} {
			after[on] = append(after[on], newTask(behind(on, id)))
		}
		submit(t, s, after[on]...)
	}
	grouped := newTask(when(schema.Conditions{Group: "g"}))
	submit(t, s, grouped)
	require.NoError(t, s.Pause(t.Context(), true))
	finishAs(t, ended, completed)
	require.Eventually(t, func() bool { c, err := s.Counts(t.Context()); return err == nil && c.Unrun == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Pause(t.Context(), false))
	require.NoError(t, s.Close())
	edit(t, s.path, "UPDATE task SET priority=9 WHERE ord=1; UPDATE condition SET conditions='{}' WHERE ord=2; UPDATE done SET attempt=3 WHERE ord=3; UPDATE groups SET settings='{}'")
	s = openAt(t, s.path)
	require.Eventually(t, func() bool { c, err := s.Counts(t.Context()); return err == nil && c.Unrun == 1 }, time.Minute, time.Millisecond)
	for on, tasks := range after {
		is(t, s, tasks[0].ID, schema.WaitsForDependency)
		is(t, s, tasks[1].ID, schema.WaitsForDependency)
		if on != schema.OnFinish {
			endedUnrun(t, s, tasks[2].ID, schema.KindDependency)
		}
	}
	require.Equal(t, after[schema.OnFinish][2].ID, runOne(t, s, completed), "however the other has ended")
	is(t, s, grouped.ID, schema.WaitsForResume)
	require.NoError(t, s.SetGroup(t.Context(), "g", plan.Settings{}))
	require.Equal(t, grouped.ID, runOne(t, s, completed))
	found := strings.Join(findings(t, s.path), "\n")
	require.Contains(t, found, row.ID.String())
	require.Contains(t, found, conditions.ID.String())
}
