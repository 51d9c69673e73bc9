package sqlite

import (
	"testing"

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
