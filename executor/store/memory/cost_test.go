package memory_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

var completed = executor.Outcome{State: schema.Completed, Result: []byte(`{}`)}

func newRecord(priority int8) executor.Submission {
	r := executor.Submission{Events: executor.DefaultEvents}
	r.ID, r.Type, r.CreatedAt, r.Input, r.Priority = uuid.New(), "plain", schema.Now(), jsontext.Value(`{}`), priority
	return r
}

// queued is a store in which n tasks wait, below the tasks of the test.
func queued(t testing.TB, n int, o memory.Options) *memory.Store {
	s := memory.New(o)
	batch := make([]executor.Submission, 0, 1000)
	for i := range n {
		if batch = append(batch, newRecord(int8(-1-i%100))); len(batch) == cap(batch) || i == n-1 {
			_, err := s.Submit(t.Context(), batch)
			require.NoError(t, err)
			batch = batch[:0]
		}
	}
	return s
}

// life submits a task, claims it and ends it.
func life(t testing.TB, s *memory.Store, c executor.Claimer, records []executor.Submission) {
	records[0].ID = uuid.New()
	_, err := s.Submit(t.Context(), records)
	require.NoError(t, err)
	lease, err := c.Claim(t.Context(), executor.Ended{})
	require.NoError(t, err)
	require.NoError(t, lease.Started(0))
	lease.Finish(completed, func(err error) { require.NoError(t, err) })
	lease.Release()
}

// TestCostOfATaskDoesNotGrow counts allocations, since time on a shared
// machine proves nothing.
func TestCostOfATaskDoesNotGrow(t *testing.T) {
	costs := map[int]float64{}
	for _, waiting := range []int{10, 100_000} {
		s := queued(t, waiting, memory.Options{Keep: 10})
		claimer, err := s.Join(t.Context(), executor.Offer{})
		require.NoError(t, err)
		records := []executor.Submission{newRecord(0)}
		costs[waiting] = testing.AllocsPerRun(2000, func() { life(t, s, claimer, records) })
		require.NoError(t, s.Close())
	}
	require.Equal(t, costs[10], costs[100_000])
	require.Less(t, costs[10], 20.0)
}

// TestCostOfAPageDoesNotGrow holds for pages anywhere in the list.
func TestCostOfAPageDoesNotGrow(t *testing.T) {
	costs := map[int]float64{}
	for _, waiting := range []int{1000, 100_000} {
		s := queued(t, waiting, memory.Options{})
		first, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: waiting / 2})
		require.NoError(t, err)
		costs[waiting] = testing.AllocsPerRun(100, func() {
			page, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 10, Cursor: first.Next})
			require.NoError(t, err)
			require.Len(t, page.Tasks, 10)
		})
		require.NoError(t, s.Close())
	}
	require.Equal(t, costs[1000], costs[100_000])
}

// TestListLooksAtABoundedNumberOfRecords has a selection that nothing meets.
func TestListLooksAtABoundedNumberOfRecords(t *testing.T) {
	const tasks, looks = 50_000, 3
	s := queued(t, tasks, memory.Options{})
	page := executor.PageRequest{Limit: 10}
	for n := 1; ; n++ {
		found, err := s.List(t.Context(), executor.Filter{Types: []string{"none"}}, page)
		require.NoError(t, err)
		require.Empty(t, found.Tasks)
		if page.Cursor = found.Next; page.Cursor == "" {
			require.Equal(t, looks, n)
			break
		}
		require.Less(t, n, looks)
	}
	require.NoError(t, s.Close())
}

func TestInfoHasTheLimits(t *testing.T) {
	info := memory.New(memory.Options{Keep: -1, MaxQueued: 7}).Info()
	require.Equal(t, "memory", info.Name)
	require.False(t, info.Durable)
	require.Equal(t, executor.StoreLimits{
		QueuedTasks: 7, OutputBytes: 1 << 20, KeepTasks: 0, KeepFor: 24 * time.Hour, KeepBytes: 64 << 20, KeepIDs: 100_000,
	}, info.Limits)
}

func BenchmarkSubmit(b *testing.B) {
	const batch = 64
	s := memory.New(memory.Options{MaxQueued: b.N + 1<<30})
	records := make([]executor.Submission, batch)
	b.ReportAllocs()
	for n := 0; n < b.N; n += batch {
		for i := range records {
			records[i] = newRecord(0)
		}
		_, err := s.Submit(b.Context(), records)
		require.NoError(b, err)
	}
}

func BenchmarkClaimFinish(b *testing.B) {
	s := queued(b, b.N, memory.Options{MaxQueued: b.N})
	c, err := s.Join(b.Context(), executor.Offer{})
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		lease, err := c.Claim(b.Context(), executor.Ended{})
		if err != nil {
			b.Fatal(err)
		}
		lease.Finish(completed, func(err error) { require.NoError(b, err) })
		lease.Release()
	}
}

// BenchmarkList reads a page of 100 out of the middle of 100,000 tasks.
func BenchmarkList(b *testing.B) {
	s := queued(b, 100_000, memory.Options{})
	middle, err := s.List(b.Context(), executor.Filter{}, executor.PageRequest{Limit: 50_000})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		page, err := s.List(b.Context(), executor.Filter{}, executor.PageRequest{Limit: 100, Cursor: middle.Next})
		if err != nil || len(page.Tasks) != 100 {
			b.Fatal(err)
		}
	}
}
