package nats

import (
	"bufio"
	"bytes"
	"cmp"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// This file compares the copies of a simulation with one that is made of the whole log, to the byte.

// simCopy is what a copy was behind an entry.
type simCopy struct {
	of    string
	entry uint64
	state []byte
}

// simReplay applies a log once more, as a process that nobody knows.
type simReplay struct {
	*simulation
	store *Store
	went  map[uuid.UUID]uint64 // by which entry each process went
}

// replay is a replay that begins with a machine.
func (s *simulation) replay(m *machine) *simReplay {
	reads := newStore(Options{Lease: simLease, Logger: slog.New(slog.DiscardHandler)})
	assert.NoError(s, reads.machine.tasks.Close())
	reads.machine = m
	return &simReplay{s, reads, map[uuid.UUID]uint64{}}
}

// apply applies an entry. A process that it takes out was silent for its lease, unless it says so itself. None comes back.
func (r *simReplay) apply(e entry) {
	m := r.store.machine
	latest := map[uuid.UUID]schema.Time{}
	for id, p := range m.peers {
		latest[id] = p.latest
	}
	r.store.applied.Store(e.sequence - 1)
	require.NoError(r, r.store.applyEntry(e))
	h, _, _ := headOf(e.piece)
	for id, at := range latest {
		if m.peers[id] != nil {
			continue
		}
		r.went[id] = e.sequence
		if silent := time.Duration(e.at-at) * time.Microsecond; id != h.writer {
			require.Greater(r, silent, simLease, "entry %d takes a process out that is silent for less than its lease", e.sequence)
		}
	}
	for id := range m.peers {
		require.Zero(r, r.went[id], "a process that has gone is back by entry %d", e.sequence)
	}
}

func (r *simReplay) state() []byte {
	var b bytes.Buffer
	require.NoError(r, r.store.machine.snapshot(&b, entry{}))
	return b.Bytes()
}

func (r *simReplay) close() { assert.NoError(r, r.store.machine.tasks.Close()) }

// checkCopies compares what each process knows with what the log makes. So it does with what some snapshots and the entries behind
// them make.
func (s *simulation) checkCopies() {
	copies := s.copies()
	last := copies[len(copies)-1].entry
	s.log.mu.Lock()
	all, snapshots := slices.Clone(s.log.entries[:last]), slices.Clone(s.log.snapshots)
	s.log.mu.Unlock()
	whole := s.replay(newMachine(func() {}))
	defer whole.close()
	for _, e := range all {
		whole.apply(e)
		for _, one := range copies {
			if one.entry == e.sequence {
				require.True(s, bytes.Equal(whole.state(), one.state), "%s differs from what the log makes, behind entry %d", one.of, e.sequence)
			}
		}
	}
	var made []*simSnapshot
	for _, one := range snapshots {
		if one.whole && one.Entry <= last {
			made = append(made, one)
		}
	}
	for _, n := range rand.New(rand.NewPCG(s.seed, 3)).Perm(len(made))[:min(3, len(made))] {
		m, e, err := restoreMachine(bufio.NewReader(bytes.NewReader(slices.Concat(made[n].pieces...))), func() {})
		require.NoError(s, err)
		behind := s.replay(m)
		for _, e := range all[e.sequence:] {
			behind.apply(e)
		}
		assert.True(s, bytes.Equal(whole.state(), behind.state()), "the copy that begins with the snapshot of entry %d differs from that of the whole log", e.sequence)
		behind.close()
	}
}

// copies are what all processes know, the one that has read least first.
func (s *simulation) copies() (all []simCopy) {
	names := []string{"the first process", "the second process", "the third process", "a late process"}
	for i, one := range s.stores {
		one.applying.Lock()
		var b bytes.Buffer
		require.NoError(s, one.machine.snapshot(&b, entry{}))
		all = append(all, simCopy{names[i], one.applied.Load(), b.Bytes()})
		one.applying.Unlock()
	}
	slices.SortFunc(all, func(a, b simCopy) int { return cmp.Compare(a.entry, b.entry) })
	return all
}
