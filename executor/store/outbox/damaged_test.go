package outbox_test

import (
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

// A damaged entry is listed and told, and the others are sent. It goes when its task is submitted again or cancelled.
func TestDamagedEntryIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		w.cut()
		d := &disk{}
		all := []executor.Submission{task(), task(), task(), task(), task()}
		_, err := w.submit(all[4:]) // by a process that died behind it
		require.NoError(t, err)
		for i := range all {
			d.entries = append(d.entries, outbox.Entry{Number: int64(i + 1), Record: all[i].Record, Damaged: i == 1 || i == 2 || i == 4})
		}
		s := start(d, w, forever())
		defer s.stop()
		synctest.Wait()
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Waiting: 2, Damaged: 3}, s.State())
		require.Contains(t, s.Info().Warning, "in the outbox /home/ada/outbox.db some submits are damaged, and are not sent (3): submit them again, or cancel them there")
		listed, _, err := s.Entries("", 10)
		require.NoError(t, err)
		for i, e := range listed {
			require.Equal(t, all[i].ID, e.ID)
			require.Equal(t, i == 1 || i == 2 || i == 4, e.Damaged)
		}
		again, dropped := all[1], all[2]
		_, err = s.Get(t.Context(), again.ID)
		require.ErrorIs(t, err, executor.ErrStoreUnavailable, "the namespace may have it")
		require.False(t, s.posts(t, again)[0].Existing)
		w.mend()
		require.Eventually(t, func() bool { return !s.Info().Unread }, time.Minute, time.Second)
		ended := s.get(t, dropped.ID)
		require.Equal(t, schema.Cancelled, ended.State)
		require.Equal(t, "the outbox /home/ada/outbox.db no longer has what was written of it, so it is not sent", ended.CancelReason)
		answers, err := s.Cancel(t.Context(), []uuid.UUID{dropped.ID, again.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.Len(t, answers, 1, "the others are asked for behind it")
		require.NoError(t, answers[0].Err)
		require.Equal(t, schema.Cancelled, answers[0].Task.State)
		require.Equal(t, schema.Queued, s.get(t, all[4].ID).State)
		_, err = s.Cancel(t.Context(), []uuid.UUID{all[4].ID}, executor.Cancellation{Reason: "there"})
		require.NoError(t, err)
		there, err := w.store.Get(t.Context(), all[4].ID)
		require.NoError(t, err)
		require.Equal(t, "there", there.CancelReason)
		require.Empty(t, s.Info().Warning)
		time.Sleep(time.Minute)
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db"}, s.State())
		require.Equal(t, []uuid.UUID{all[4].ID, all[0].ID, all[3].ID, again.ID}, w.recordedIDs())
		_, err = s.Get(t.Context(), dropped.ID)
		require.ErrorIs(t, err, executor.ErrNotFound)
	})
}
