package nats

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// lockedText is text that several goroutines write and read.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A driver that does not say what it has read holds the log back for a while, is named, and then does no longer. An executor does.
func TestDriversHoldTheLogBackForAWhile(t *testing.T) {
	withSharedLog(t, func(t *testing.T, l sharedLog) {
		var log lockedText
		l.logger = slog.New(slog.NewTextHandler(&log, nil))
		s := l.opens(1, RoleExecutor)
		joins := func(id uuid.UUID, r Role) {
			text, err := encode([]change{{Hello: &hello{Name: "the " + string(r), Rules: 1, Lease: int64(time.Hour)}}})
			require.NoError(t, err)
			l.log.append(append(head{writer: id, number: 1}.append(nil), text...), r)
		}
		joins(uuid.New(), RoleDriver)
		shortens := func() uint64 {
			for range 2 {
				s.submits(t, newTask())
				s.makes(t)
			}
			time.Sleep(maintainPause + time.Second) // it looks once
			return s.firstEntry(t)
		}
		require.Equal(t, uint64(1), shortens())
		require.Equal(t, uint64(1), shortens())
		require.Equal(t, uint64(1), shortens())
		time.Sleep(maxDriverHold)
		first := shortens()
		require.Greater(t, first, uint64(1))

		executor := uuid.Max // so it is not the one that looks
		joins(executor, RoleExecutor)
		time.Sleep(maxDriverHold)
		require.Equal(t, shortens(), shortens())
		s.fence(t, executor)
		require.Greater(t, shortens(), first)
		require.NoError(t, s.Close())
		require.Equal(t, 2, strings.Count(log.String(), "has not said that it has read enough"), log.String())
		require.Contains(t, log.String(), `process="the driver"`)
		require.Contains(t, log.String(), `process="the executor"`)
	})
}
