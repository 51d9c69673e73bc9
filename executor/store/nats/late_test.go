package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// returns counts the tasks that the only process has given back.
func (l *simLog) returns(t *testing.T) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[uint64]bool{}
	for _, e := range l.entries {
		h, text, _ := headOf(e.piece)
		if seen[h.number] { // it was sent again
			continue
		}
		seen[h.number] = true
		changes, err := decode(text)
		require.NoError(t, err)
		for _, c := range changes {
			if c.Return != nil {
				n++
			}
		}
	}
	return n
}

// A claim that a process reads in the log when its lease may be over begins nothing: others may have the task. It gives the task back, and
// claims again.
func TestLateClaimBeginsNothing(t *testing.T) {
	withSharedLog(t, func(t *testing.T, l sharedLog) {
		cut := new(simCut)
		s, err := l.tries(1, RoleExecutor, cut)
		require.NoError(t, err)
		s.submits(t, newTask())
		c := s.joins(t)
		time.Sleep(time.Second)
		before := l.log.length()
		got := make(chan executor.Lease, 1)
		go func() { got <- claims(t, c) }()
		for l.log.length() == before {
			time.Sleep(time.Microsecond)
		}
		cut.set(true) // the claim is in the log, and not read
		time.Sleep(simLease * 3 / 4)
		require.Empty(t, got)
		cut.set(false)
		require.NoError(t, finishes(<-got))
		require.Equal(t, 1, l.log.returns(t))
	})
}
