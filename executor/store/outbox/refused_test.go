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

// A submit that the namespace refuses ends here: its owner, who waits for it and who subscribes hear that once, with the
// reason, and the next process knows it, too. When it is sent again it begins anew, and its owner is told nothing more.
func TestRefusedTaskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{MaxQueued: 1})
		defer w.store.Close()
		d := &disk{}
		s := start(d, w, forever())
		synctest.Wait()
		watchers := [3]executor.Watcher{}
		for i := range watchers {
			watcher, err := s.Watch(t.Context())
			require.NoError(t, err)
			watchers[i] = watcher
		}
		first, second := task(), task(func(x *executor.Submission) { x.Owner, x.Events = watchers[0].ID(), executor.DefaultEvents })
		_, _, err := watchers[2].Subscribe(t.Context(), executor.Selector{Events: executor.DefaultEvents, IDs: map[uuid.UUID]bool{second.ID: true}})
		require.NoError(t, err)
		w.cut()
		s.posts(t, first, second)
		require.NoError(t, watchers[1].Follow(t.Context(), second.ID, executor.AllEvents))
		w.mend()
		time.Sleep(time.Second)
		const why = "the namespace has refused it, so it has never been there: the queue is full"
		ended := s.get(t, second.ID)
		require.Equal(t, schema.Cancelled, ended.State)
		require.Equal(t, &schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled: " + why}, ended.Error)
		require.Equal(t, why, ended.CancelReason)
		require.Empty(t, ended.WaitingFor)
		for _, watcher := range watchers {
			events, err := watcher.Next(t.Context())
			require.NoError(t, err)
			require.Len(t, events, 1)
			require.Equal(t, executor.EventFinished, events[0].Kind)
			told := ended
			told.Input = nil
			require.Equal(t, &told, events[0].Task)
		}
		page, err := s.List(t.Context(), executor.Filter{States: []schema.State{schema.Cancelled}}, executor.PageRequest{Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Tasks, 1)
		require.Equal(t, second.ID, page.Tasks[0].ID)
		require.True(t, s.posts(t, second)[0].Existing)
		watchers[1].Close()
		s.stop()

		s = start(d, w, forever())
		defer s.stop()
		synctest.Wait()
		require.Equal(t, ended, s.get(t, second.ID))
		subscribed, err := s.Watch(t.Context())
		require.NoError(t, err)
		_, _, err = subscribed.Subscribe(t.Context(), executor.Selector{Events: executor.DefaultEvents, IDs: map[uuid.UUID]bool{second.ID: true}})
		require.NoError(t, err)
		_, err = w.store.Cancel(t.Context(), []uuid.UUID{first.ID}, executor.Cancellation{})
		require.NoError(t, err)
		n, err := s.Resend(nil)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		events, err := subscribed.Next(t.Context())
		require.NoError(t, err)
		require.True(t, events[0].Sent)
		require.Equal(t, schema.Queued, s.get(t, second.ID).State)
	})
}

// A cancel of a submit that was refused drops it, and ends nothing a second time.
func TestCancelDropsWhatWasRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		w.cut()
		one := task(func(x *executor.Submission) {
			x.Conditions = &schema.Conditions{After: []schema.Dependency{{ID: uuid.New()}}}
			x.Owner, x.Events = watcher.ID(), executor.DefaultEvents
		})
		s.posts(t, one)
		w.mend()
		time.Sleep(time.Second)
		ended := s.get(t, one.ID)
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.NoError(t, watcher.Follow(t.Context(), one.ID, executor.AllEvents))
		answers, err := s.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{Reason: "no"})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeCancelled, answers[0].Outcome)
		require.Equal(t, ended, answers[0].Task)
		require.Zero(t, s.State().Refused)
		require.Equal(t, ended, s.get(t, one.ID))
		other := task(func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		w.cut()
		s.posts(t, other)
		w.mend()
		events, err = watcher.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, other.ID, events[0].ID, "nothing was told of the cancel")
	})
}
