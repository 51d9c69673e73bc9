package sqlite

import (
	"sync/atomic"
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
		var syncs atomic.Int32
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync && kind == faultvfs.WAL {
				syncs.Add(1)
			}
		})
		rerun := func(r *executor.Submission) { r.Rerun = true }
		submit(t, s, newTask(rerun))
		synctest.Wait()
		require.EqualValues(t, 1, syncs.Load())
		runOne(t, s, completed)
		synctest.Wait()
		require.EqualValues(t, 2, syncs.Load(), "start and end")

		r := newTask(rerun)
		submit(t, s, r)
		lease, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, lease.Started(7))
		time.Sleep(companyDelay - 1)
		synctest.Wait()
		require.EqualValues(t, 3, syncs.Load())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.EqualValues(t, 4, syncs.Load())
		got, err := s.Get(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Running, got.State)
	})
}

// TestAnEndDoesNotWaitForWhatMayNotRun has an end while a task waits whose type has as many
// running tasks as its limit is: nothing comes with which the end could share a sync. The end
// of one of that type does wait, because the next one may run then.
func TestAnEndDoesNotWaitForWhatMayNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := faulty(t, faultvfs.Options{}, func(o *Options) { o.companyDelay = companyDelay })
		c, err := s.Join(t.Context(), executor.Offer{Limits: executor.TypeLimits{"limited": 1}})
		require.NoError(t, err)
		limited := func(r *executor.Submission) { r.Type = "limited" }
		submit(t, s, newTask(limited), newTask(limited))
		begin := func() executor.Lease {
			lease, err := c.Claim(t.Context(), executor.Ended{})
			require.NoError(t, err)
			return lease
		}
		end := func(lease executor.Lease) time.Duration {
			before, recorded := time.Now(), make(chan error)
			lease.Finish(completed, func(err error) { recorded <- err })
			require.NoError(t, <-recorded)
			return time.Since(before)
		}
		first := begin()
		synctest.Wait()
		submit(t, s, newTask())
		other := begin()
		synctest.Wait()
		require.Zero(t, end(other))
		require.Equal(t, companyDelay, end(first))
	})
}

// TestAnEndWaitsForCompany has an end while another task waits to run: it is recorded with the
// end of that one, which nothing waits behind.
func TestAnEndWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.companyDelay = companyDelay })
		c, err := s.Join(t.Context(), executor.Offer{})
		require.NoError(t, err)
		rerun := func(r *executor.Submission) { r.Rerun = true }
		submit(t, s, newTask(rerun), newTask(rerun), newTask(rerun))
		var syncs atomic.Int32
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync && kind == faultvfs.WAL {
				syncs.Add(1)
			}
		})
		var recorded atomic.Int32
		end := func() {
			lease, err := c.Claim(t.Context(), executor.Ended{})
			require.NoError(t, err)
			lease.Finish(completed, func(err error) {
				require.NoError(t, err)
				recorded.Add(1)
			})
		}
		end()
		synctest.Wait()
		require.Zero(t, syncs.Load())
		time.Sleep(companyDelay)
		synctest.Wait()
		require.EqualValues(t, 1, syncs.Load(), "it has waited long enough")
		require.EqualValues(t, 1, recorded.Load())
		end()
		synctest.Wait()
		require.EqualValues(t, 1, syncs.Load())
		end()
		synctest.Wait()
		require.EqualValues(t, 2, syncs.Load())
		require.EqualValues(t, 3, recorded.Load())
	})
}
