package kit_test

import (
	"context"
	"encoding/binary"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// wrote is an event of output.
func wrote(id uuid.UUID, s schema.Stream, offset, end int64) executor.Event {
	return executor.Event{ID: id, Kind: executor.EventOutput, Stream: s, Offset: offset, End: end, Task: &schema.Task{ID: id}}
}

var (
	started  = executor.Event{Kind: executor.EventStarted, Task: &schema.Task{}}
	reported = executor.Event{Kind: executor.EventProgress, Task: &schema.Task{}}
	ended    = executor.Event{Kind: executor.EventFinished, Task: &schema.Task{}}
)

// watchAll follows everything.
func watchAll(f *kit.Feed) executor.Watcher {
	w := f.Watch()
	_, _, _ = w.Subscribe(context.Background(), executor.Selector{Events: executor.AllEvents}) // it cannot fail
	return w
}

// published is what a watcher that sleeps has of events.
func published(t *testing.T, f *kit.Feed, events ...executor.Event) []executor.Event {
	t.Helper()
	w := watchAll(f)
	defer w.Close()
	for _, ev := range events {
		f.Publish(0, 0, ev)
	}
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	return got
}

func TestFeedJoinsOutput(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	const most = executor.MaxOutputPiece
	for name, c := range map[string]struct {
		events []executor.Event
		want   int
	}{
		"what follows":            {[]executor.Event{wrote(a, 0, 0, 5), wrote(a, 0, 5, 9)}, 1},
		"up to the limit":         {[]executor.Event{wrote(a, 0, 0, most-1), wrote(a, 0, most-1, most)}, 1},
		"not past the limit":      {[]executor.Event{wrote(a, 0, 0, most), wrote(a, 0, most, most+1)}, 2},
		"not over a gap":          {[]executor.Event{wrote(a, 0, 0, 5), wrote(a, 0, 6, 9)}, 2},
		"not of another stream":   {[]executor.Event{wrote(a, 0, 0, 5), wrote(a, 1, 5, 9)}, 2},
		"not of another task":     {[]executor.Event{wrote(a, 0, 0, 5), wrote(b, 0, 5, 9)}, 2},
		"not over another event":  {[]executor.Event{wrote(a, 0, 0, 5), reported, wrote(a, 0, 5, 9)}, 3},
		"the number of the newer": {[]executor.Event{wrote(a, 0, 0, 5), wrote(a, 0, 5, 9), reported}, 2},
	} {
		var f kit.Feed
		got := published(t, &f, c.events...)
		require.Len(t, got, c.want, name)
		require.Equal(t, f.Seq(), got[len(got)-1].Seq, name)
		require.Equal(t, c.events[0].Offset, got[0].Offset, name)
		if c.want == 1 {
			require.Equal(t, c.events[1].End, got[0].End, name)
		}
	}
}

// TestFeedKeepsApartWhatIsWanted has output that one reader follows only, and
// subscribes to in between.
func TestFeedKeepsApartWhatIsWanted(t *testing.T) {
	var f kit.Feed
	w := f.Watch()
	id := uuid.New()
	w.Follow(t.Context(), id, executor.AllEvents)
	f.Publish(0, 0, wrote(id, 0, 0, 5))
	w.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
	f.Publish(0, 0, wrote(id, 0, 5, 9))
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []bool{false, true}, []bool{got[0].Wanted, got[1].Wanted})
	var held kit.Held
	for i := range got {
		held.Add(&got[i])
	}
	require.Equal(t, got, held.Events(), "also where they are held back")
}

func TestFeedThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f kit.Feed
		errs := make(chan error, 3)
		for range cap(errs) {
			w := watchAll(&f)
			go func() {
				_, err := w.Next(t.Context())
				errs <- err
			}()
		}
		synctest.Wait()
		require.Empty(t, errs)
		f.Close()
		for range cap(errs) {
			require.ErrorIs(t, <-errs, executor.ErrClosed)
		}
		f.Close()
	})
}

func TestFeedGoesOnWithEarlierNumbers(t *testing.T) {
	var f kit.Feed
	f.SetSeq(1000)
	got := published(t, &f, started, ended)
	require.Equal(t, uint64(1001), got[0].Seq)
	require.Equal(t, 1001+executor.SeqsPerFinish, got[1].Seq)
}

// TestClosedWatcherKeepsNothing counts allocations: what it kept would stay for ever.
func TestClosedWatcherKeepsNothing(t *testing.T) {
	var f kit.Feed
	w := f.Watch()
	w.Close()
	var id uuid.UUID
	n := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		n++
		binary.BigEndian.PutUint64(id[:], n)
		w.Follow(t.Context(), id, executor.DefaultEvents)
	}))
}

func TestNextOfAnEndedContextHasWhatIsThere(t *testing.T) {
	var f kit.Feed
	w := watchAll(&f)
	f.Publish(0, 0, started)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := w.Next(ctx)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, err = w.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// TestFeedIsSmallAgainAfterABacklog has a reader that was slow once.
func TestFeedIsSmallAgainAfterABacklog(t *testing.T) {
	const many, few = 50_000, 10_000
	var f kit.Feed
	w := watchAll(&f)
	for range many {
		f.Publish(w.ID(), executor.DefaultEvents, ended)
	}
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, got, many)
	for range many {
		f.Publish(0, 0, reported)
	}
	got, err = w.Next(t.Context())
	require.NoError(t, err)
	require.Less(t, len(got), few)
}

// TestMarkIsNeverDropped puts one before the first event, and lets a backlog
// come that has to be made shorter.
func TestMarkIsNeverDropped(t *testing.T) {
	var f kit.Feed
	w := watchAll(&f)
	w.Barrier(t.Context())
	for range 20_000 {
		f.Publish(0, 0, reported)
	}
	w.Barrier(t.Context())
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Less(t, len(got), 10_000)
	require.Equal(t, executor.EventBarrier, got[0].Kind)
	require.Equal(t, executor.EventBarrier, got[len(got)-1].Kind)
	require.Equal(t, executor.EventProgress, got[len(got)-2].Kind)
}

// A task that is tried again and again fills the list of no slow reader: its newest attempt is
// told of.
func TestEventsOfManyAttemptsAreBounded(t *testing.T) {
	const many, few = 50_000, 10_000
	var f kit.Feed
	w := watchAll(&f)
	task := &schema.Task{ID: uuid.New(), Type: "plain"}
	for n := range int32(many) {
		f.Publish(w.ID(), executor.DefaultEvents, executor.Event{Kind: executor.EventStarted, ID: task.ID, Task: task, Attempt: n + 1})
		f.Publish(w.ID(), executor.DefaultEvents, executor.Event{Kind: executor.EventRetrying, ID: task.ID, Task: task, Attempt: n + 1, Next: &executor.NextAttempt{}})
	}
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Less(t, len(got), few)
	for i, kind := range []executor.EventKind{executor.EventStarted, executor.EventRetrying} {
		last := got[len(got)-2+i]
		require.Equal(t, kind, last.Kind)
		require.Equal(t, int32(many), last.Attempt)
	}
}

func TestHeldBackEventsAreBounded(t *testing.T) {
	const many, few = 50_000, 10_000
	a, b := uuid.New(), uuid.New()
	var held kit.Held
	for n := range int64(many) {
		ev := wrote(a, schema.Stream(n%2), n, n+1)
		ev.Seq = uint64(2*n + 1)
		held.Add(&ev)
		held.Add(&executor.Event{ID: b, Kind: executor.EventProgress, Seq: uint64(2*n + 2)})
		require.Less(t, len(held.Events()), few)
	}
	require.Equal(t, uint64(2*many), held.Events()[len(held.Events())-1].Seq)

	held = kit.Held{}
	for n := range int64(100) {
		ev := wrote(a, schema.Stdout, n, n+1)
		held.Add(&ev)
	}
	require.Len(t, held.Events(), 1, "what follows is joined")
	require.Equal(t, int64(100), held.Events()[0].End)
}

// Progress alone is bounded, too: of many tasks there is one event each.
func TestProgressOfManyTasksIsBounded(t *testing.T) {
	const many, few = 50_000, 10_000
	var f kit.Feed
	w := f.Watch()
	w.Subscribe(t.Context(), executor.Selector{Events: executor.EventMask(0).With(executor.EventProgress)})
	for range many {
		ev := reported
		ev.ID = uuid.New()
		f.Publish(0, 0, ev)
	}
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Less(t, len(got), few)
	require.Equal(t, executor.EventLag, got[0].Kind)
	require.EqualValues(t, many, got[0].End)
	f.Publish(0, 0, reported)
	got, err = w.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 1)
}
