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
		all := []executor.Submission{task(), task(), task(), task()}
		for i := range all {
			d.entries = append(d.entries, outbox.Entry{Number: int64(i + 1), Record: all[i].Record, Damaged: i == 1 || i == 2})
		}
		s := start(d, w, forever())
		defer s.stop()
		synctest.Wait()
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Waiting: 2, Damaged: 2}, s.State())
		require.Contains(t, s.Info().Warning, "in the outbox /home/ada/outbox.db some submits are damaged, and are not sent (2): submit them again, or cancel them there")
		listed, _, err := s.Entries("", 10)
		require.NoError(t, err)
		for i, e := range listed {
			require.Equal(t, all[i].ID, e.ID)
			require.Equal(t, i == 1 || i == 2, e.Damaged)
		}
		again, dropped := all[1], all[2]
		_, err = s.Get(t.Context(), again.ID)
		require.ErrorIs(t, err, executor.ErrDamaged)
		require.False(t, s.posts(t, again)[0].Existing)
		answers, err := s.Cancel(t.Context(), []uuid.UUID{dropped.ID, again.ID}, executor.Cancellation{})
		require.NoError(t, err)
		require.Len(t, answers, 1, "the others are asked for behind it")
		require.NoError(t, answers[0].Err)
		require.Equal(t, schema.Cancelled, answers[0].Task.State)
		require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Waiting: 3}, s.State())
		require.Empty(t, s.Info().Warning)
		w.mend()
		time.Sleep(time.Minute)
		require.Equal(t, []uuid.UUID{all[0].ID, all[3].ID, again.ID}, w.recordedIDs())
		_, err = s.Get(t.Context(), dropped.ID)
		require.ErrorIs(t, err, executor.ErrNotFound)
	})
}
