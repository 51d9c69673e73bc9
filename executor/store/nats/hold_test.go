package nats

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A driver that does not say what it has read holds the log back for a while, is named, and then does no longer. An executor does.
func TestDriversHoldTheLogBackForAWhile(t *testing.T) {
	withSharedLog(t, func(t *testing.T, l sharedLog) {
		var log bytes.Buffer
		s := l.opens(1, RoleExecutor)
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		joins := func(r Role) uuid.UUID {
			id := uuid.New()
			text, err := encode([]change{{Hello: &hello{Name: "the " + string(r), Rules: 1, Lease: int64(time.Hour)}}})
			require.NoError(t, err)
			l.log.append(append(head{writer: id, number: 1}.append(nil), text...), r)
			return id
		}
		joins(RoleDriver)
		shortens := func() uint64 {
			for range 2 {
				s.submits(t, newTask())
				s.makes(t)
			}
			require.NoError(t, s.removeOld(t.Context()))
			time.Sleep(time.Second)
			return s.firstEntry(t)
		}
		require.Equal(t, uint64(1), shortens())
		time.Sleep(holdTold)
		require.Equal(t, uint64(1), shortens())
		require.Equal(t, uint64(1), shortens())
		require.Equal(t, 1, strings.Count(log.String(), "has not said that it has read enough"), log.String())
		require.Contains(t, log.String(), `process="the driver"`)
		time.Sleep(driverPatience)
		first := shortens()
		require.Greater(t, first, uint64(1))

		executor := joins(RoleExecutor)
		time.Sleep(driverPatience)
		require.Equal(t, first, shortens())
		require.Contains(t, log.String(), `process="the executor"`)
		s.fence(t, executor)
		require.Greater(t, shortens(), first)
	})
}
