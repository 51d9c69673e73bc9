package sqlite

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

func when(c schema.Conditions) func(*executor.Submission) {
	return func(s *executor.Submission) { s.Conditions = &c }
}

func behind(on schema.On, id uuid.UUID) func(*executor.Submission) {
	return when(schema.Conditions{After: []schema.Dependency{{ID: id, On: on}}})
}

var failed = executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}}

// endedUnrun holds that a task has ended because of its conditions.
func endedUnrun(t *testing.T, s *Store, id uuid.UUID, kind schema.ErrorKind) {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Failed, got.State, got.WaitingFor)
	require.Equal(t, kind, got.Error.Kind)
	require.Zero(t, got.Attempt)
}

// is holds what a queued task waits for.
func is(t *testing.T, s *Store, id uuid.UUID, kinds ...schema.WaitingKind) {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Queued, got.State)
	var found []schema.WaitingKind
	for _, w := range got.WaitingFor {
		found = append(found, w.Kind)
	}
	require.Equal(t, kinds, found)
}

// finishAs ends a task and waits until that is recorded.
func finishAs(t *testing.T, l executor.Lease, o executor.Outcome) {
	t.Helper()
	recorded := make(chan error, 1)
	l.Finish(o, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
}

// TestACancelThatFailsOfWhatMustEnd has a task whose cancel is on its way to the disk when the
// task that it comes after fails. The cancel does not come there, so the task ends by that.
func TestACancelThatFailsOfWhatMustEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		first := claim(t, s)
		next, repairs := newTask(behind(schema.OnSuccess, first.Record().ID)), newTask(behind(schema.OnFailure, first.Record().ID))
		submit(t, s, next, repairs)
		open := make(chan struct{})
		synced := false
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			switch { // the committer alone writes
			case kind != faultvfs.WAL:
			case op == faultvfs.Sync:
				<-open
				synced = true
			case op == faultvfs.Write && synced:
				v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
			}
		})
		recorded := make(chan error, 1)
		first.Finish(failed, func(err error) { recorded <- err })
		first.Release()
		synctest.Wait() // the end is at the disk, and the cancels wait behind it
		var over [2]func() (executor.CancelAnswer, error)
		for i, id := range []uuid.UUID{next.ID, repairs.ID} {
			over[i] = later(func() (executor.CancelAnswer, error) {
				return cancelOne(t.Context(), s, id, executor.Cancellation{})
			})
		}
		close(open)
		require.NoError(t, <-recorded)
		for i := range over {
			a, err := over[i]()
			require.NoError(t, err)
			require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
		}
		v.Hook(nil)
		v.Heal()
		time.Sleep(2 * retryMost)
		endedUnrun(t, s, next.ID, schema.KindDependency)
		require.Equal(t, repairs.ID, runOne(t, s, completed))
		counts, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, executor.Counts{TaskCounts: schema.TaskCounts{Completed: 1, Failed: 2}, Unrun: 1}, counts)
	})
}

// TestAFullDiskWhileTasksExpire has a disk that takes nothing when a task expires, one that
// comes after it is to end, and the next one of a key has its turn.
func TestAFullDiskWhileTasksExpire(t *testing.T) {
	for _, c := range []sweepCase{
		{faultvfs.Write, faultvfs.WAL, sqlite3.FULL}, {faultvfs.Write, faultvfs.WAL, sqlite3.IOERR_WRITE}, {faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, v := faulty(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: 1})
			key := when(schema.Conditions{Key: "k"})
			first := claim(t, s, key)
			turn := newTask(key)
			expires := newTask(when(schema.Conditions{RunAt: schema.Now() + 3_600_000_000, ExpiresAt: schema.Now() + 1_000_000}))
			next := newTask(behind(schema.OnSuccess, expires.ID))
			submit(t, s, turn, expires, next)
			v.Fail(c.op, c.kind, c.err)
			recorded := make(chan error, 1)
			first.Finish(completed, func(err error) { recorded <- err })
			first.Release()
			time.Sleep(time.Minute)
			require.NotEmpty(t, s.Info().Fault)
			for _, id := range []uuid.UUID{turn.ID, expires.ID, next.ID} {
				got, err := s.Get(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, schema.Queued, got.State, "nothing ends that is not recorded")
			}
			require.ErrorIs(t, s.SetGroup(t.Context(), "g", plan.Settings{Limit: 1}), executor.ErrStoreUnavailable)
			a, err := cancelOne(t.Context(), s, expires.ID, executor.Cancellation{})
			require.NoError(t, err)
			require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
			v.Heal()
			require.NoError(t, <-recorded)
			time.Sleep(2 * retryMost)
			endedUnrun(t, s, expires.ID, schema.KindExpired)
			endedUnrun(t, s, next.ID, schema.KindDependency)
			require.Equal(t, turn.ID, runOne(t, s, completed))
			overview, err := s.Groups(t.Context())
			require.NoError(t, err)
			require.Empty(t, overview.Groups, "what was refused does not come")
			counts, err := s.Counts(t.Context())
			require.NoError(t, err)
			require.Equal(t, executor.Counts{TaskCounts: schema.TaskCounts{Completed: 2, Failed: 2}, Unrun: 2}, counts)
			require.NoError(t, s.Close())
			require.Empty(t, findings(t, s.path))
		})
	}
}

// TestSettingsThatWereRefused fails the sync of a change of a group, which may be in the file
// then, of a pause, and of schedules: all are as they were, also for the next process.
func TestSettingsThatWereRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		had := plan.Settings{Limit: 1}
		require.NoError(t, s.SetGroup(t.Context(), "g", had))
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		require.ErrorIs(t, s.SetGroup(t.Context(), "g", plan.Settings{Limit: 9}), executor.ErrStoreUnavailable)
		v.Heal()
		time.Sleep(2 * retryMost)
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		require.ErrorIs(t, s.Pause(t.Context(), true), executor.ErrStoreUnavailable)
		v.Heal()
		time.Sleep(2 * retryMost)
		require.NoError(t, s.SetSchedules(t.Context(), executor.ScheduleText{Name: "s", Text: []byte("had")}))
		for _, other := range []string{"s", "t"} {
			v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
			require.ErrorIs(t, s.SetSchedules(t.Context(), executor.ScheduleText{Name: other, Text: []byte("refused")}), executor.ErrStoreUnavailable)
			v.Heal()
			time.Sleep(2 * retryMost)
		}
		require.Empty(t, s.Info().Fault)
		for range 2 {
			overview, err := s.Groups(t.Context())
			require.NoError(t, err)
			require.Equal(t, plan.Overview{Groups: []plan.Group{{Name: "g", Settings: had}}}, overview)
			schedules, err := s.Schedules(t.Context())
			require.NoError(t, err)
			require.Equal(t, []executor.ScheduleText{{Name: "s", Text: []byte("had")}}, schedules)
			require.NoError(t, s.Close())
			s, err = Open(t.Context(), s.options)
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	})
}

// TestAClaimThatWasGivenUpGivesBackTheTurn gives a claim up whose start is recorded after all.
// The task is the first of its key and has a place in its group again.
func TestAClaimThatWasGivenUpGivesBackTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		require.NoError(t, s.SetGroup(t.Context(), "g", plan.Settings{Limit: 1}))
		turn := when(schema.Conditions{Key: "k", Group: "g"})
		first, second := newTask(turn), newTask(turn)
		submit(t, s, first, second)
		goOn, err := stalled(t, v, func(ctx context.Context) error {
			_, err := claimAny(ctx, s)
			return err
		})
		require.ErrorIs(t, err, errEnoughWaited)
		goOn()
		synctest.Wait()
		is(t, s, first.ID)
		is(t, s, second.ID, schema.WaitsForKey)
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		_, err = claimAny(ctx, s)
		end()
		require.Error(t, err)
		v.Heal()
		time.Sleep(2 * retryMost)
		require.Equal(t, first.ID, runOne(t, s, completed))
		require.Equal(t, second.ID, runOne(t, s, completed))
	})
}
