package nats

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// crash ends a store as the death of its process does.
func (s *Store) crash() {
	s.journal.close()
	s.end()
	s.running.Wait()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	close(s.stopped)
	_ = s.machine.tasks.Close()
}

// fence lets a process be given up at once that the test has killed.
func (s *Store) fence(t *testing.T, dead uuid.UUID) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		last := make(chan uint64, 1)
		require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(answer) {
			if p := s.machine.peers[dead]; p != nil {
				last <- p.last
			}
			close(last)
		}}))
		n, there := <-last
		if !there {
			return
		}
		require.NoError(t, s.put(&pending{change: change{Fence: &fence{Peer: dead, Last: n}}}))
	}
	require.Fail(t, "the process is not given up")
}
