package nats

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// A process that is silent is given up once, however long the entry that says so is on its way. One that has
// written again, and is silent again, is given up again.
func TestASilentProcessIsGivenUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newStore(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		p := s.machine.meet(uuid.New(), hello{Name: "other", Lease: int64(time.Second)}, schema.Now())
		p.last, p.heard = 7, time.Now()
		beats := func(times int) {
			for range times {
				time.Sleep(time.Second + 1)
				s.fenceSilentPeers()
			}
		}
		beats(3)
		require.Equal(t, 1, strings.Count(log.String(), "is silent"))
		require.Len(t, s.queue, 1)
		p.last, p.heard = 8, time.Now()
		beats(3)
		require.Equal(t, 2, strings.Count(log.String(), "is silent"))
		require.Len(t, s.queue, 2)
		require.Equal(t, uint64(8), s.queue[1].Fence.Last)
		s.machine.remove(p)
		beats(1)
		require.Empty(t, s.silent)
		require.NoError(t, s.machine.tasks.Close())
	})
}

// A process that was stopped itself gives nobody up by what it has not heard meanwhile. One that was not does.
func TestAProcessThatWasStoppedGivesNobodyUp(t *testing.T) {
	for _, stopped := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(Options{Lease: time.Second, Logger: slog.New(slog.DiscardHandler)})
			self := s.machine.meet(s.self, hello{Name: "self", Role: RoleExecutor, Lease: int64(time.Second)}, schema.Now())
			other := s.machine.meet(uuid.New(), hello{Name: "other", Role: RoleExecutor, Lease: int64(time.Second)}, schema.Now())
			other.heard, s.steadySince, s.lastContact = time.Now(), time.Now(), readClocks()
			time.Sleep(time.Second + 1)
			if !stopped {
				s.lastContact = readClocks()
			}
			self.last, s.beating = 1, 1
			s.flights = []*flight{{number: 1, first: readClocks(), changes: []*pending{{change: change{Beat: true}, done: func(answer) { s.fenceSilentPeers() }}}}}
			require.NoError(t, s.applyMessage(self, []change{{Beat: true}}, schema.Now()))
			require.Len(t, s.queue, map[bool]int{true: 0, false: 1}[stopped])
			require.NoError(t, s.machine.tasks.Close())
		})
	}
}
