package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// payload is half of what a task of the benchmarks carries: its input, and its result.
var payload = []byte(`{"text":"` + strings.Repeat("x", 139) + `"}`)

func benchTask() executor.Submission {
	r := executor.Submission{Record: executor.Record{Grace: 5 * time.Second, Rerun: true}}
	r.ID, r.Type, r.CreatedAt, r.Input = uuid.Must(uuid.NewV7()), "noop", schema.Now(), payload
	return r
}

func openBench(b *testing.B) *Store {
	s, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "tasks.db"), MaxQueued: 1 << 30})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// rawSync appends 4 KiB and syncs, one after the other, for a while, and
// answers how many times in a second: what the disk can do.
func rawSync(b *testing.B, d time.Duration) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	require.NoError(b, err)
	defer f.Close()
	page := make([]byte, 4096)
	begun, n := time.Now(), 0
	for ; time.Since(begun) < d; n++ {
		_, err := f.Write(page)
		require.NoError(b, err)
		require.NoError(b, datasync(f))
	}
	return float64(n) / time.Since(begun).Seconds()
}

// BenchmarkDurable measures tasks per second, with so many who submit at once,
// next to the disk's syncs per second.
func BenchmarkDurable(b *testing.B) {
	for _, life := range []bool{false, true} {
		for _, w := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("life=%t/W=%d", life, w), func(b *testing.B) {
				s := openBench(b)
				raw := rawSync(b, 300*time.Millisecond)
				var finished sync.WaitGroup
				if life {
					finished.Add(b.N)
					for range 2 {
						go func() {
							for {
								l, err := claimAny(b.Context(), s)
								if err != nil {
									return
								}
								_ = l.Started(0)
								l.Finish(executor.Outcome{State: schema.Completed, Result: payload}, func(error) { finished.Done() })
								l.Release()
							}
						}()
					}
				}
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var all sync.WaitGroup
				for range w {
					all.Go(func() {
						for left.Add(-1) >= 0 {
							a, err := s.Submit(b.Context(), []executor.Submission{benchTask()})
							if err != nil || a[0].Err != nil {
								b.Error(err, a)
								return
							}
						}
					})
				}
				all.Wait()
				finished.Wait()
				b.StopTimer()
				rate := float64(b.N) / b.Elapsed().Seconds()
				raw = (raw + rawSync(b, 300*time.Millisecond)) / 2
				b.ReportMetric(rate, "tasks/s")
				b.ReportMetric(rate/raw, "xraw")
			})
		}
	}
}
