package sqlite

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestPageShowsOneMoment: one task at a time runs, and a page that is read in
// parts never shows two that do.
func TestPageShowsOneMoment(t *testing.T) {
	s := open(t)
	tasks := make([]executor.Submission, 600)
	for i := range tasks {
		tasks[i] = newTask(func(r *executor.Submission) { r.Priority = int8(i * 37 % 101) })
	}
	submit(t, s, tasks...)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		for range 100 {
			runOne(t, s, executor.Outcome{State: schema.Completed, Result: []byte("{}")})
		}
	}()
	defer func() { <-ran }()
	for over := false; !over; {
		select {
		case <-ran:
			over = true
		default:
		}
		page, err := s.List(t.Context(), executor.Filter{States: []schema.State{schema.Running}}, executor.PageRequest{Limit: 100})
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Tasks), 1)
	}
}

// TestListsByTypeFindAll pages through types that most tasks have, that few have far apart, and
// that some have next to each other.
func TestListsByTypeFindAll(t *testing.T) {
	s := open(t)
	var tasks []executor.Submission
	for i := range 12_000 {
		tasks = append(tasks, newTask(func(r *executor.Submission) {
			switch {
			case i%97 == 0:
				r.Type = "rare"
			case i > 5000 && i < 5300:
				r.Type = "burst"
			default:
				r.Type = "common"
			}
		}))
	}
	for part := range slices.Chunk(tasks, 1000) {
		submit(t, s, part...)
	}
	for _, types := range [][]string{{"rare"}, {"burst"}, {"common"}, {"rare", "burst"}, {"rare", "common"}, {"none"}} {
		for _, oldest := range []bool{true, false} {
			for _, limit := range []int{1, 50, 300} {
				var want, got []uuid.UUID
				for i := range tasks {
					if slices.Contains(types, tasks[i].Type) {
						want = append(want, tasks[i].ID)
					}
				}
				if !oldest {
					slices.Reverse(want)
				}
				want = want[:min(len(want), 7*limit)]
				page := executor.PageRequest{Oldest: oldest, Limit: limit}
				for first := true; first || page.Cursor != "" && len(got) < len(want); first = false {
					found, err := s.List(t.Context(), executor.Filter{Types: types}, page)
					require.NoError(t, err)
					for i := range found.Tasks {
						got = append(got, found.Tasks[i].ID)
					}
					page.Cursor = found.Next
				}
				require.Equal(t, want, got[:min(len(got), len(want))], "%v, the oldest first: %t, %d at a time", types, oldest, limit)
			}
		}
	}
}

// TestListGoesOnBehindWhatIsRemoved: tasks that wait are in every list of what waits, also while
// others end and are removed at once.
func TestListGoesOnBehindWhatIsRemoved(t *testing.T) {
	const all, end = 900, 500
	s := open(t, func(o *Options) { o.Keep = -1 })
	tasks := make([]executor.Submission, all)
	for i := range tasks {
		tasks[i] = newTask()
	}
	submit(t, s, tasks...)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		for range end {
			runOne(t, s, completed)
		}
	}()
	defer func() { <-ran }()
	for over := false; !over; {
		select {
		case <-ran:
			over = true
		default:
		}
		listed, page := 0, executor.PageRequest{Oldest: true, Limit: 1000}
		for first := true; first || page.Cursor != ""; first = false {
			found, err := s.List(t.Context(), executor.Filter{States: []schema.State{schema.Queued}}, page)
			require.NoError(t, err)
			listed, page.Cursor = listed+len(found.Tasks), found.Next
		}
		require.GreaterOrEqual(t, listed, all-end)
	}
}

// TestListGoesOnBehindWhatIsLost: a row that a damaged file lacks hides no other.
func TestListGoesOnBehindWhatIsLost(t *testing.T) {
	s := open(t)
	tasks := make([]executor.Submission, 600)
	for i := range tasks {
		tasks[i] = newTask()
	}
	submit(t, s, tasks...)
	edit(t, s.path, "DELETE FROM task WHERE ord=100")
	for _, oldest := range []bool{false, true} {
		found, err := s.List(t.Context(), executor.Filter{States: []schema.State{schema.Queued, schema.Failed}}, executor.PageRequest{Oldest: oldest, Limit: 1000})
		require.NoError(t, err)
		require.Equal(t, len(tasks)-1, len(found.Tasks))
	}
}
