package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// benched is an executor over a store in memory, in real time, that lets no task begin.
type benched struct {
	*testing.B
	*executor.Executor
	store executor.Store
	over  chan error
}

func newBenched(b *testing.B) *benched {
	fails := executor.MustDefine("fails", func(context.Context, empty) (empty, error) { return empty{}, errors.New("no") })
	store := memory.New(memory.Options{Keep: 1000, MaxQueued: 2_000_000})
	e, err := executor.New(store, executor.Options{Types: []executor.Type{noop(), fails}, Limit: 2})
	require.NoError(b, err)
	r := &benched{b, e, store, make(chan error, 1)}
	require.NoError(b, e.Pause(b.Context(), "", true))
	go func() { r.over <- e.Run(b.Context()) }()
	return r
}

func (r *benched) end() {
	r.Begin(schema.ShutdownCancel)
	require.NoError(r, <-r.over)
	require.NoError(r, r.store.Close())
}

// submitAll submits tasks with what each comes after, by their places.
func (r *benched) submitAll(n int, params func(i int, ids []uuid.UUID) schema.SubmitParams) []uuid.UUID {
	const batch = 64
	ids := make([]uuid.UUID, 0, n)
	records := make([]executor.Submission, 0, batch)
	for len(ids) < n {
		records = records[:0]
		for len(records) < batch && len(ids) < n {
			p := params(len(ids), ids)
			s, err := r.Prepare(&p)
			require.NoError(r, err)
			records, ids = append(records, s), append(ids, s.ID)
		}
		answers, err := r.Submit(r.Context(), records)
		require.NoError(r, err)
		for i := range answers {
			require.NoError(r, answers[i].Err)
		}
	}
	return ids
}

// drain lets the tasks run, and answers how long it took until none was left.
func (r *benched) drain() time.Duration {
	runtime.GC()
	began := time.Now()
	require.NoError(r, r.Pause(r.Context(), "", false))
	for {
		c, err := r.store.Counts(r.Context())
		require.NoError(r, err)
		if c.Queued+c.Running == 0 {
			return time.Since(began)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func afterPlaces(ids []uuid.UUID, places ...int) schema.SubmitParams {
	p := schema.SubmitParams{Type: "noop"}
	for _, i := range places {
		p.After = append(p.After, schema.Dependency{ID: ids[i]})
	}
	return p
}

// graphs are graphs of tasks: what a task comes after, of those before it.
var graphs = map[string]func(i int, ids []uuid.UUID) schema.SubmitParams{
	"independent": func(int, []uuid.UUID) schema.SubmitParams { return schema.SubmitParams{Type: "noop"} },
	"tree": func(i int, ids []uuid.UUID) schema.SubmitParams {
		if i == 0 {
			return afterPlaces(ids)
		}
		return afterPlaces(ids, (i-1)/2)
	},
	"chains": func(i int, ids []uuid.UUID) schema.SubmitParams { // 1,000 of them
		if i < 1000 {
			return afterPlaces(ids)
		}
		return afterPlaces(ids, i-1000)
	},
	"joins": func(i int, ids []uuid.UUID) schema.SubmitParams { // each of the 1,000 before it
		if i%1001 < 1000 {
			return afterPlaces(ids)
		}
		places := make([]int, 1000)
		for n := range places {
			places[n] = i - 1000 + n
		}
		return afterPlaces(ids, places...)
	},
}

// BenchmarkGraph drains graphs of a million tasks that do nothing.
func BenchmarkGraph(b *testing.B) {
	const tasks = 1_000_000
	for _, name := range []string{"independent", "tree", "chains", "joins"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r := newBenched(b)
				began := time.Now()
				r.submitAll(tasks, graphs[name])
				b.ReportMetric(tasks/time.Since(began).Seconds(), "submits/s")
				b.ReportMetric(tasks/r.drain().Seconds(), "tasks/s")
				r.end()
			}
		})
	}
}

// BenchmarkFailureAtTheRoot ends the 100,000 tasks of a tree and of a chain whose first one fails.
func BenchmarkFailureAtTheRoot(b *testing.B) {
	shapes := map[string]func(i int) int{"tree": func(i int) int { return (i - 1) / 2 }, "chain": func(i int) int { return i - 1 }}
	for name, before := range shapes {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r := newBenched(b)
				r.submitAll(100_001, func(i int, ids []uuid.UUID) schema.SubmitParams {
					if i == 0 {
						return schema.SubmitParams{Type: "fails"}
					}
					return afterPlaces(ids, before(i))
				})
				b.ReportMetric(r.drain().Seconds()*1000, "ms")
				r.end()
			}
		})
	}
}

// BenchmarkDueTogether asks for the status of a task while a million others become ready at
// the same moment.
func BenchmarkDueTogether(b *testing.B) {
	const tasks = 1_000_000
	for b.Loop() {
		r := newBenched(b)
		due := schema.Now() + 15_000_000
		ids := r.submitAll(tasks, func(int, []uuid.UUID) schema.SubmitParams {
			return schema.SubmitParams{Type: "noop", Conditions: schema.Conditions{RunAt: due, Group: "nightly"}}
		})
		require.Less(b, schema.Now(), due, "the machine is too slow")
		runtime.GC()
		var took []time.Duration
		for {
			began := time.Now()
			_, err := r.Status(b.Context(), ids[rand.IntN(tasks)])
			require.NoError(b, err)
			if schema.TimeOf(began) >= due {
				took = append(took, time.Since(began))
			}
			if len(took)%100 == 99 {
				groups, err := r.Groups(b.Context(), "", 1)
				require.NoError(b, err)
				if len(groups.Groups) > 0 && groups.Groups[0].Ready == tasks {
					break
				}
			}
			time.Sleep(50 * time.Microsecond)
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99/status")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-max/status")
		b.ReportMetric(float64(schema.Now()-due)/1000, "ms")
		r.end()
	}
}

// BenchmarkExplain asks why tasks wait, of a million in 10,000 groups and 100,000 keys, a tenth
// of which come after ten others one behind the other.
func BenchmarkExplain(b *testing.B) {
	const tasks = 1_000_000
	r := newBenched(b)
	ids := r.submitAll(tasks, func(i int, ids []uuid.UUID) schema.SubmitParams {
		p := schema.SubmitParams{Type: "noop", Conditions: schema.Conditions{Group: fmt.Sprint("group ", i%10_000), Key: fmt.Sprint("key ", i%100_000)}}
		if i%10 == 9 && i >= 10 {
			p.After = []schema.Dependency{{ID: ids[max(9, i-10)]}}
		}
		if i%100 == 9 {
			p.After = nil
		}
		return p
	})
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		_, err := r.Explain(b.Context(), ids[rand.IntN(tasks)])
		require.NoError(b, err)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99/explain")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-max/explain")
	r.end()
}
