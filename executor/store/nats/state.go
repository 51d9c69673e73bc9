package nats

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// This file writes a machine to a snapshot, and restores it from one.

// machineState is the head of a snapshot, before the tasks.
type machineState struct {
	Entry   uint64      `json:"entry"` // the last one that the snapshot includes
	At      int64       `json:"at"`    // the time of that entry
	Digest  uint64      `json:"digest,string"`
	Limited bool        `json:"limited"`
	Rules   int         `json:"rules,omitzero"`
	Claims  uint64      `json:"claims"`
	Peers   []peerState `json:"peers"`            // by id
	Gone    []uuid.UUID `json:"gone"`             // in the order in which they were taken out
	GoneAt  []uint64    `json:"goneAt,omitempty"` // by which entries; missing from older versions
}

// peerState is a peer in a snapshot. Its claimers are those of Joined, in the order of their numbers.
type peerState struct {
	ID     uuid.UUID   `json:"id"`
	About  hello       `json:"about"`
	Since  int64       `json:"since"`
	Latest int64       `json:"latest"`
	Last   uint64      `json:"last"`
	Joined []join      `json:"joined,omitempty"`
	Leases []heldState `json:"leases,omitempty"` // in the order in which it got them
	// PieceSizes are the lengths of the pieces of its unfinished message. The pieces come after the head.
	PieceSizes []int    `json:"pieceSizes,omitempty"`
	OldPieces  [][]byte `json:"partial,omitempty"` // the pieces in a snapshot of an older version; only read
	pieces     [][]byte
}

// heldState is a lease of a peer in a snapshot.
type heldState struct {
	attempt
	Claim uint64 `json:"claim"`
	Runs  bool   `json:"runs,omitzero"` // machine.runs has the peer for this task
}

// maxStateBytes is the longest machineState that is read, in bytes of JSON.
const maxStateBytes = 256 << 20

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// snapshot writes the machine as it is after entry e. No entry may be applied meanwhile.
func (m *machine) snapshot(to io.Writer, e entry) error {
	state := machineState{
		Entry: e.sequence, At: int64(e.at), Digest: m.tasks.Digest(), Limited: m.limited, Rules: m.rules, Claims: m.claims,
		Gone: m.former.order,
	}
	for _, id := range m.former.order {
		state.GoneAt = append(state.GoneAt, m.former.at[id])
	}
	var all memory.Held
	var leases []*held
	for _, id := range slices.SortedFunc(maps.Keys(m.peers), compareIDs) {
		p := m.peers[id]
		s := peerState{ID: id, About: p.about, Since: int64(p.since), Latest: int64(p.latest), Last: p.last, pieces: p.partial}
		for _, piece := range p.partial {
			s.PieceSizes = append(s.PieceSizes, len(piece))
		}
		for _, number := range slices.Sorted(maps.Keys(p.claimers)) {
			s.Joined = append(s.Joined, *p.joined[number])
			all.Claimers = append(all.Claimers, p.claimers[number])
		}
		for _, h := range p.leasesInOrder() {
			r := h.Record()
			s.Leases = append(s.Leases, heldState{attempt{r.ID, r.Attempt}, h.number, m.runs[r.ID] == p})
			leases = append(leases, h)
		}
		state.Peers = append(state.Peers, s)
	}
	slices.SortFunc(leases, func(a, b *held) int { return cmp.Compare(a.number, b.number) })
	for _, h := range leases {
		all.Leases = append(all.Leases, h.Lease)
	}
	text, err := json.Marshal(&state, lenientJSON)
	if err != nil {
		return err
	}
	if len(text) > maxStateBytes {
		return fmt.Errorf("its head has %d bytes, and at most %d can be read", len(text), maxStateBytes)
	}
	head := binary.BigEndian.AppendUint32(binary.AppendUvarint(nil, uint64(len(text))), crc32.ChecksumIEEE(text))
	for _, part := range [][]byte{head, text} {
		if _, err := to.Write(part); err != nil {
			return err
		}
	}
	if err := writePieces(to, state.Peers); err != nil {
		return err
	}
	return m.tasks.Snapshot(to, all)
}

// leasesInOrder are the leases of a peer in the order in which it got them.
func (p *peer) leasesInOrder() []*held {
	return slices.SortedFunc(maps.Values(p.leases), func(a, b *held) int { return cmp.Compare(a.number, b.number) })
}

// byteReader is what restoreMachine reads from.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// restoreMachine reads what snapshot has written. It answers the machine, and the entry after which it was.
func restoreMachine(from byteReader, due func()) (*machine, entry, error) {
	state, err := readState(from)
	if err != nil {
		return nil, entry{}, fmt.Errorf("the snapshot cannot be read: %w", err)
	}
	tasks, all, err := memory.RestoreReplica(from, due)
	if err != nil {
		return nil, entry{}, err
	}
	m := machineOf(tasks)
	m.limited, m.rules, m.claims, m.entry = state.Limited, state.Rules, state.Claims, state.Entry
	for i, id := range state.Gone {
		at := state.Entry
		if i < len(state.GoneAt) {
			at = state.GoneAt[i]
		}
		m.former.add(id, at)
	}
	if err = m.restorePeers(state, all); err == nil && tasks.Digest() != state.Digest {
		err = errors.New("the snapshot is damaged: what it has differs from what it was made of")
	}
	if err != nil {
		_ = tasks.Close()
		return nil, entry{}, err
	}
	return m, entry{sequence: state.Entry, at: schema.Time(state.At)}, nil
}

func readState(from byteReader) (*machineState, error) {
	size, err := binary.ReadUvarint(from)
	if err != nil {
		return nil, err
	}
	if size > maxStateBytes {
		return nil, fmt.Errorf("its head has %d bytes", size)
	}
	var sum [4]byte
	if _, err := io.ReadFull(from, sum[:]); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(from, int64(size)))
	if err != nil {
		return nil, err
	}
	if uint64(len(text)) != size || crc32.ChecksumIEEE(text) != binary.BigEndian.Uint32(sum[:]) {
		return nil, errors.New("its head is damaged")
	}
	state := new(machineState)
	if err := json.Unmarshal(text, state, lenientJSON); err != nil {
		return nil, err
	}
	if state.Rules <= rulesVersion { // with newer rules this process ends later, with a clearer error
		if err := json.Unmarshal(text, new(machineState), strictJSON); err != nil {
			return nil, err
		}
	}
	return state, readPieces(from, state.Peers)
}

// restorePeers makes the peers of a state, with their claimers and leases.
func (m *machine) restorePeers(state *machineState, all memory.Held) error {
	claimers := all.Claimers
	var leases []*held
	for _, s := range state.Peers {
		p := m.meet(s.ID, s.About, schema.Time(s.Since))
		if p == nil || len(s.Joined) > len(claimers) {
			return fmt.Errorf("the snapshot is damaged: the process %v is there twice, or has more claimers than there are", s.ID)
		}
		p.latest, p.last, p.heard = schema.Time(s.Latest), s.Last, time.Now()
		for _, piece := range slices.Concat(s.OldPieces, s.pieces) {
			p.addPiece(piece)
		}
		for i := range s.Joined {
			p.joined[s.Joined[i].Number], p.claimers[s.Joined[i].Number] = &s.Joined[i], claimers[i]
		}
		m.tasks.Belong(p.on, memory.Held{Claimers: claimers[:len(s.Joined)]})
		claimers = claimers[len(s.Joined):]
		for _, l := range s.Leases {
			h := &held{number: l.Claim}
			p.leases[l.attempt] = h
			leases = append(leases, h)
			if l.Runs {
				m.runs[l.ID] = p
			}
		}
	}
	slices.SortFunc(leases, func(a, b *held) int { return cmp.Compare(a.number, b.number) })
	if len(claimers) > 0 || len(leases) != len(all.Leases) {
		return errors.New("the snapshot is damaged: it has claimers or leases of no process")
	}
	for i, h := range leases {
		h.Lease = all.Leases[i]
	}
	for _, p := range m.peers {
		for of, h := range p.leases {
			if r := h.Record(); r.ID != of.ID || r.Attempt != of.Number {
				return fmt.Errorf("the snapshot is damaged: the lease of the task %v is that of %v", of.ID, r.ID)
			}
			m.tasks.Belong(p.on, memory.Held{Leases: []executor.Lease{h.Lease}})
		}
	}
	return nil
}
