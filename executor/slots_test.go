package executor_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// gauge counts how many run at once.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) run(_ context.Context, in napInput) (empty, error) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	for m := g.most.Load(); n > m && !g.most.CompareAndSwap(m, n); m = g.most.Load() {
	}
	time.Sleep(in.duration())
	return empty{}, nil
}

func TestLimitIsNeverExceeded(t *testing.T) {
	var g gauge
	o := executor.Options{Limit: 3, Types: []executor.Type{executor.MustDefine("count", g.run)}}
	withRig(t, o, func(r *rig) {
		began := time.Now()
		for n := range 201 {
			p := taking("count", time.Second)
			p.Priority = new(n - 100)
			r.submit(p)
		}
		for r.stats().Tasks.Completed < 201 {
			r.pass(time.Second)
			require.LessOrEqual(r, r.stats().Tasks.Running, int64(3))
		}
		require.Equal(r, int64(3), g.most.Load())
		require.Equal(r, 67*time.Second, time.Since(began), "no slot was left empty")
	})
}

// slowToFinish is a store that takes its time before it has noted an end.
type slowToFinish struct{ executor.Store }

type slowLease struct{ executor.Lease }

func (s slowToFinish) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	return join(ctx, s.Store, o, func(l executor.Lease) executor.Lease { return slowLease{l} })
}

func (l slowLease) Finish(o executor.Outcome, recorded func(error)) {
	time.Sleep(10 * time.Millisecond)
	l.Lease.Finish(o, recorded)
}

// TestLimitIsNeverSeenExceeded: a task that is given up when its code ends, too,
// has its slot until its end is noted, so that the next is not seen beside it.
func TestLimitIsNeverSeenExceeded(t *testing.T) {
	open := func() executor.Store { return slowToFinish{memory.New(memory.Options{})} }
	withStore(t, executor.Options{Limit: 1}, open, func(r *rig) {
		const tasks = 40
		w := r.watchAll()
		for range tasks {
			p := taking("deaf", time.Millisecond)
			p.TimeoutMs, p.GraceMs = 1, new(int64)
			r.submit(p)
		}
		for n := int64(0); n < tasks; {
			time.Sleep(time.Millisecond)
			tasks := r.stats().Tasks
			require.LessOrEqual(r, tasks.Running, int64(1))
			n = tasks.Failed + tasks.Completed
		}
		running := 0
		for _, ev := range r.drain(w) {
			switch ev.Kind {
			case executor.EventStarted:
				running++
			case executor.EventFinished:
				running--
			}
			require.LessOrEqual(r, running, 1)
		}
	})
}

func TestTaskStartsAsSoonAsASlotIsFree(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		first, second := r.submit(nap(2*time.Second)), r.submit(nap(time.Second))
		r.inState(first, schema.Running)
		r.inState(second, schema.Queued)
		r.pass(3 * time.Second)
		require.Equal(r, r.inState(first, schema.Completed).FinishedAt, r.inState(second, schema.Completed).StartedAt)
	})
}

func TestHigherPriorityRunsFirst(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		r.submit(nap(time.Second))
		r.stats()
		var ids []uuid.UUID
		for _, priority := range []int{0, -100, 100, 0, 100} {
			p := nap(time.Second)
			p.Priority = &priority
			ids = append(ids, r.submit(p))
		}
		r.pass(6 * time.Second)
		for n, i := range []int{2, 4, 0, 3, 1} {
			started := r.inState(ids[i], schema.Completed).StartedAt.Time()
			require.Equal(r, time.Duration(n+1)*time.Second, started.Sub(r.task(ids[i]).CreatedAt.Time()))
		}
	})
}

// TestFreeSlotTakesTheBestOfABurst: what a slot takes is decided when it takes
// it, also where it waited for the first of them.
func TestFreeSlotTakesTheBestOfABurst(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		r.stats() // the slot waits
		var burst []executor.Submission
		for _, priority := range []int{0, 5, 5} {
			p := nap(time.Second)
			p.Priority = &priority
			record, err := r.Prepare(&p)
			require.NoError(r, err)
			burst = append(burst, record)
		}
		_, err := r.Submit(r.Context(), burst)
		require.NoError(r, err)
		for i, state := range []schema.State{schema.Queued, schema.Running, schema.Queued} {
			r.inState(burst[i].ID, state)
		}
	})
}

// TestStoppedBeforeItStarts: a task whose code never said that it has started
// has an attempt and an end, and no event of a start.
func TestStoppedBeforeItStarts(t *testing.T) {
	tardy := executor.MustDefine("tardy", func(ctx context.Context, _ empty) (empty, error) {
		<-ctx.Done()
		return empty{}, context.Cause(ctx)
	}, executor.StartsItself())
	withRig(t, executor.Options{Types: []executor.Type{tardy}}, func(r *rig) {
		w := r.watchAll()
		id := r.of("tardy")
		require.Equal(r, int32(1), r.inState(id, schema.Running).Attempt)
		r.cancel(id, executor.Cancellation{})
		task := r.inState(id, schema.Cancelled)
		require.NotZero(r, task.StartedAt)
		events := r.drain(w)
		require.Len(r, events, 1)
		require.Equal(r, executor.EventFinished, events[0].Kind)
	})
}

func TestTypeLimitHoldsBackItsTypeOnly(t *testing.T) {
	var g gauge
	o := executor.Options{Limit: 4, Types: []executor.Type{executor.MustDefine("narrow", g.run, executor.Limit(2))}}
	withRig(t, o, func(r *rig) {
		for range 8 {
			r.submit(taking("narrow", time.Second))
		}
		plain := []uuid.UUID{r.submit(nap(time.Second)), r.submit(nap(time.Second))}
		r.inState(plain[0], schema.Running)
		r.inState(plain[1], schema.Running)
		r.pass(4 * time.Second)
		require.Equal(r, int64(10), r.stats().Tasks.Completed)
		require.Equal(r, int64(2), g.most.Load())
	})
}

func TestStatsCount(t *testing.T) {
	withRig(t, executor.Options{Limit: 1, Grace: 2 * time.Second, MaxResult: 77}, func(r *rig) {
		r.submit(nap(time.Second))
		r.of("fail")
		queued := r.of("nap")
		s := r.stats()
		require.Equal(r, schema.TaskCounts{Queued: 2, Running: 1}, s.Tasks)
		require.Equal(r, schema.StoreStats{Name: "memory"}, s.Store)
		require.Equal(r, [3]int64{1, 2000, 77}, [3]int64{s.Limits["running"], s.Limits["graceMs"], s.Limits["resultBytes"]})
		r.cancel(queued, executor.Cancellation{})
		r.pass(10 * time.Second)
		s = r.stats()
		require.Equal(r, schema.TaskTotals{Submitted: 3, Completed: 1, Failed: 1, Cancelled: 1}, s.Totals)
		require.Equal(r, schema.Rates{SubmittedPerSecond: 0.3, FinishedPerSecond: 0.3}, s.Rates)
		require.Equal(r, int64(10_000), s.UptimeMs)
		r.pass(50 * time.Second)
		require.InDelta(r, 0.0333, r.stats().Rates.FinishedPerSecond, 0.001, "two have ended a second after the start")
		r.pass(time.Minute)
		require.Zero(r, r.stats().Rates, "it is over a minute ago")
		require.Equal(r, int64(3), r.stats().Totals.Submitted)
	})
}

// TestContainmentIsMadeWhenAsked: numbers of the queue, as a server logs them at
// its start, start nothing. What finds out how processes are kept together may.
func TestContainmentIsMadeWhenAsked(t *testing.T) {
	asked := 0
	starts := executor.MustDefine("starts", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil },
		executor.Contains(func() string { asked++; return schema.ContainmentScan }))
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{starts}})
	require.NoError(t, err)
	stats, err := ex.Stats(t.Context())
	require.NoError(t, err)
	require.Empty(t, stats.Containment)
	require.Zero(t, asked)
	require.Equal(t, schema.ContainmentScan, ex.Containment())
	require.Equal(t, 1, asked)
}

func TestListTakesAliasesForTypes(t *testing.T) {
	withRig(t, executor.Options{}, func(r *rig) {
		id := r.of("snooze")
		r.of("fail")
		require.Equal(r, "nap", r.task(id).Type)
		page, err := r.List(r.Context(), executor.Filter{Types: []string{"doze"}}, executor.PageRequest{Limit: 10})
		require.NoError(r, err)
		require.Len(r, page.Tasks, 1)
		require.Equal(r, id, page.Tasks[0].ID)
	})
}

func TestRunOnlyOnce(t *testing.T) {
	withRig(t, executor.Options{}, func(r *rig) {
		r.stats()
		require.Error(r, r.Executor.Run(r.Context()))
	})
}
