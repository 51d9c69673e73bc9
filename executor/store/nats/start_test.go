package nats

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// peersOf is how many processes a store knows.
func peersOf(t *testing.T, s *Store) int {
	t.Helper()
	n := make(chan int, 1)
	require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(answer) { n <- len(s.machine.peers) }}))
	return <-n
}

// A process that starts reads how others were given up, and does not take that for its own end.
func TestStartReadsThatOthersWereGivenUp(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	lives := open(t, Options{Address: at, Lease: longLease})
	for range 3 {
		dies := open(t, Options{Address: at, Lease: longLease})
		dies.crash()
		lives.fence(t, dies.self)
	}
	var log bytes.Buffer
	comes := open(t, Options{Address: at, Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Equal(t, 2, peersOf(t, comes))
	require.Equal(t, 2, peersOf(t, lives))
	require.NoError(t, comes.Close())
	require.NotContains(t, log.String(), "given this process up")
	require.NoError(t, lives.Close())
}

// A first message that comes again after its process was given up begins nothing: what follows it
// would count twice.
func TestGoneProcessIsNotMetAgain(t *testing.T) {
	t.Parallel()
	m := newMachine(func() {})
	id := uuid.New()
	p := m.meet(id, hello{}, schema.Now())
	require.NotNil(t, p)
	m.remove(p)
	require.Nil(t, m.meet(id, hello{}, schema.Now()))
}
