package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

func expires(after time.Duration) func(*executor.Submission) {
	return func(x *executor.Submission) {
		x.Conditions = &schema.Conditions{ExpiresAt: schema.TimeOf(time.Now().Add(after))}
	}
}

// A task that expires while it waits ends as one that expires in the queue: that is told, and it is never sent.
func TestTaskExpiresInTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		w.cut()
		d := &disk{}
		s := start(d, w, forever())
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		soon := task(expires(time.Second), func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		later, never := task(expires(time.Hour)), task()
		s.posts(t, soon, later, never)
		time.Sleep(1100 * time.Millisecond)
		ended := s.get(t, soon.ID)
		require.Equal(t, schema.Failed, ended.State)
		require.Equal(t, schema.KindExpired, ended.Error.Kind)
		require.Equal(t, "it had not started at "+soon.Conditions.ExpiresAt.String(), ended.Error.Message)
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, executor.EventFinished, events[0].Kind)
		require.Equal(t, ended.Error, events[0].Task.Error)
		require.Equal(t, 2, s.State().Waiting)
		require.Len(t, d.read(), 2)
		s.stop()

		time.Sleep(2 * time.Hour) // while there is no server
		s = start(d, w, forever())
		defer s.stop()
		time.Sleep(time.Second)
		require.Equal(t, schema.KindExpired, s.get(t, later.ID).Error.Kind)
		w.mend()
		time.Sleep(time.Minute)
		require.Equal(t, []uuid.UUID{never.ID}, w.recordedIDs())
	})
}

// What the namespace may have does not expire here: the namespace knows whether it has begun.
func TestWhatMayBeSentExpiresThere(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		one := task(expires(time.Minute))
		w.next(late)
		s.posts(t, one)
		time.Sleep(2 * time.Minute)
		held := s.get(t, one.ID)
		require.True(t, waitsHere(&held))
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		require.Equal(t, schema.KindExpired, s.get(t, one.ID).Error.Kind)
	})
}

// A task whose end cannot be written is not sent, and ends when that can be written.
func TestExpiryWaitsForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		w.cut()
		one, other := task(expires(time.Second)), task()
		s.posts(t, one, other)
		s.disk.fill(true)
		time.Sleep(time.Minute)
		require.Equal(t, schema.Queued, s.get(t, one.ID).State)
		w.mend()
		before := s.disk.tries()
		time.Sleep(time.Minute)
		require.Less(t, s.disk.tries()-before, 40, "it is not tried all the time")
		require.Empty(t, w.recordedIDs())
		s.disk.fill(false)
		time.Sleep(time.Minute)
		require.Equal(t, schema.KindExpired, s.get(t, one.ID).Error.Kind)
		require.Equal(t, []uuid.UUID{other.ID}, w.recordedIDs())
	})
}
