package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// restartRerun has a task that runs, ahead of others, whenever the process ends.
func restartRerun(f *fixture) {
	first, again, last := f.one(), f.one(withRerun(true)), f.one(withRerun(true))
	f.finish(f.claim(), completed)
	for attempt := range int32(3) {
		lease := f.claim()
		require.Equal(f, again, lease.Record().ID, "in its old place")
		require.Equal(f, attempt+1, lease.Record().Attempt)
		require.NoError(f, lease.Started(7))
		require.Nil(f, f.get(again).Progress, "none of this attempt yet")
		require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
		// Its start need not be recorded when it is handed out.
		f.until("a start that is seen", func() bool { return f.get(again).State == schema.Running })
		f.restart()
		got := f.get(again)
		require.Equal(f, schema.Queued, got.State)
		require.Equal(f, attempt+1, got.Attempt)
		require.True(f, got.Rerun)
		attempts := f.attempts(got)
		require.Len(f, attempts, int(attempt)+1, "what it did before is kept")
		ended := attempts[attempt]
		require.Equal(f, attempt+1, ended.Attempt)
		require.Equal(f, schema.KindInterrupted, ended.Error.Kind)
		require.NotZero(f, ended.StartedAt)
		require.GreaterOrEqual(f, ended.FinishedAt, ended.StartedAt)
		require.Equal(f, schema.TaskCounts{Queued: 2, Completed: 1}, f.counts().TaskCounts)
		require.Len(f, f.replay(0, latest, 10), 1, "only the end of the first")
	}
	w := f.watchAll()
	lease := f.claim()
	require.NoError(f, lease.Started(7))
	f.finish(lease, completed)
	require.Equal(f, int32(4), f.drain(w)[0].Attempt)
	require.Equal(f, int32(4), f.get(again).Attempt)
	require.Equal(f, last, f.claim().Record().ID)
	require.Equal(f, schema.Completed, f.get(first).State)
}

// restartInterrupted has tasks that were claimed, with and without an event.
func restartInterrupted(f *fixture) {
	w := f.watchAll()
	done := f.ran()
	silent, running := f.one(), f.one()
	f.claim()
	lease := f.claim()
	require.NoError(f, lease.Started(7))
	require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
	starts := []schema.Time{f.get(silent).StartedAt, f.get(running).StartedAt}
	events := f.drain(w)
	old := events[len(events)-1].Seq
	f.pass(time.Second)
	f.restart()

	replayed := f.replay(old, latest, 10)
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventFinished), kinds(replayed))
	for i, id := range []uuid.UUID{silent, running} {
		require.Equal(f, id, replayed[i].ID)
		got := f.get(id)
		require.Equal(f, schema.Failed, got.State)
		require.Equal(f, schema.KindInterrupted, got.Error.Kind)
		require.True(f, got.Error.Retryable)
		require.NotEmpty(f, got.Error.Message)
		require.Equal(f, int32(1), got.Attempt)
		require.Equal(f, starts[i], got.StartedAt)
		require.GreaterOrEqual(f, got.FinishedAt, got.StartedAt)
		require.Equal(f, asEvent(got), *replayed[i].Task)
	}
	require.Equal(f, schema.TaskCounts{Completed: 1, Failed: 2}, f.counts().TaskCounts)
	require.Equal(f, schema.Completed, f.get(done).State)
	require.True(f, f.claimer(nil).waits(), "none of them runs again")
	_, seq := f.subscribe(f.watch(), executor.Selector{})
	require.GreaterOrEqual(f, seq, replayed[1].Seq)

	f.restart()
	require.Equal(f, seqs(replayed), seqs(f.replay(old, latest, 10)), "once and for all")
}

// restartCancelling has tasks that were told to stop; whether one may run
// again does not matter.
func restartCancelling(f *fixture) {
	var ids []uuid.UUID
	for _, rerun := range []bool{false, true} {
		id := f.one(withRerun(rerun))
		ids = append(ids, id)
		require.NoError(f, f.claim().Started(7))
		require.Equal(f, schema.OutcomeCancelling, f.cancel(id, executor.Cancellation{Reason: "why"}).Outcome)
	}
	asked := []schema.Time{f.get(ids[0]).CancelRequestedAt, f.get(ids[1]).CancelRequestedAt}
	f.pass(time.Second)
	f.restart()
	for i, id := range ids {
		got := f.get(id)
		require.Equal(f, schema.Cancelled, got.State)
		require.Equal(f, schema.KindCancelled, got.Error.Kind)
		require.Contains(f, got.Error.Message, "why")
		require.Equal(f, "why", got.CancelReason)
		require.Equal(f, asked[i], got.CancelRequestedAt)
	}
	require.Len(f, f.replay(0, latest, 10), 2)
	require.True(f, f.claimer(nil).waits())
}

// restartInFlight does not wait until the ends are recorded. Each end that was
// reported must be there. Any other end may be there or not.
func restartInFlight(f *fixture) {
	const tasks = 60
	ids := make([]uuid.UUID, tasks)
	var mu sync.Mutex
	said := map[uuid.UUID]error{}
	w := f.watchAll()
	for n := range ids {
		id := f.one(withRerun(n%2 == 0))
		ids[n] = id
		lease := f.claim()
		heard := make(chan struct{})
		lease.Finish(completed, func(err error) {
			mu.Lock()
			said[id] = err
			mu.Unlock()
			close(heard)
		})
		lease.Release()
		if n == tasks/2 {
			<-heard
		}
	}
	seen := f.ends(w)
	f.restart()
	mu.Lock()
	defer mu.Unlock()
	require.True(f, f.crashes || len(said) == tasks, "each is told of a close")
	for n, id := range ids {
		err, told := said[id]
		switch got := f.get(id); {
		case n <= tasks/2 || told && err == nil || seen[id]:
			require.Equal(f, schema.Completed, got.State, n)
		case got.Rerun && got.State != schema.Completed:
			require.Equal(f, schema.Queued, got.State, n)
		case got.State != schema.Completed:
			require.Equal(f, schema.KindInterrupted, got.Error.Kind, n)
		}
	}
}

// ends are the tasks of whose end a watcher has been told by now.
func (f *fixture) ends(w executor.Watcher) map[uuid.UUID]bool {
	f.Helper()
	ended, end := context.WithCancel(f.Context())
	end()
	found := map[uuid.UUID]bool{}
	for {
		events, err := w.Next(ended)
		if err != nil {
			return found
		}
		for _, ev := range events {
			found[ev.ID] = ev.Kind == executor.EventFinished
		}
	}
}

// restartSeq looks at all the numbers that a watcher can have been told.
func restartSeq(f *fixture) {
	last := uint64(0)
	see := func(seq uint64) {
		f.Helper()
		require.GreaterOrEqual(f, seq, last)
		last = seq
	}
	for n := range 5 {
		w := f.watch()
		_, seq := f.subscribe(w, executor.Selector{Events: executor.AllEvents})
		see(seq)
		f.live()
		id := f.one(withRerun(n%2 == 0))
		lease := f.claim()
		require.NoError(f, lease.Started(7))
		for range 10 { // what is not recorded has numbers, too
			require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
			require.NoError(f, lease.Write(schema.Stdout, []byte("x")))
		}
		for _, ev := range f.drain(w) {
			require.Greater(f, ev.Seq, last)
			see(ev.Seq)
		}
		if n%2 == 0 {
			f.cancel(id, executor.Cancellation{})
		}
		f.restart()
	}
}

// restartReplay has ends before and after a number, and a restart behind them.
func restartReplay(f *fixture) {
	w := f.watchAll()
	want := map[uuid.UUID]uint64{}
	middle := uint64(0)
	for n := range 20 {
		if id := f.one(); n%3 == 0 {
			f.cancel(id, executor.Cancellation{})
		} else {
			f.finish(f.claim(), completed)
		}
		for _, ev := range f.drain(w) {
			want[ev.ID] = ev.Seq
			if n < 10 {
				middle = ev.Seq
			}
		}
	}
	for range 2 {
		f.restart()
		for after, n := range map[uint64]int{0: 20, middle: 10} {
			events := f.replayAll(after, latest, 3)
			require.Len(f, events, n)
			for _, ev := range events {
				require.Equal(f, executor.EventFinished, ev.Kind)
				require.Equal(f, want[ev.ID], ev.Seq, "with the number that it had")
				require.Equal(f, asEvent(f.get(ev.ID)), *ev.Task)
			}
		}
	}
}
