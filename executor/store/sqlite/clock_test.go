package sqlite

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// seenBreaks are the breaks that lists know.
func seenBreaks(s *Store) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.breaks)
}

// TestTimesOutOfOrder has tasks a millisecond apart whose times of creation are
// late by up to so much: as with many who submit at once, or as with a clock
// that is set back all the time. Times select exactly what has them.
func TestTimesOutOfOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		late   int64 // in microseconds
		breaks bool
	}{{"within the slack", clockSlack, false}, {"beyond it", 3 * clockSlack, true}} {
		t.Run(c.name, func(t *testing.T) {
			random := newRandom(t)
			s := open(t)
			now := schema.Now()
			var all []executor.Submission
			for i := range 600 {
				at := now + schema.Time(int64(i)*time.Millisecond.Microseconds()-random.Int64N(c.late+1))
				all = append(all, newTask(func(r *executor.Submission) { r.CreatedAt = at }))
			}
			submit(t, s, all...)
			require.Equal(t, c.breaks, len(seenBreaks(s)) > 0)
			for range 60 {
				f := executor.Filter{Since: all[random.IntN(len(all))].CreatedAt, Until: all[random.IntN(len(all))].CreatedAt}
				wantIDs := []uuid.UUID{}
				for i := range all {
					if f.Match(&all[i].Task) {
						wantIDs = append(wantIDs, all[i].ID)
					}
				}
				require.Equal(t, wantIDs, listedIDs(t, s, f), "from %v to %v", f.Since, f.Until)
			}
		})
	}
}

// TestBreaksGoWithTheirTasks sets the clock back before every second task.
func TestBreaksGoWithTheirTasks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path, Keep: 3})
	require.NoError(t, err)
	now := schema.Now()
	back := func(i int) func(*executor.Submission) {
		return func(r *executor.Submission) { r.CreatedAt = now - schema.Time(int64(i%2)*time.Minute.Microseconds()) }
	}
	stored := func() (n int64) {
		require.NoError(t, s.readers.with(t.Context(), s, func(c *file.Conn) (err error) {
			n, err = c.Number("SELECT count(*) FROM clock")
			return err
		}))
		return n
	}
	for i := range 20 {
		submit(t, s, newTask(back(i)))
	}
	require.Len(t, seenBreaks(s), 10)
	for range 20 {
		runOne(t, s, completed)
	}
	require.Equal(t, []int64{20}, seenBreaks(s), "the 18th task is the first that is kept")
	require.Equal(t, int64(1), stored())
	require.Len(t, listedIDs(t, s, executor.Filter{Since: now}), 1)
	require.Len(t, listedIDs(t, s, executor.Filter{Until: now}), 2)
	require.NoError(t, s.Close())

	s, err = Open(t.Context(), Options{Path: path, Keep: -1})
	require.NoError(t, err)
	require.Empty(t, seenBreaks(s))
	require.Zero(t, stored())
	require.NoError(t, s.Close())
}
