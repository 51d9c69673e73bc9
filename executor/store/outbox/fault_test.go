package outbox_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
)

// A disk that takes nothing is told by the stats, and once in the log. What waits is sent when there is room.
func TestFullDiskIsToldAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		var log bytes.Buffer
		d := &disk{}
		s := startWith(d, w, forever(), slog.New(slog.NewTextHandler(&log, nil)))
		defer s.stop()
		synctest.Wait()
		require.Empty(t, s.Info().Fault)
		w.cut()
		one := task()
		s.posts(t, one)
		d.fill(true)
		_, err := s.Post(t.Context(), []executor.Submission{task()})
		require.EqualError(t, err, "the store is unavailable: the outbox cannot be written: nothing was written: no space left on device")
		w.mend()
		before := d.tries()
		time.Sleep(time.Minute)
		require.Less(t, d.tries()-before, 25, "it is not tried all the time")
		require.Empty(t, w.recordedIDs())
		require.Equal(t, "the outbox cannot be written: nothing was written: no space left on device", s.Info().Fault)
		d.fill(false)
		time.Sleep(5 * time.Second)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		require.Empty(t, s.Info().Fault)
		require.Equal(t, 1, strings.Count(log.String(), "the outbox cannot be written; it is tried again"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "the outbox can be written again"), log.String())
	})
}

// A server that starts on a full disk says so, and stops nothing that goes past the outbox.
func TestStartOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memory.Options{})
		defer w.store.Close()
		s := start(&disk{full: true}, w, forever())
		defer s.stop()
		synctest.Wait()
		require.Empty(t, s.Info().Fault)
		require.Contains(t, s.Info().Warning, "no space left on device")
		one := task()
		s.posts(t, one)
		require.Equal(t, []uuid.UUID{one.ID}, w.recordedIDs())
		w.cut()
		require.Equal(t, "the outbox cannot be written: nothing was written: no space left on device; there is no connection to the namespace", s.Info().Fault)
	})
}
