package outbox_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/schema"
)

// fillsWhileSending makes the disk full while the next submits of the outbox are under way.
func fillsWhileSending(d *disk, w *world) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = func() { d.fill(true) }
}

// What has become of submits is written when there is room again. So the next process sends none of them once more, though the
// namespace may have forgotten them.
func TestWhatWasSentIsWrittenWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		d := &disk{}
		s := start(d, w, forever())
		synctest.Wait()
		w.cut()
		s.posts(t, task(), task())
		fillsWhileSending(d, w)
		w.mend()
		time.Sleep(time.Second)
		require.Len(t, w.recordedIDs(), 2)
		require.Len(t, d.read(), 2, "there was no room to note that")
		require.Zero(t, s.State().Waiting)
		d.fill(false)
		time.Sleep(5 * time.Second)
		require.Empty(t, d.read())
		s.stop()

		other := newWorld(memory.Options{}) // which has forgotten them
		defer other.store.Close()
		s = start(d, other, forever())
		defer s.stop()
		time.Sleep(time.Minute)
		require.Empty(t, other.recordedIDs())
	})
}

// A refusal is told when the file has it: before that the next process would send the task.
func TestRefusalIsToldWhenItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{MaxQueued: 1})
		defer w.store.Close()
		d := &disk{}
		s := start(d, w, forever())
		defer s.stop()
		synctest.Wait()
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		events := make(chan []executor.Event)
		go func() {
			defer close(events)
			if all, err := watcher.Next(t.Context()); err == nil {
				events <- all
			}
		}()
		w.cut()
		refused := task(func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		s.posts(t, task(), refused)
		fillsWhileSending(d, w)
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, 1, s.State().Refused)
		select {
		case all := <-events:
			require.Fail(t, "it is told too early", all)
		default:
		}
		d.fill(false)
		all := <-events
		require.Len(t, all, 1)
		require.Equal(t, refused.ID, all[0].ID)
		require.Equal(t, schema.Cancelled, all[0].Task.State)
		left := d.read()
		require.Len(t, left, 1)
		require.Contains(t, left[0].Refused, "the queue is full")
		watcher.Close()
	})
}

// An error of which nothing is known ends no task: what waits is sent again.
func TestUnknownErrorRefusesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		w.cut()
		one := task()
		s.posts(t, one)
		w.mu.Lock()
		w.fails = errors.New("something else")
		w.mu.Unlock()
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Waiting: 1}, s.State())
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
	})
}

// A task whose entry is damaged can be submitted again while the namespace can be reached. Then a cancel is of that task.
func TestDamagedEntryIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		d := &disk{}
		one := task()
		d.entries = []outbox.Entry{{Number: 1, Record: one.Record, Damaged: true}}
		s := start(d, w, forever())
		defer s.stop()
		time.Sleep(time.Second)
		require.Equal(t, 1, s.State().Damaged)
		s.posts(t, one)
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db"}, s.State())
		require.Empty(t, d.read())
	})
}
