package sqlite

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// TestRetentionKeepsWhatIsDamaged changes one value of the oldest end: by it the
// task could seem to be too old, too large or not of this store.
func TestRetentionKeepsWhatIsDamaged(t *testing.T) {
	for _, tt := range []struct{ name, sql string }{
		{"finished", "UPDATE done SET finished=-1000000000000 WHERE ord=1"},
		{"created", "UPDATE task SET created=1 WHERE ord=1"},
		{"bytes", "UPDATE done SET bytes=1<<60 WHERE ord=1"},
		{"seq", "UPDATE done SET seq=1<<60 WHERE ord=1"},
		{"type", "UPDATE task SET type=77 WHERE ord=1"},
		{"state", "UPDATE done SET state=3 WHERE ord=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Path: filepath.Join(t.TempDir(), "tasks.db"), KeepFor: time.Hour, Keep: 4}
				s, err := Open(t.Context(), o)
				require.NoError(t, err)
				ids := []uuid.UUID{newEnd(t, s)}
				require.NoError(t, s.Close())
				edit(t, o.Path, tt.sql)

				s, err = Open(t.Context(), o)
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Close()) }()
				for range 6 {
					ids = append(ids, newEnd(t, s))
				}
				_, err = s.Get(t.Context(), ids[0])
				require.ErrorIs(t, err, executor.ErrDamaged, "damaged, and not taken for a task that never was")
				requireKept(t, s, ids[1:], 3) // with the damaged one as many as are kept

				time.Sleep(30 * time.Minute)
				last := newEnd(t, s)
				time.Sleep(31 * time.Minute)
				_, err = s.Get(t.Context(), ids[0])
				require.ErrorIs(t, err, executor.ErrDamaged)
				requireKept(t, s, append(ids[1:], last), 1)

				_, err = s.Replay(t.Context(), 0, 1<<40, 10)
				var gone *executor.EventsGoneError
				require.ErrorAs(t, err, &gone)
				events, err := s.Replay(t.Context(), gone.Oldest, 1<<40, 1)
				require.NoError(t, err)
				require.Len(t, events, 1, "the damaged one is passed over, and is not the end of the events")
				require.Equal(t, last, events[0].ID)
			})
		})
	}
}

// requireKept requires that of these the last n are kept, and the others not.
func requireKept(t *testing.T, s *Store, ids []uuid.UUID, n int) {
	t.Helper()
	for i, id := range ids {
		_, err := s.Get(t.Context(), id)
		if i < len(ids)-n {
			require.ErrorIs(t, err, executor.ErrNotFound, i)
		} else {
			require.NoError(t, err, i)
		}
	}
}

func newEnd(t *testing.T, s *Store) uuid.UUID {
	t.Helper()
	submit(t, s, newTask())
	return runOne(t, s, completed)
}

// TestRetentionKeepsPace has many tasks end in few transactions: however long their removal
// takes, nobody ever sees more of them than are kept.
func TestRetentionKeepsPace(t *testing.T) {
	const tasks, kept = 4 * maxRows, 10
	s := open(t, func(o *Options) { o.Keep = kept })
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	batch := make([]executor.Submission, tasks)
	for i := range batch {
		batch[i] = newTask(func(r *executor.Submission) { r.Rerun = true })
	}
	submit(t, s, batch...)
	most, recorded := atomic.Int64{}, make(chan error, tasks)
	for range batch {
		lease, err := c.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		lease.Finish(completed, func(err error) {
			s.mu.Lock()
			most.Store(max(most.Load(), s.counts.Completed))
			s.mu.Unlock()
			recorded <- err
		})
	}
	for range batch {
		require.NoError(t, <-recorded)
	}
	require.EqualValues(t, kept, most.Load())
}
