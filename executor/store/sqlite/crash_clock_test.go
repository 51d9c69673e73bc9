package sqlite

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestTheClockJumps submits while the clock is set forward and back, by a year
// and by less: the order is that of the submits, times select what has them,
// and nothing takes less than no time; before a restart and after it.
func TestTheClockJumps(t *testing.T) {
	random := newRandom(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		// KeepFor is long: the clock makes some ends old.
		set := Options{Path: path, KeepFor: 100 * 365 * 24 * time.Hour}
		s, err := Open(t.Context(), set)
		require.NoError(t, err)
		clock := time.Now()
		var all []executor.Submission
		for range 300 {
			switch random.IntN(40) {
			case 0:
				clock = clock.AddDate(1, 0, 0)
			case 1:
				clock = clock.AddDate(-1, 0, 0)
			case 2:
				clock = clock.Add(-time.Hour)
			default:
				clock = clock.Add(time.Duration(random.IntN(5000)) * time.Millisecond)
			}
			all = append(all, newTask(func(r *executor.Submission) { r.CreatedAt = schema.TimeOf(clock) }))
			submit(t, s, all[len(all)-1])
		}
		for i := range 100 {
			require.Equal(t, all[i].ID, runOne(t, s, completed), "first come, first run")
		}
		for range 2 {
			for range 40 {
				f := executor.Filter{Since: all[random.IntN(len(all))].CreatedAt, Until: all[random.IntN(len(all))].CreatedAt}
				wantIDs := []uuid.UUID{}
				for i := range all {
					if f.Match(&all[i].Task) {
						wantIDs = append(wantIDs, all[i].ID)
					}
				}
				require.Equal(t, wantIDs, listedIDs(t, s, f), "from %v to %v", f.Since, f.Until)
			}
			require.Len(t, listedIDs(t, s, executor.Filter{}), len(all))
			require.NoError(t, s.Close())
			s, err = Open(t.Context(), set)
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	})
}

// listedIDs are the ids of a list from the oldest on, which it reads in small pages.
func listedIDs(t *testing.T, s *Store, f executor.Filter) []uuid.UUID {
	t.Helper()
	ids := []uuid.UUID{}
	for page := (executor.PageRequest{Oldest: true, Limit: 37}); ; {
		p, err := s.List(t.Context(), f, page)
		require.NoError(t, err)
		for i := range p.Tasks {
			task := &p.Tasks[i]
			if task.State.Final() {
				require.GreaterOrEqual(t, task.StartedAt, task.CreatedAt)
				require.GreaterOrEqual(t, task.FinishedAt, task.StartedAt)
			}
			ids = append(ids, task.ID)
		}
		if page.Cursor = p.Next; p.Next == "" {
			return ids
		}
	}
}
