package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// A process whose copy differs from those of the others stops, and says so.
func TestCopiesThatDifferAreNoticed(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	one, other := open(t, Options{Address: at, Lease: 2 * time.Second}), open(t, Options{Address: at, Lease: 2 * time.Second})
	one.submits(t, newTask())
	done := make(chan error, 1)
	require.NoError(t, one.put(&pending{change: change{Beat: true}, done: func(answer) { // what no entry says
		_, err := one.machine.tasks.Submit(t.Context(), []executor.Submission{newTask()})
		done <- err
	}}))
	require.NoError(t, <-done)
	require.Eventually(t, func() bool { return one.isBroken() || other.isBroken() }, patience, time.Millisecond)
	for _, s := range []*Store{one, other} {
		if s.isBroken() {
			require.Contains(t, s.Info().Fault, "knows something else than")
			require.ErrorContains(t, <-s.Failed(), "knows something else than", "a server ends with that")
			_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
			require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		}
	}
	require.NoError(t, one.Close())
	require.NoError(t, other.Close())
}

func (s *Store) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken != nil
}
