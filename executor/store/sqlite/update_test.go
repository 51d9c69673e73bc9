package sqlite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// hourLater is a change of all that can be changed.
func hourLater() *executor.Update {
	return &executor.Update{
		Priority: new(int8(7)), RunAt: new(schema.Now() + 3_600_000_000), Labels: map[string]string{"a": "2", "b": ""}, Group: new("g"),
	}
}

// TestUpdatesThatWereRefused fails the sync of a change, or the write before it. After a failed sync the
// change may be in the file. The tasks are as they were, also for the next process, and run.
func TestUpdatesThatWereRefused(t *testing.T) {
	for _, c := range []sweepCase{{faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC}, {faultvfs.Write, faultvfs.WAL, sqlite3.FULL}} {
		synctest.Test(t, func(t *testing.T) {
			s, v := faulty(t, faultvfs.Options{})
			labelled := func(r *executor.Submission) { r.Labels = map[string]string{"a": "1", "b": "1"} }
			plain := newTask(labelled)
			waits := newTask(labelled, when(schema.Conditions{Group: "h"}))
			tried := claim(t, s)
			put := make(chan error, 1)
			tried.Retry(&executor.NextAttempt{At: schema.Now() + 60_000_000}, func(err error) { put <- err })
			tried.Release()
			require.NoError(t, <-put)
			submit(t, s, plain, waits)
			all := []executor.Record{{}, {}, {}}
			for i := range all {
				id := [...]executor.Submission{plain, waits, {Record: *tried.Record()}}[i].ID
				var err error
				all[i], err = s.Get(t.Context(), id)
				require.NoError(t, err)
				v.Fail(c.op, c.kind, c.err, 1)
				_, err = s.Update(t.Context(), id, hourLater())
				require.ErrorIs(t, err, executor.ErrStoreUnavailable)
				v.Heal()
				time.Sleep(2 * retryMost)
			}
			require.Empty(t, s.Info().Fault)
			for range 2 {
				for _, want := range all {
					got, err := s.Get(t.Context(), want.ID)
					require.NoError(t, err)
					require.Equal(t, want.Task, got.Task)
				}
				require.NoError(t, s.Close())
				require.Empty(t, findings(t, s.path))
				var err error
				s, err = Open(t.Context(), s.options)
				require.NoError(t, err)
			}
			require.Equal(t, plain.ID, runOne(t, s, completed))
			require.Equal(t, waits.ID, runOne(t, s, completed))
			time.Sleep(time.Minute)
			require.Equal(t, all[2].ID, runOne(t, s, completed))
			require.NoError(t, s.Close())
		})
	}
}

// TestACancelBehindAnUpdate cancels a task whose change is on its way to the disk, in the next
// transaction. The end shows the change; where the cancel fails, the changed task runs.
func TestACancelBehindAnUpdate(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, v := faulty(t, faultvfs.Options{})
			r := newTask()
			submit(t, s, r)
			open := make(chan struct{})
			synced := false
			v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
				switch { // the committer alone writes
				case kind != faultvfs.WAL:
				case op == faultvfs.Sync:
					<-open
					synced = true
				case op == faultvfs.Write && synced && fails:
					v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
				}
			})
			update := later(func() (schema.Task, error) { return s.Update(t.Context(), r.ID, hourLater()) })
			synctest.Wait() // the change is at the disk, and the cancel waits behind it
			cancel := later(func() (executor.CancelAnswer, error) {
				return cancelOne(t.Context(), s, r.ID, executor.Cancellation{})
			})
			synctest.Wait()
			close(open)
			changed, err := update()
			require.NoError(t, err)
			require.Equal(t, int8(7), changed.Priority)
			a, err := cancel()
			require.NoError(t, err)
			if fails {
				require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
				v.Hook(nil)
				v.Heal()
				time.Sleep(2 * retryMost)
				is(t, s, r.ID, schema.WaitsForTime)
				time.Sleep(time.Hour)
				require.Equal(t, r.ID, runOne(t, s, completed))
			} else {
				require.Equal(t, schema.OutcomeCancelled, a.Outcome)
				require.Equal(t, map[string]string{"a": "2"}, a.Task.Labels)
				require.Equal(t, "g", a.Task.Conditions.Group)
			}
			counts, err := s.Counts(t.Context())
			require.NoError(t, err)
			require.Zero(t, counts.Queued)
			require.NoError(t, s.Close())
			require.Empty(t, findings(t, s.path))
		})
	}
}

// TestUpdateOfATaskInTheBacklog changes a task whose record is not in memory, which goes back
// there, and is found by its new priority.
func TestUpdateOfATaskInTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := faulty(t, faultvfs.Options{})
		s.mu.Lock()
		s.claims.window = 2
		s.mu.Unlock()
		var all []executor.Submission
		for range 12 {
			all = append(all, newTask())
		}
		submit(t, s, all...)
		last, middle := all[11].ID, all[7].ID
		s.mu.Lock()
		require.Nil(t, s.live[last])
		s.mu.Unlock()
		_, err := s.Update(t.Context(), middle, &executor.Update{Labels: map[string]string{"a": "1"}})
		require.NoError(t, err)
		s.mu.Lock()
		require.Nil(t, s.live[middle], "it is in the backlog again")
		s.mu.Unlock()
		_, err = s.Update(t.Context(), middle, &executor.Update{Labels: map[string]string{"b": "1"}})
		require.NoError(t, err)
		got, err := s.Get(t.Context(), middle)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "1", "b": "1"}, got.Labels)
		_, err = s.Update(t.Context(), last, &executor.Update{Priority: new(int8(1))})
		require.NoError(t, err)
		require.Equal(t, last, runOne(t, s, completed))
		for i := range 11 {
			require.Equal(t, all[i].ID, runOne(t, s, completed))
		}
		require.NoError(t, s.Close())
		require.Empty(t, findings(t, s.path))
	})
}
