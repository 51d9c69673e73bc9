package sqlite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// TestAStartWaitsForCompany counts the syncs of a task that need not wait for its start: the
// start is recorded with the end that comes soon, and otherwise alone after a moment.
func TestAStartWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.companyDelay = companyDelay })
		syncs := 0
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync && kind == faultvfs.WAL {
				syncs++
			}
		})
		rerun := func(r *executor.Submission) { r.Rerun = true }
		submit(t, s, newTask(rerun))
		synctest.Wait()
		require.Equal(t, 1, syncs)
		runOne(t, s, completed)
		synctest.Wait()
		require.Equal(t, 2, syncs, "start and end")

		r := newTask(rerun)
		submit(t, s, r)
		lease, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, lease.Started(7))
		time.Sleep(companyDelay - 1)
		synctest.Wait()
		require.Equal(t, 3, syncs)
		time.Sleep(1)
		synctest.Wait()
		require.Equal(t, 4, syncs)
		got, err := s.Get(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Running, got.State)
	})
}
