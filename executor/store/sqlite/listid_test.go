package sqlite

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// TestListByPartOfAnIDIsBounded looks for single tasks among more than a page looks at:
// pages are empty until the task comes, and it comes once.
func TestListByPartOfAnIDIsBounded(t *testing.T) {
	s := open(t)
	tasks := make([]executor.Submission, 2*idScan+idScan/2)
	for i := range tasks {
		tasks[i] = newTask()
	}
	for part := range slices.Chunk(tasks, 1000) {
		submit(t, s, part...)
	}
	for _, at := range []int{0, 1, idScan - 1, idScan, idScan + 1, 2 * idScan, len(tasks) - 1} {
		id := tasks[at].ID
		for _, oldest := range []bool{false, true} {
			filter, page := executor.Filter{ID: id.String()[14:]}, executor.PageRequest{Oldest: oldest, Limit: 10}
			pages, found := 0, 0
			for more := true; more; pages++ {
				got, err := s.List(t.Context(), filter, page)
				require.NoError(t, err)
				for _, task := range got.Tasks {
					require.Equal(t, id, task.ID)
					found++
				}
				page.Cursor, more = got.Next, got.Next != ""
			}
			require.Equal(t, 1, found)
			require.Equal(t, 3, pages)
		}
	}
}
