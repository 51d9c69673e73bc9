package outbox_test

import (
	"context"
	"errors"
	"fmt"
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

// bubble runs a test with an outbox whose queue is there from the begin.
func bubble(t *testing.T, f func(t *testing.T, s *started, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		s := start(&disk{}, w, forever())
		defer s.stop()
		synctest.Wait()
		f(t, s, w)
	})
}

// posts submits tasks, none of which is refused.
func (s *started) posts(t require.TestingT, all ...executor.Submission) []executor.Submitted {
	answers, err := s.Post(context.Background(), all)
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
	}
	return answers
}

// waitsHere reports whether a task waits in the outbox.
func waitsHere(t *schema.Task) bool {
	return t.State == schema.Queued && len(t.WaitingFor) == 1 && t.WaitingFor[0].Kind == schema.WaitsForOutbox
}

func (s *started) get(t require.TestingT, id uuid.UUID) schema.Task {
	r, err := s.Get(context.Background(), id)
	require.NoError(t, err)
	return r.Task
}

// Where the queue can be reached, nothing is kept.
func TestPostGoesToTheNamespace(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		one := task()
		answers := s.posts(t, one)
		require.False(t, answers[0].Existing)
		require.Empty(t, answers[0].WaitingFor)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		require.Zero(t, s.State().Waiting)
	})
}

// A submit whose answer does not come is answered after a while, and sent when the queue is back, in order.
func TestPostWaitsWhileNobodyAnswers(t *testing.T) {
	for _, becomes := range []fate{notDone, lost, recorded, late} {
		t.Run(fmt.Sprint(becomes), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *started, w *world) {
				one, two := task(), task()
				w.next(becomes)
				began := time.Now()
				answers := s.posts(t, one)
				require.Equal(t, 2*time.Second, time.Since(began))
				require.Len(t, answers[0].WaitingFor, 1)
				began = time.Now()
				s.posts(t, two)
				require.Zero(t, time.Since(began), "what comes behind it waits for nothing")
				require.Equal(t, 2, s.State().Waiting)
				second := s.get(t, two.ID)
				require.True(t, waitsHere(&second))
				w.mend()
				time.Sleep(time.Second)
				require.Equal(t, []uuid.UUID{one.ID, two.ID}, w.recordedIDs())
				require.Zero(t, s.State().Waiting)
				second = s.get(t, two.ID)
				require.False(t, waitsHere(&second))
			})
		})
	}
}

// The owner of a task is told when it is sent, and what becomes of it then.
func TestOwnerIsToldThatATaskIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		w.cut()
		one := task(func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		s.posts(t, one)
		w.mend()
		claimer, err := s.Join(t.Context(), executor.Offer{})
		require.NoError(t, err)
		defer claimer.Leave()
		lease, err := claimer.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		require.NoError(t, lease.Started(0))
		lease.Finish(executor.Outcome{State: schema.Completed, Result: []byte("{}")}, func(error) {})
		lease.Release()
		var kinds []executor.EventKind
		last := uint64(0)
		for len(kinds) < 3 {
			events, err := watcher.Next(t.Context())
			require.NoError(t, err)
			for _, ev := range events {
				require.Greater(t, ev.Seq, last)
				require.Equal(t, ev.Kind == executor.EventUpdated, ev.Sent)
				last, kinds = ev.Seq, append(kinds, ev.Kind)
			}
		}
		require.Equal(t, []executor.EventKind{executor.EventUpdated, executor.EventStarted, executor.EventFinished}, kinds)
	})
}

// A cancel of a task that waits here is told, and the task is never sent. Its parts go with it.
func TestCancelDropsWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		w.cut()
		one := task(func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		part := task(func(x *executor.Submission) { x.Conditions = &schema.Conditions{Parent: one.ID} })
		other := task()
		s.posts(t, one, part, other)
		require.NoError(t, watcher.Follow(t.Context(), part.ID, executor.AllEvents))
		answers, err := s.Cancel(t.Context(), []uuid.UUID{one.ID, uuid.New()}, executor.Cancellation{Reason: "no"})
		require.NoError(t, err)
		require.Len(t, answers, 1, "the others are answered by the namespace")
		require.NoError(t, answers[0].Err)
		require.Equal(t, schema.OutcomeCancelled, answers[0].Outcome)
		require.Equal(t, schema.Cancelled, answers[0].Task.State)
		require.Equal(t, "no", answers[0].Task.CancelReason)
		_, err = s.Update(t.Context(), other.ID, &executor.Update{Priority: new(int8)})
		require.ErrorContains(t, err, "can be changed when it was sent")
		_, err = s.Update(t.Context(), one.ID, &executor.Update{Priority: new(int8)})
		require.EqualError(t, err, (&executor.NotQueuedError{State: schema.Cancelled}).Error())
		for id, final := range map[uuid.UUID]bool{one.ID: true, other.ID: false} {
			piece, err := s.Output(t.Context(), id, schema.Stdout, executor.OutputRange{Limit: 1})
			require.NoError(t, err)
			require.Equal(t, executor.OutputPiece{Final: final}, piece)
		}
		ended := map[uuid.UUID]int{}
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		for _, ev := range events {
			require.Equal(t, executor.EventFinished, ev.Kind)
			require.Equal(t, schema.Cancelled, ev.Task.State)
			ended[ev.ID]++
		}
		require.Equal(t, map[uuid.UUID]int{one.ID: 1, part.ID: 1}, ended)
		answers, err = s.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeAlreadyFinished, answers[0].Outcome)
		require.Equal(t, schema.Cancelled, s.get(t, part.ID).State)
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{other.ID}, w.recordedIDs())
		require.True(t, s.posts(t, one)[0].Existing, "its id is known")
		require.Equal(t, []uuid.UUID{other.ID}, w.recordedIDs())
	})
}

// What may have been sent cannot be dropped while that is not known. When it is known, the queue cancels it.
func TestCancelOfWhatMayBeSentIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		one := task()
		w.next(late)
		s.posts(t, one)
		answers, err := s.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.ErrorIs(t, answers[0].Err, executor.ErrStoreUnavailable)
		w.mend()
		began := time.Now()
		answers, err = s.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), 200*time.Millisecond, "it waits until that is known, and no longer")
		require.NoError(t, answers[0].Err)
		require.Equal(t, schema.OutcomeCancelled, answers[0].Outcome)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
	})
}

// What the queue refuses stays, and holds up nothing. It is sent again where that is asked for.
func TestRefusedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{MaxQueued: 1})
		defer w.store.Close()
		d := &disk{}
		s := start(d, w, forever())
		synctest.Wait()
		w.cut()
		first, second := task(), task()
		after := task(func(x *executor.Submission) {
			x.Conditions = &schema.Conditions{After: []schema.Dependency{{ID: second.ID}}}
		})
		s.posts(t, first, second, after)
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{first.ID}, w.recordedIDs())
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Refused: 2}, s.State())
		require.Contains(t, s.get(t, second.ID).CancelReason, "the queue is full")
		s.stop()

		s = start(d, w, forever()) // also in another process
		defer s.stop()
		time.Sleep(time.Second)
		require.Equal(t, 2, s.State().Refused)
		_, err := s.Resend([]uuid.UUID{first.ID})
		require.ErrorContains(t, err, "is not in the outbox")
		_, err = w.store.Cancel(t.Context(), []uuid.UUID{first.ID}, executor.Cancellation{})
		require.NoError(t, err)
		n, err := s.Resend([]uuid.UUID{second.ID})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		time.Sleep(time.Second)
		require.Equal(t, []uuid.UUID{first.ID, second.ID}, w.recordedIDs())
		_, err = s.Cancel(t.Context(), []uuid.UUID{after.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db"}, s.State())
		require.Empty(t, d.read())
	})
}

// A task that another one of its dedupe key makes needless is refused, and names that one.
func TestDuplicateIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		keyed := func(x *executor.Submission) {
			x.Conditions = &schema.Conditions{Dedupe: &schema.Dedupe{Key: "k", On: schema.DedupeReuse}}
		}
		there, one := task(keyed), task(keyed)
		s.posts(t, there)
		w.cut()
		s.posts(t, one)
		w.mend()
		time.Sleep(time.Second)
		require.Equal(t, 1, s.State().Refused)
		require.Contains(t, s.get(t, one.ID).CancelReason, there.ID.String())
	})
}

// The same submit again is the same task, wherever that is.
func TestPostIsIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		sent, waits := task(), task()
		s.posts(t, sent)
		w.cut()
		s.posts(t, waits, waits)
		for _, again := range []executor.Submission{sent, waits} {
			require.True(t, s.posts(t, again)[0].Existing)
			again.Type = "other"
			answers, err := s.Post(t.Context(), []executor.Submission{again})
			require.NoError(t, err)
			require.ErrorIs(t, answers[0].Err, executor.ErrIDConflict)
		}
		require.Equal(t, 1, s.State().Waiting)
	})
}

// A task that comes after one that was dropped is refused, because the queue does not know that one.
func TestDependentOfADroppedTaskIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		w.cut()
		first := task()
		after := task(func(x *executor.Submission) {
			x.Conditions = &schema.Conditions{After: []schema.Dependency{{ID: first.ID}}}
		})
		s.posts(t, first, after)
		_, err := s.Cancel(t.Context(), []uuid.UUID{first.ID}, executor.Cancellation{})
		require.NoError(t, err)
		w.mend()
		time.Sleep(time.Second)
		require.Contains(t, s.get(t, after.ID).CancelReason, first.ID.String()+" is not known")
	})
}

// Before the queue was reached, what needs it fails, and what waits is known.
func TestUnreachedFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		w.cut()
		s := start(&disk{}, w, forever())
		defer s.stop()
		require.EqualError(t, <-s.Tried(), "nobody answers")
		one := task()
		s.posts(t, one)
		_, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 10})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		require.ErrorContains(t, err, "nobody answers")
		page, err := s.List(t.Context(), executor.Filter{Parent: one.ID}, executor.PageRequest{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, page.Tasks)
		_, err = s.Submit(t.Context(), []executor.Submission{task()})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		require.True(t, s.Info().Unread)
		counts, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), counts.Queued)
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		_, _, err = watcher.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		_, seq, err := watcher.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents, IDs: map[uuid.UUID]bool{one.ID: true}})
		require.NoError(t, err)
		require.Zero(t, seq)
		w.mend()
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		require.True(t, events[0].Sent)
		require.False(t, s.Info().Unread)
	})
}

// A process that was killed behind a submit leaves an entry, of which the next one finds that it was sent. Who
// waits for it then is told its end.
func TestKilledBehindASubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		d, l := &disk{}, forever()
		w.cut()
		s := start(d, w, l)
		synctest.Wait()
		one := task()
		s.posts(t, one)
		l.mu.Lock()
		l.left = 3 // two steps of the note that it is tried, and that of the submit
		l.mu.Unlock()
		w.mend()
		time.Sleep(20 * time.Second)
		s.stop()
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		require.Len(t, d.read(), 1)
		require.True(t, d.read()[0].Tried)
		_, err := w.store.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{})
		require.NoError(t, err)

		w.cut()
		s = start(d, w, forever())
		defer s.stop()
		watcher, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer watcher.Close()
		require.NoError(t, watcher.Follow(t.Context(), one.ID, executor.AllEvents))
		before := s.get(t, one.ID)
		require.True(t, waitsHere(&before))
		w.mend()
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, events[0].Task.State)
		require.Empty(t, d.read())
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
	})
}

// The limits hold, and a disk that takes nothing refuses the submit.
func TestOutboxIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		w.cut()
		all := make([]executor.Submission, outbox.MaxEntries)
		for i := range all {
			all[i] = task()
		}
		s.posts(t, all...)
		answers, err := s.Post(t.Context(), []executor.Submission{task(), all[0]})
		require.NoError(t, err)
		require.ErrorIs(t, answers[0].Err, executor.ErrQueueFull)
		require.EqualError(t, answers[0].Err, "the number of submits in the outbox /home/ada/outbox.db would pass the limit of 10000: the namespace must be reached, or cancel some that wait or were refused")
		require.True(t, answers[1].Existing)
	})
	bubble(t, func(t *testing.T, s *started, w *world) {
		w.cut()
		half := func(x *executor.Submission) { x.Input = make([]byte, outbox.MaxBytes/2-1000) }
		s.posts(t, task(half), task(half))
		answers, err := s.Post(t.Context(), []executor.Submission{task(func(x *executor.Submission) { x.Input = make([]byte, 4000) }), task()})
		require.NoError(t, err)
		require.ErrorContains(t, answers[0].Err, "the bytes of the submits in the outbox")
		require.NoError(t, answers[1].Err, "a smaller one has room")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		w.cut()
		d := &disk{full: true}
		s := start(d, w, forever())
		defer s.stop()
		_, err := s.Post(t.Context(), []executor.Submission{task()})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		require.NotErrorIs(t, err, executor.ErrOutcomeUnknown)
		require.Zero(t, s.State().Waiting)
	})
}

// A list has what is in the outbox in front of the newest, or behind the rest, page by page.
func TestListHasTheOutbox(t *testing.T) {
	bubble(t, func(t *testing.T, s *started, w *world) {
		var want []uuid.UUID // the oldest first
		add := func(n int) {
			for range n {
				x := task()
				s.posts(t, x)
				want = append(want, x.ID)
			}
		}
		add(3)
		w.cut()
		add(4)
		for _, oldest := range []bool{true, false} {
			for limit := 1; limit <= 8; limit++ {
				var got []uuid.UUID
				for p := (executor.PageRequest{Oldest: oldest, Limit: limit}); ; {
					page, err := s.List(t.Context(), executor.Filter{Types: []string{"noop"}}, p)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page.Tasks), limit)
					for i := range page.Tasks {
						got = append(got, page.Tasks[i].ID)
					}
					if p.Cursor = page.Next; p.Cursor == "" {
						break
					}
				}
				if !oldest {
					for i := range got[:len(got)/2] {
						got[i], got[len(got)-1-i] = got[len(got)-1-i], got[i]
					}
				}
				require.Equal(t, want, got, "oldest %v, limit %d", oldest, limit)
			}
		}
		page, err := s.List(t.Context(), executor.Filter{Types: []string{"other"}}, executor.PageRequest{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, page.Tasks)
		_, err = s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 10, Cursor: "outbox:x"})
		var wrong *executor.InputError
		require.True(t, errors.As(err, &wrong))

		entries, next, err := s.Entries("", 3)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		rest, next, err := s.Entries(next, 3)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Equal(t, want[6], rest[0].ID)
	})
}
