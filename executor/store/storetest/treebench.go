package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// CancelTree measures the cancel of a tree of so many tasks that wait, each with ten children, and how
// long other requests take meanwhile.
func CancelTree(b *testing.B, open func(b *testing.B) executor.Store, tasks int) {
	for b.Loop() {
		s := open(b)
		var all []executor.Submission
		for i := range tasks {
			t := task()
			if i > 0 {
				partOf(all[(i-1)/10].ID)(&t)
			}
			all = append(all, t)
		}
		for some := range slices.Chunk(all, 1000) {
			answers, err := s.Submit(b.Context(), some)
			require.NoError(b, err)
			require.NoError(b, answers[0].Err)
		}
		over, took := make(chan time.Duration), []time.Duration{0}
		go func() {
			began := time.Now()
			_, err := s.Cancel(b.Context(), []uuid.UUID{all[0].ID}, executor.Cancellation{})
			require.NoError(b, err)
			over <- time.Since(began)
		}()
		for done := false; !done; {
			select {
			case d := <-over:
				b.ReportMetric(float64(d.Microseconds())/1000, "ms")
				done = true
			default:
				began := time.Now()
				_, err := s.Counts(b.Context())
				require.NoError(b, err)
				took = append(took, time.Since(began))
				time.Sleep(20 * time.Microsecond)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99/counts")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-max/counts")
		c, err := s.Counts(b.Context())
		require.NoError(b, err)
		require.Zero(b, c.Queued)
		require.Equal(b, int64(tasks-1), c.Below)
		require.NoError(b, s.Close())
	}
}
