package sqlite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// TestRetryOnADiskThatFails ends an attempt, and perhaps cancels the task at once, while the disk
// takes nothing. Whatever of it has reached the disk before it failed, there is one attempt when
// it heals.
func TestRetryOnADiskThatFails(t *testing.T) {
	for _, c := range []sweepCase{
		{faultvfs.Write, faultvfs.WAL, sqlite3.FULL}, {faultvfs.Write, faultvfs.WAL, sqlite3.IOERR_WRITE}, {faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC},
	} {
		for _, cancels := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: 1})
				l := claim(t, s, when(schema.Conditions{Key: "k"}))
				id := l.Record().ID
				require.NoError(t, l.Write(schema.Stdout, []byte("one")))
				v.Fail(c.op, c.kind, c.err)
				recorded := make(chan error, 1)
				l.Retry(&executor.NextAttempt{At: schema.Now() + 1_000_000, Error: &schema.TaskError{Kind: schema.KindExit, Message: "exit 1"}}, func(err error) { recorded <- err })
				l.Release()
				if cancels {
					a, err := cancelOne(t.Context(), s, id, executor.Cancellation{})
					require.NoError(t, err)
					require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
				}
				time.Sleep(2 * retryMost)
				got, err := s.Get(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, schema.Running, got.State, "nobody was told of its end")
				require.Nil(t, got.History)
				select {
				case err := <-recorded:
					require.Fail(t, "it said that it is recorded", "%v", err)
				default:
				}
				v.Heal()
				require.NoError(t, <-recorded)
				time.Sleep(2 * retryMost)
				l, err = claimAny(t.Context(), s)
				require.NoError(t, err)
				require.Equal(t, id, l.Record().ID)
				require.Equal(t, int32(2), l.Record().Attempt)
				require.Len(t, l.Record().History.Attempts, 1)
				finishAs(t, l, completed)
				counts, err := s.Counts(t.Context())
				require.NoError(t, err)
				require.Equal(t, executor.Counts{TaskCounts: schema.TaskCounts{Completed: 1}}, counts)
			})
		}
	}
}

// TestACancelThatFailsBehindARetry has the end of an attempt recorded, and the cancel behind it
// not: the task is tried again.
func TestACancelThatFailsBehindARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		l := claim(t, s)
		id := l.Record().ID
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
		l.Retry(&executor.NextAttempt{At: schema.Now()}, func(err error) { recorded <- err })
		l.Release()
		synctest.Wait() // it is at the disk, and the cancel waits behind it
		over := later(func() (executor.CancelAnswer, error) { return cancelOne(t.Context(), s, id, executor.Cancellation{}) })
		close(open)
		require.NoError(t, <-recorded)
		a, err := over()
		require.NoError(t, err)
		require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
		v.Hook(nil)
		v.Heal()
		again := nextClaim(t, s)
		require.Equal(t, id, again.Record().ID)
		require.Equal(t, int32(2), again.Record().Attempt)
		require.True(t, again.Record().CancelRequestedAt.IsZero())
		finishAs(t, again, completed)
	})
}

// TestRemovedTasksLeaveNoAttempts has tasks that were tried again, one of which was cancelled
// before that, and that are no longer kept.
func TestRemovedTasksLeaveNoAttempts(t *testing.T) {
	s := open(t, func(o *Options) { o.Keep = -1 })
	waits := claim(t, s)
	tryLater(t, waits)
	a, err := cancelOne(t.Context(), s, waits.Record().ID, executor.Cancellation{})
	require.NoError(t, err)
	require.Equal(t, schema.OutcomeCancelled, a.Outcome)
	l := claim(t, s)
	recorded := make(chan error, 1)
	l.Retry(&executor.NextAttempt{At: schema.Now()}, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
	require.Equal(t, l.Record().ID, runOne(t, s, completed))
	path := s.path
	require.NoError(t, s.Close())
	c, err := file.DialReader(path, "")
	require.NoError(t, err)
	n, err := c.Number("SELECT count(*) FROM retry")
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, c.Close())
	require.Empty(t, findings(t, path))
}
