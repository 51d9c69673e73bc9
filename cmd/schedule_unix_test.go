//go:build unix

package cmd

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// TestEachDueTimeHasOneTaskThoughServersAreKilled kills a server again and again, at any moment.
// In the end there is one task for each due time, and no other.
func TestEachDueTimeHasOneTaskThoughServersAreKilled(t *testing.T) {
	t.Parallel()
	const kills, each = 6, 1000
	store := filepath.Join(t.TempDir(), "tasks.db")
	var made schema.Schedule
	for i := range kills + 1 {
		server := exec.Command("jobline", "serve", "--ignore-env", "--limit=4", "--store", store)
		c, err := client.Spawn(t.Context(), server)
		require.NoError(t, err)
		now, err := c.Schedule(t.Context(), schema.ScheduleParams{
			Name: "often", EveryMs: each, Overlap: schema.OverlapQueue, Missed: schema.MissedAll, Submit: schema.ScheduledSubmit{Type: "noop"},
		})
		require.NoError(t, err)
		if i == 0 {
			made = now
		}
		require.Equal(t, made.CreatedAt, now.CreatedAt, "it is kept")
		if i < kills { // within the due times, and a little before and after them
			time.Sleep(time.Duration(rand.IntN(each)) * time.Millisecond)
			require.NoError(t, server.Process.Kill())
			_ = c.Close() // its error is how it has ended
			time.Sleep(time.Duration(rand.IntN(2*each)) * time.Millisecond)
			continue
		}
		time.Sleep(2 * each * time.Millisecond)
		_, err = c.Unschedule(t.Context(), schema.UnscheduleParams{Name: "often"})
		require.NoError(t, err)
		page, err := c.List(t.Context(), schema.ListParams{Labels: map[string]string{"schedule": "often"}, Order: schema.OldestFirst, Limit: 1000})
		require.NoError(t, err)
		tasks, ids := page.Tasks, map[uuid.UUID]bool{}
		for i := range tasks {
			ids[tasks[i].ID] = true
			require.GreaterOrEqual(t, tasks[i].CreatedAt, made.CreatedAt+schema.Time(i+1)*each*1000, "the task for due time %d is not early", i)
		}
		require.Len(t, ids, len(tasks))
		last := tasks[len(tasks)-1].CreatedAt
		require.LessOrEqual(t, int(last-made.CreatedAt)/(each*1000)-len(tasks), 1, "no due time is without a task")
		require.NoError(t, c.Close())
	}
}
