package nats

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// state is what snapshot writes of a machine.
func (m *machine) state(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.snapshot(&b, entry{sequence: 7, at: 9}))
	return b.Bytes()
}

// A machine that is made of a snapshot knows the processes: which messages of them count, who was given
// up, and who has which task.
func TestMachineOfASnapshot(t *testing.T) {
	t.Parallel()
	m := newMachine(func() {})
	at := schema.Now()
	one, other, dead := m.meet(uuid.New(), hello{Name: "one", Lease: 5}, at), m.meet(uuid.New(), hello{Name: "other"}, at), m.meet(uuid.New(), hello{}, at)
	m.tasks.Advance(at)
	for _, p := range []*peer{one, other, dead} {
		require.NoError(t, m.apply(p, &change{Join: &join{Number: 2, Every: true, Labels: map[string]string{"gpu": "a100", "os": "linux", "arch": "arm64", "site": "b"}}}, false).err)
		require.NoError(t, m.apply(p, &change{Join: &join{Number: 1, Types: []string{"plain"}, Limits: executor.TypeLimits{"plain": 1}}}, false).err)
	}
	for range 4 {
		require.NoError(t, m.apply(one, &change{Submit: []submission{submissionOf(new(newTask(again)))}}, false).err)
	}
	for _, p := range []*peer{other, dead, one} {
		require.NotNil(t, m.apply(p, &change{Claim: 1}, false).lease)
	}
	one.last, one.latest = 12, at+1
	one.addPiece([]byte("half a message"))
	one.addPiece(nil)
	other.addPiece(bytes.Repeat([]byte("y"), 2000))
	m.apply(one, &change{Fence: &fence{Peer: dead.id}}, false)
	m.tasks.Advance(at)
	written := m.state(t)

	restored, e, err := restoreMachine(bufio.NewReader(bytes.NewReader(written)), func() {})
	require.NoError(t, err)
	require.Equal(t, entry{sequence: 7, at: 9}, e)
	headBytes, _ := binary.Uvarint(written)
	require.Less(t, headBytes, uint64(2000), "unfinished messages are no part of the head, whose length is bounded")
	require.Equal(t, one.partialBytes, restored.peers[one.id].partialBytes)
	require.Equal(t, written, restored.state(t))
	for range 20 {
		require.Equal(t, written, m.state(t), "equal copies write equal bytes")
	}
	require.Equal(t, m.peers[one.id].joined[2].offer().Labels, restored.peers[one.id].joined[2].offer().Labels)
	require.Nil(t, restored.meet(dead.id, hello{}, at), "who was given up stays that")
	for _, of := range []*machine{m, restored} {
		p := of.peers[other.id]
		require.Nil(t, of.apply(p, &change{Claim: 1}, false).lease, "it has one of its type")
		var ended uuid.UUID
		for lease := range p.leases {
			ended = lease.ID
			require.NoError(t, of.apply(p, &change{Finish: &finish{attempt: lease, State: schema.Completed}}, false).err)
			require.NoError(t, of.apply(p, &change{Release: &lease}, false).err)
		}
		require.NotNil(t, of.apply(p, &change{Claim: 1}, false).lease)
		of.tasks.Advance(at)
		r, err := of.tasks.Get(t.Context(), ended)
		require.NoError(t, err)
		require.Equal(t, &schema.RunsOn{Executor: "other"}, r.RanOn)
	}
	require.Equal(t, m.state(t), restored.state(t))
	_, _, err = restoreMachine(bufio.NewReader(bytes.NewReader(otherDigest(t, written))), func() {})
	require.ErrorContains(t, err, "what it has differs from what it was made of")
	written = m.state(t) // with a final task
	anew, _, err := restoreMachine(bufio.NewReader(bytes.NewReader(written)), func() {})
	require.NoError(t, err)
	require.Equal(t, written, anew.state(t))
	for n := range written {
		_, _, err := restoreMachine(bufio.NewReader(bytes.NewReader(written[:n])), func() {})
		require.Error(t, err, "cut at %d", n)
	}
}

// otherDigest is a snapshot that says that it was made of something else.
func otherDigest(t *testing.T, written []byte) []byte {
	size, used := binary.Uvarint(written)
	head := written[used+4:][:size]
	other := regexp.MustCompile(`"digest":"\d+"`).ReplaceAll(head, []byte(`"digest":"1"`))
	require.NotEqual(t, head, other)
	made := binary.BigEndian.AppendUint32(binary.AppendUvarint(nil, uint64(len(other))), crc32.ChecksumIEEE(other))
	return slices.Concat(made, other, written[used+4+int(size):])
}

// firstEntry is the first that the log has.
func (s *Store) firstEntry(t *testing.T) uint64 {
	t.Helper()
	now, err := s.snapshotStore.extent(t.Context())
	require.NoError(t, err)
	return now.first
}

func (s *Store) snapshots(t *testing.T) (whole []storedSnapshot, others []string) {
	t.Helper()
	whole, left, err := s.snapshotStore.list(t.Context())
	require.NoError(t, err)
	for _, l := range left {
		others = append(others, l.subject)
	}
	return whole, others
}

// makes makes a snapshot behind an entry that is new.
func (s *Store) makes(t *testing.T) {
	t.Helper()
	s.digest(t)
	require.NoError(t, s.makeSnapshot(t.Context()))
}

// opensFrom opens a store that must have begun with a snapshot of an entry, and knows tasks.
func opensFrom(t *testing.T, at Address, entry uint64, know ...uuid.UUID) {
	t.Helper()
	var log bytes.Buffer
	s := open(t, Options{Address: at, Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, id := range know {
		_, err := s.Get(t.Context(), id)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	if entry > 0 {
		require.Contains(t, log.String(), fmt.Sprintf(`a snapshot of the store is read" entry=%d `, entry))
	}
}

// The log is made shorter while it grows, and who comes later knows all the same.
func TestLogIsMadeShorter(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespaceWith(t, Namespace{SnapshotBytes: 4 << 10})
	o := Options{Address: at, Lease: 2 * time.Second}
	one, other := open(t, o), open(t, o)
	first := newTask()
	one.submits(t, first)
	require.Eventually(t, func() bool {
		one.submits(t, newTask(), newTask(), newTask())
		return one.firstEntry(t) > 5
	}, patience, 20*time.Millisecond)
	last := newTask()
	one.submits(t, last)
	require.NoError(t, one.Close())
	opensFrom(t, at, 0, first.ID, last.ID)
	require.NoError(t, other.Close())
}

// What a process that was killed has left of a snapshot is not read, and is removed behind the next one.
func TestHalfASnapshotIsNotRead(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	task := newTask()
	s.submits(t, task)
	s.makes(t)
	whole, _ := s.snapshots(t)
	require.Len(t, whole, 1)
	shelf := s.snapshotStore.(*streamSnapshotStore)
	half := shelf.subjectOf(s.applied.Load())
	require.NoError(t, shelf.publish(t.Context(), &natsgo.Msg{Subject: half, Data: []byte("jobline snapshot")}))
	ends := shelf.subjectOf(s.applied.Load()) // only its end, as where it was removed while it was stored
	last, err := json.Marshal(storedSnapshot{Entry: whole[0].Entry, At: whole[0].At, Pieces: 2})
	require.NoError(t, err)
	require.NoError(t, shelf.publish(t.Context(), &natsgo.Msg{Subject: ends, Data: last, Header: natsgo.Header{wholeHeader: {"1"}}}))
	opensFrom(t, at, whole[0].Entry, task.ID)
	require.NoError(t, s.removeOld(t.Context()))
	_, others := s.snapshots(t)
	require.ElementsMatch(t, []string{half, ends}, others, "they could become whole")
	s.makes(t)
	require.NoError(t, s.removeOld(t.Context()))
	whole, others = s.snapshots(t)
	require.Len(t, whole, 2)
	require.Empty(t, others)
	require.Equal(t, whole[1].Entry, s.firstEntry(t))
	info, err := Inspect(t.Context(), at, Credentials{})
	require.NoError(t, err)
	require.Equal(t, whole[1].Entry, info.FirstEntry)
	require.Equal(t, []SnapshotInfo{
		{whole[0].Entry, whole[0].Bytes, schema.TimeOf(whole[0].stored)}, {whole[1].Entry, whole[1].Bytes, schema.TimeOf(whole[1].stored)},
	}, info.Snapshots)
	opensFrom(t, at, whole[0].Entry, task.ID)
	require.NoError(t, s.Close())
}

// A start takes the snapshot before the newest where that is damaged.
func TestDamagedSnapshotIsPassedOver(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	task := newTask()
	s.submits(t, task)
	s.makes(t)
	whole, _ := s.snapshots(t)
	s.makes(t)
	newest, _ := s.snapshots(t)
	damaged := newest[0]
	require.NoError(t, s.snapshotStore.remove(t.Context(), damaged.subject))
	_, err := s.snapshotStore.put(t.Context(), damaged, [][]byte{[]byte("something else")})
	require.NoError(t, err)
	opensFrom(t, at, whole[0].Entry, task.ID)

	require.NoError(t, s.removeOld(t.Context()))
	require.Equal(t, uint64(1), s.firstEntry(t), "one of two can be read")
	s.makes(t)
	require.NoError(t, s.removeOld(t.Context()))
	require.Equal(t, whole[0].Entry, s.firstEntry(t))
	left, others := s.snapshots(t)
	require.Len(t, left, 2, "the damaged one is removed")
	require.Empty(t, others)
	require.Equal(t, whole[0], left[1])

	require.NoError(t, s.snapshotStore.remove(t.Context(), left[0].subject))
	require.NoError(t, s.snapshotStore.remove(t.Context(), whole[0].subject))
	_, err = Open(t.Context(), Options{Address: at, Lease: longLease})
	require.ErrorContains(t, err, "no snapshot of what was before it can be read")
	require.NoError(t, s.Close())
}

// damagingStore stores other bytes than those that it is given, which only a look at them shows.
type damagingStore struct{ snapshotStore }

func (d damagingStore) put(ctx context.Context, k storedSnapshot, pieces [][]byte) (storedSnapshot, error) {
	damaged := slices.Clone(pieces)
	damaged[0] = bytes.Clone(damaged[0])
	damaged[0][len(damaged[0])/2] ^= 1
	return d.snapshotStore.put(ctx, k, damaged)
}

// A snapshot that cannot be read back is removed by the process that has made it, and the log keeps what it was to replace.
func TestSnapshotThatIsNotReadBackIsRemoved(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	task := newTask()
	s.submits(t, task)
	s.makes(t)
	before, _ := s.snapshots(t)
	sound := s.snapshotStore
	s.snapshotStore = damagingStore{sound}
	s.submits(t, newTask())
	require.ErrorContains(t, s.makeSnapshot(t.Context()), "a snapshot that was just stored cannot be read back; it is removed")
	s.snapshotStore = sound
	left, others := s.snapshots(t)
	require.Equal(t, before, left)
	require.Empty(t, others)
	require.NoError(t, s.removeOld(t.Context()))
	require.Equal(t, uint64(1), s.firstEntry(t), "one snapshot is not enough")
	require.NoError(t, s.Close())
}

// Two processes that make snapshots at once do no harm, and neither does one whose snapshots are of another log.
func TestTwoMakeSnapshotsAtOnce(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	one, other := open(t, Options{Address: at, Lease: longLease}), open(t, Options{Address: at, Lease: longLease})
	require.Eventually(t, func() bool { return one.snapshotRank()+other.snapshotRank() == 1 }, patience, time.Millisecond)
	task := newTask()
	one.submits(t, task)
	said := make(chan error, 2)
	for _, s := range []*Store{one, other} {
		go func() { said <- s.makeSnapshot(t.Context()) }()
	}
	require.NoError(t, <-said)
	require.NoError(t, <-said)
	foreign, _ := one.snapshots(t)
	require.Len(t, foreign, 2)
	foreign[0].At++
	_, err := one.snapshotStore.put(t.Context(), foreign[0], nil)
	require.NoError(t, err)
	require.NoError(t, one.removeOld(t.Context()))
	require.NoError(t, other.removeOld(t.Context()))
	whole, _ := other.snapshots(t)
	require.Len(t, whole, 2)
	opensFrom(t, at, whole[0].Entry, task.ID)
	require.NoError(t, one.Close())
	require.NoError(t, other.Close())
}

// The log keeps what a process that lives has not applied. One that was given up finds a gap, and ends.
func TestProcessThatSleptFindsAGap(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	one, slept := open(t, Options{Address: at, Lease: longLease}), open(t, Options{Address: at, Lease: longLease})
	slept.end()
	slept.running.Wait()
	for range 3 {
		one.submits(t, newTask())
		one.makes(t)
	}
	require.NoError(t, one.removeOld(t.Context()))
	require.Equal(t, uint64(1), one.firstEntry(t), "one of them may need it")
	one.fence(t, slept.self)
	require.NoError(t, one.removeOld(t.Context()))
	require.Greater(t, one.firstEntry(t), slept.applied.Load()+1)
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	require.ErrorIs(t, slept.follow(ctx), errLogGap)
	slept.crash()
	require.NoError(t, one.Close())
}

// A snapshot that others remove while it is read is not waited for: there are newer ones.
func TestSnapshotIsRemovedWhileItIsRead(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease})
	s.submits(t, newTask())
	s.makes(t)
	whole, _ := s.snapshots(t)
	longer := whole[0]
	longer.Pieces += 2 // one more than there are, with the message behind them
	from, closes, err := s.snapshotStore.open(t.Context(), longer)
	require.NoError(t, err)
	defer closes()
	_, _, err = restoreMachine(from, func() {})
	require.NoError(t, err)
	require.NoError(t, s.snapshotStore.remove(t.Context(), longer.subject))
	_, err = io.Copy(io.Discard, from)
	require.ErrorIs(t, err, errSnapshotGone)
	require.NoError(t, s.Close())
}
