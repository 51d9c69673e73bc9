package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

const (
	million       = 1_000_000
	stillQueued   = 10_000
	rareTypeEvery = 10_000 // one in so many is of another type, and one in so many fails
)

// fillMillion makes a store of a million final tasks and some that wait.
func fillMillion(b *testing.B, path string) (ids []uuid.UUID) {
	s, err := Open(b.Context(), Options{Path: path, Keep: 2 * million})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	var finished sync.WaitGroup
	var n atomic.Int64
	for range 4 {
		go func() {
			for {
				l, err := claimAny(b.Context(), s)
				if err != nil {
					return
				}
				o := executor.Outcome{State: schema.Completed, Result: payload}
				if n.Add(1)%rareTypeEvery == 0 {
					o = executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit, Message: "ended with 1"}}
				}
				l.Finish(o, func(error) { finished.Done() })
				l.Release()
			}
		}()
	}
	batch := make([]executor.Submission, 1000)
	for range million / len(batch) {
		for i := range batch {
			batch[i] = benchTask()
			ids = append(ids, batch[i].ID)
			if len(ids)%rareTypeEvery == 0 {
				batch[i].Type = "rare"
			}
		}
		finished.Add(len(batch))
		_, err := s.Submit(b.Context(), batch)
		require.NoError(b, err)
	}
	finished.Wait()
	return ids
}

func addQueued(b *testing.B, path string) {
	s, err := Open(b.Context(), Options{Path: path, Keep: 2 * million})
	require.NoError(b, err)
	batch := make([]executor.Submission, 1000)
	for range stillQueued / len(batch) {
		for i := range batch {
			batch[i] = benchTask()
		}
		_, err := s.Submit(b.Context(), batch)
		require.NoError(b, err)
	}
	require.NoError(b, s.Close())
}

// BenchmarkMillion measures a store with a million final tasks.
func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tasks.db")
	ids := fillMillion(b, path)
	info, err := os.Stat(path)
	require.NoError(b, err)
	addQueued(b, path)
	b.Run("size", func(b *testing.B) {
		b.ReportMetric(float64(info.Size())/million, "B/task")
		b.ReportMetric(0, "ns/op")
	})
	o := Options{Path: path, Keep: 2 * million}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(b.Context(), o)
			require.NoError(b, err)
			b.StopTimer()
			require.NoError(b, s.Close())
			b.StartTimer()
		}
	})
	s, err := Open(b.Context(), o)
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	for _, threads := range []int{1, 2} {
		b.Run("get", func(b *testing.B) {
			var at atomic.Int64
			b.SetParallelism(1)
			old := runtime.GOMAXPROCS(threads)
			defer runtime.GOMAXPROCS(old)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := s.Get(b.Context(), ids[at.Add(7919)%million])
					if err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "gets/s")
		})
	}
	middle := schema.TimeOf(time.Now())
	if r, err := s.Get(b.Context(), ids[million/2]); err == nil {
		middle = r.CreatedAt
	}
	for _, c := range []struct {
		name   string
		filter executor.Filter
		cursor string
	}{
		{"newest", executor.Filter{}, ""},
		{"deep", executor.Filter{}, "newest-500000"},
		{"completed", executor.Filter{States: []schema.State{schema.Completed}}, "newest-1000000"},
		{"failed", executor.Filter{States: []schema.State{schema.Failed}}, ""},
		{"queued", executor.Filter{States: []schema.State{schema.Queued}}, ""},
		{"a rare type", executor.Filter{Types: []string{"rare"}}, ""},
		{"until", executor.Filter{Until: middle}, ""},
		{"a rare type that failed", executor.Filter{Types: []string{"rare"}, States: []schema.State{schema.Failed}}, ""},
	} {
		b.Run("list/"+c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				p, err := s.List(b.Context(), c.filter, executor.PageRequest{Limit: 50, Cursor: c.cursor})
				require.NoError(b, err)
				n = len(p.Tasks)
			}
			b.ReportMetric(float64(n), "tasks")
		})
	}
}
