package sqlite

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestAListByConditionsGoesOnFromPageToPage has pages that look at few of the tasks. Between them there
// are tasks without conditions.
func TestAListByConditionsGoesOnFromPageToPage(t *testing.T) {
	const name = "a\"b\\<é\u2028"
	s := open(t, func(o *Options) { o.conditionScan = 7 })
	defer s.Close()
	var want, waiting []uuid.UUID
	for i := range 60 {
		task := newTask()
		if i%3 > 0 {
			task.Conditions = &schema.Conditions{Group: "other", Key: "k"}
		}
		if i%10 == 4 {
			task.Conditions = &schema.Conditions{Group: name, Dedupe: &schema.Dedupe{Key: "k", On: schema.DedupeReject}}
			task.Conditions.Dedupe.Key += task.ID.String()
			want = append(want, task.ID)
		}
		submit(t, s, task)
		if i < 30 {
			runOne(t, s, completed)
		} else if i%10 == 4 {
			waiting = append(waiting, task.ID)
		}
	}
	for _, oldest := range []bool{true, false} {
		listed := func(f executor.Filter) (ids []uuid.UUID, pages int) {
			for page := (executor.PageRequest{Limit: 2, Oldest: oldest}); ; pages++ {
				found, err := s.List(t.Context(), f, page)
				require.NoError(t, err)
				for i := range found.Tasks {
					ids = append(ids, found.Tasks[i].ID)
				}
				if page.Cursor = found.Next; page.Cursor == "" {
					break
				}
			}
			if !oldest {
				slices.Reverse(ids)
			}
			return ids, pages
		}
		ids, pages := listed(executor.Filter{Group: name})
		require.Equal(t, want, ids)
		require.Greater(t, pages, 3)
		ids, fewer := listed(executor.Filter{Group: name, States: []schema.State{schema.Queued}})
		require.Equal(t, waiting, ids)
		require.Less(t, fewer, pages)
		ids, _ = listed(executor.Filter{Group: name, Key: "k"})
		require.Empty(t, ids)
		ids, _ = listed(executor.Filter{Group: name, States: []schema.State{schema.Running}})
		require.Empty(t, ids)
	}
}
