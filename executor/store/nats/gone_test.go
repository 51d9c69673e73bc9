package nats

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// writes applies an entry of a process.
func (s *Store) writes(t *testing.T, sequence uint64, as uuid.UUID, number uint64, changes ...change) {
	t.Helper()
	text, err := encode(changes)
	require.NoError(t, err)
	piece := append(head{writer: as, number: number}.append(nil), text...)
	require.NoError(t, s.applyPiece(entry{sequence: sequence, at: schema.Now(), role: RoleExecutor, piece: piece}))
}

// Processes that were peers are remembered as long as copies of their first messages count, and no longer. A copy that comes
// later makes none of them a peer again either.
func TestGoneProcessesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newStore(Options{})
	first := uuid.New()
	hi := change{Hello: &hello{Name: "first", Next: 1}}
	s.writes(t, 1, first, 1, hi)
	s.writes(t, 2, first, 2, change{Leave: true})
	for entry := uint64(3); entry < 2+helloSpan; entry += helloSpan / 4 {
		s.writes(t, entry, first, 1, hi)
		require.Empty(t, s.machine.peers)
		other := uuid.New()
		s.writes(t, entry+1, other, 1, change{Hello: &hello{Next: entry}})
		s.writes(t, entry+2, other, 2, change{Leave: true})
		require.True(t, s.machine.former.has(first))
	}
	require.Len(t, s.machine.former.order, 5)

	var snapshot bytes.Buffer
	require.NoError(t, s.machine.snapshot(&snapshot, entry{sequence: s.machine.entry}))
	restored, _, err := restoreMachine(bytes.NewReader(snapshot.Bytes()), func() {})
	require.NoError(t, err)
	require.Equal(t, s.machine.former, restored.former)

	last := uuid.New()
	s.writes(t, 2+helloSpan, last, 1, change{Hello: &hello{Next: 2 + helloSpan}})
	s.writes(t, 3+helloSpan, last, 2, change{Leave: true})
	require.False(t, s.machine.former.has(first))
	require.Len(t, s.machine.former.order, 5)
	require.Len(t, s.machine.former.at, 5)
	s.writes(t, 4+helloSpan, first, 1, hi)
	require.Empty(t, s.machine.peers)
	s.writes(t, 5+helloSpan, uuid.New(), 1, change{Hello: &hello{Next: 6 + helloSpan}})
	require.Empty(t, s.machine.peers, "it has read what is not there")
	s.writes(t, 6+helloSpan, uuid.New(), 1, change{Hello: &hello{}})
	require.Len(t, s.machine.peers, 1, "it is of a version that did not say what it has read")
}

// A process whose own first message was on its way for too long writes another one.
func TestALateFirstMessageIsWrittenAgain(t *testing.T) {
	t.Parallel()
	s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
	self := s.self
	s.enqueue(&pending{change: s.hello()})
	s.applied.Store(6)
	s.gather()
	hi := s.hello()
	hi.Hello.Next = 7
	s.writes(t, 7+helloSpan, self, 1, hi)
	require.Empty(t, s.machine.peers)
	require.NotEqual(t, self, s.self)
	s.applied.Store(7 + helloSpan)
	require.Equal(t, uint64(8+helloSpan), s.gather()[0].Hello.Next)
}
