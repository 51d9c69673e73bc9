package sqlite

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// TestWorkIsNotFarAheadOfTheDisk has tasks that are handed out before their starts are
// recorded, while the disk stalls: so many and no more.
func TestWorkIsNotFarAheadOfTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		const tasks = maxAhead + 3
		for range tasks {
			submit(t, s, newTask(func(r *executor.Submission) { r.Rerun = true }))
		}
		goOn := stallDisk(v, faultvfs.Sync)
		claimed := 0
		go func() {
			for range tasks {
				if _, err := claimAny(t.Context(), s); err != nil {
					return
				}
				claimed++
			}
		}()
		synctest.Wait()
		require.Equal(t, maxAhead, claimed)
		goOn()
		synctest.Wait()
		require.Equal(t, tasks, claimed)
	})
}

// TestResultsAreNotFarAheadOfTheDisk has ends that are not recorded yet: beyond so many
// bytes no further task is handed out.
func TestResultsAreNotFarAheadOfTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		var leases []executor.Lease
		for range 3 {
			leases = append(leases, claim(t, s))
		}
		submit(t, s, newTask(func(r *executor.Submission) { r.Rerun = true }))
		goOn := stallDisk(v, faultvfs.Sync)
		result := []byte(`"` + strings.Repeat("x", maxAheadBytes/2) + `"`)
		ended := make(chan error, len(leases))
		for _, l := range leases[:2] {
			l.Finish(executor.Outcome{State: completed.State, Result: result}, func(err error) { ended <- err })
		}
		var got uuid.UUID
		go func() {
			if l, err := claimAny(t.Context(), s); err == nil {
				got = l.Record().ID
			}
		}()
		synctest.Wait()
		require.Equal(t, uuid.Nil, got, "no further task")
		goOn()
		synctest.Wait()
		require.NotEqual(t, uuid.Nil, got)
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		require.Zero(t, s.held)
	})
}
