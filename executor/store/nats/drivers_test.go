package nats

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// However many names drivers greet under, as many as a bound are known. Those that said nothing but a hello make room
// first, and then those that were silent for longest; a snapshot keeps that order. Executors do not make room.
func TestNamesOfDriversAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
	m, at := s.machine, schema.Now()
	drivers := make([]uuid.UUID, maxDrivers)
	for i := range drivers {
		drivers[i] = uuid.UUID{0: 1, 14: byte(i >> 8), 15: byte(i)}
		m.meet(drivers[i], hello{Role: RoleDriver, Lease: int64(time.Hour)}, at+schema.Time(i)).last = 2
	}
	greeted := drivers[7:9]
	for _, id := range greeted {
		m.peers[id].last = 1
	}
	runs := uuid.New()
	m.meet(runs, hello{Role: RoleExecutor, Lease: int64(time.Second)}, 0)
	greets := func(m *machine) {
		t.Helper()
		hi, err := encode([]change{{Hello: &hello{Lease: int64(time.Second)}}})
		require.NoError(t, err)
		of := &Store{machine: m, log: s.log, self: s.self}
		piece := append(head{writer: uuid.New(), number: 1}.append(nil), hi...)
		at += maxDrivers
		require.NoError(t, of.applyPiece(entry{sequence: m.entry + 1, at: at, role: RoleDriver, piece: piece}))
		require.Len(t, m.peers, maxDrivers+1)
		require.NotNil(t, m.peers[runs])
	}
	left := func(m *machine, all ...uuid.UUID) (n int) {
		for _, id := range all {
			if m.peers[id] != nil {
				n++
			}
		}
		return n
	}
	greets(m)
	require.Nil(t, m.peers[greeted[0]])
	require.True(t, m.former.has(greeted[0]))
	require.Equal(t, maxDrivers-1, left(m, drivers...))
	var b bytes.Buffer
	require.NoError(t, m.snapshot(&b, entry{sequence: m.entry}))
	copied, _, err := restoreMachine(bytes.NewReader(b.Bytes()), func() {})
	require.NoError(t, err)
	for _, m := range []*machine{m, copied} {
		greets(m)
		require.Nil(t, m.peers[greeted[1]])
		for _, p := range m.peers {
			p.last = max(p.last, 2) // as if each had said more
		}
		greets(m)
		require.Nil(t, m.peers[drivers[0]], "it was silent for longest")
		require.Equal(t, maxDrivers-3, left(m, drivers...))
	}
}

// A driver that others have pushed out joins again.
func TestADriverThatMadeRoomJoinsAgain(t *testing.T) {
	t.Parallel()
	s := newStore(Options{Logger: slog.New(slog.DiscardHandler), Role: RoleDriver})
	self := s.self
	s.rejoinIfRemoved(nil, "nobody")
	s.rejoinIfRemoved(&peer{id: uuid.New()}, "another one")
	require.Equal(t, self, s.self)
	s.machine.meet(self, hello{Role: RoleDriver}, 0)
	for range maxDrivers - 1 {
		s.machine.meet(uuid.New(), hello{Role: RoleDriver}, 1)
	}
	_, err := s.admitPeer(uuid.New(), hello{Role: RoleDriver}, entry{at: 2})
	require.NoError(t, err)
	require.NotEqual(t, self, s.self)
	require.NotNil(t, s.gather()[0].Hello)
}
