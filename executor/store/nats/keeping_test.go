package nats

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// What is in a snapshot leaves the log when a snapshot with it is stored for so long that a power failure of servers that do not
// sync always does not lose it. Until then all snapshots stay.
func TestLogKeepsWhatAPowerFailureMayLose(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease})
	s.keeping.syncTime = time.Hour
	for range 3 {
		s.makes(t)
		require.NoError(t, s.removeOld(t.Context()))
	}
	whole, _ := s.snapshots(t)
	require.Len(t, whole, 3)
	require.Equal(t, uint64(1), s.firstEntry(t))
	now := extent{at: time.Now()}
	require.True(t, s.isSynced(storedSnapshot{stored: now.at.Add(-time.Hour)}, &now))
	require.False(t, s.isSynced(storedSnapshot{stored: now.at.Add(1 - time.Hour)}, &now))
	s.keeping.syncTime = 0
	require.NoError(t, s.removeOld(t.Context()))
	require.Equal(t, whole[1].Entry, s.firstEntry(t))
	require.NoError(t, s.Close())
}

// When a snapshot is made, and by whom.
func TestWhenASnapshotIsMade(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	now := time.Now()
	young, old := storedSnapshot{Entry: 50, Bytes: mb, stored: now}, storedSnapshot{Entry: 50, Bytes: mb, stored: now.Add(-time.Hour)}
	of := func(bound, bytes int64, whole ...storedSnapshot) inventory {
		return inventory{whole: whole, log: extent{first: 1, last: 100, bytes: bytes, bound: bound, at: now}}
	}
	s := newStore(Options{})
	s.snapshotBytes, s.keeping.syncTime = 64*mb, syncTime
	for name, c := range map[string]struct {
		found inventory
		ranks int // how many make one
	}{
		"little":                     {of(0, 60*mb), 0},
		"enough":                     {of(0, 70*mb), 1},
		"the first does not":         {of(0, 140*mb), 2},
		"nobody does":                {of(0, 640*mb), 5},
		"behind an old one":          {of(0, 140*mb, old), 1},
		"a large one":                {of(0, 140*mb, storedSnapshot{Entry: 50, Bytes: 100 * mb}), 0},
		"behind a young one":         {of(0, 640*mb, young), 0},
		"a bound":                    {of(100*mb, 30*mb), 1},
		"a bound, of two":            {of(100*mb, 60*mb), 2},
		"full, and one young":        {of(100*mb, 80*mb, young), 2},
		"full, and nobody does":      {of(100*mb, 100*mb, young), 5},
		"full, and two of which one": {of(100*mb, 80*mb, storedSnapshot{Entry: 90, stored: now}, storedSnapshot{Entry: 30, stored: now}), 0},
		"full behind two":            {of(100*mb, 80*mb, storedSnapshot{Entry: 90, stored: now}, storedSnapshot{Entry: 1, stored: now}), 2},
		"empty":                      {inventory{log: extent{first: 1, bound: 1, at: now}}, 0},
	} {
		for rank := range 5 {
			require.Equal(t, rank < c.ranks, s.wantsSnapshot(&c.found, rank), "%s: %d", name, rank)
		}
	}
	s.bound.Store(64 * mb)
	s.noteGrowth(entry{piece: make([]byte, 5*mb)})
	require.Len(t, s.grown, 1, "a quarter of what a quarter of the bound is")
	require.NoError(t, s.machine.tasks.Close())
}

// Of the executors those make snapshots that run tasks. Where there are none, all do.
func TestWhoMakesSnapshots(t *testing.T) {
	t.Parallel()
	s := newStore(Options{})
	s.self = uuid.UUID{5}
	for n, role := range map[byte]Role{1: RoleDriver, 2: RoleExecutor, 3: RoleExecutor, 5: RoleExecutor, 7: RoleExecutor} {
		s.machine.meet(uuid.UUID{n}, hello{Role: role, Lease: int64(time.Second)}, 7)
	}
	require.Equal(t, 2, s.snapshotRank())
	join := func(n byte) { s.machine.peers[uuid.UUID{n}].joined[1] = &join{Number: 1} }
	join(7)
	require.Equal(t, -1, s.snapshotRank())
	join(5)
	require.Equal(t, 0, s.snapshotRank())
	join(2)
	require.Equal(t, 1, s.snapshotRank())

	s.applied.Store(9)
	now := schema.Time(7 + 2_000_000).Time()
	require.Equal(t, uint64(0), s.purgePoint(9, &extent{at: now}), "the others have not said what they have applied")
	require.Equal(t, uint64(9), s.purgePoint(9, &extent{at: now, bytes: 9, bound: 10}), "they were silent for a lease, which a full log cannot say")
	require.NoError(t, s.machine.tasks.Close())
}

// A log that is full is made shorter also where its only snapshot is recent.
func TestFullLogHeals(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	s.keeping.syncTime = time.Hour
	_, err := s.journal.(*streamJournal).js.UpdateStream(t.Context(), streamConfig(at, Namespace{MaxBytes: 128 << 10}))
	require.NoError(t, err)
	for range 11 {
		s.submits(t, large())
	}
	s.makes(t)
	all := s.submitUntilFull(t, "maximum bytes exceeded")
	require.NoError(t, s.maintainOnce(t.Context(), 0))
	require.Greater(t, s.firstEntry(t), uint64(1))
	s.knowsAll(t, all)
}

// leftFor lets what is not whole have been so for a time.
func (s *Store) leftFor(d time.Duration) {
	for l, since := range s.keeping.leftovers {
		s.keeping.leftovers[l] = since.Add(-d)
	}
}

// Of a snapshot that cannot be stored nothing stays, and of one whose maker has died nothing for long.
func TestUnfinishedSnapshotsDoNotStay(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	s.pieceBytes = 100
	set := func(change func(*jetstream.StreamConfig)) {
		c := snapshotConfig(at, 1)
		change(&c)
		_, err := s.journal.(*streamJournal).js.UpdateStream(t.Context(), c)
		require.NoError(t, err)
	}
	set(func(c *jetstream.StreamConfig) { c.MaxMsgs = 3 })
	require.ErrorContains(t, s.makeSnapshot(t.Context()), "maximum messages exceeded")
	whole, others := s.snapshots(t)
	require.Empty(t, whole)
	require.Empty(t, others)
	set(func(c *jetstream.StreamConfig) { c.MaxBytes = 200 })
	require.ErrorContains(t, s.makeSnapshot(t.Context()), "nats stream edit JLS_"+at.Namespace+" --max-bytes -1")
	set(func(*jetstream.StreamConfig) {})

	shelf := s.snapshotStore.(*streamSnapshotStore)
	half := shelf.subjectOf(1 << 40)
	require.NoError(t, shelf.publish(t.Context(), &natsgo.Msg{Subject: half, Data: []byte("jobline snapshot")}))
	require.NoError(t, s.removeOld(t.Context()))
	s.leftFor(leftoverAge)
	require.NoError(t, shelf.publish(t.Context(), &natsgo.Msg{Subject: half, Data: []byte("more")}))
	require.NoError(t, s.removeOld(t.Context()))
	_, others = s.snapshots(t)
	require.Equal(t, []string{half}, others, "more of it has come")
	s.leftFor(leftoverAge)
	require.NoError(t, s.removeOld(t.Context()))
	_, others = s.snapshots(t)
	require.Empty(t, others)
	require.NoError(t, s.Close())
}

// replacedShelf answers one list after another, and nothing of the snapshots in them comes.
type replacedShelf struct {
	snapshotStore
	lists [][]storedSnapshot
}

func (h *replacedShelf) list(context.Context) (whole []storedSnapshot, others []leftover, err error) {
	whole, h.lists = h.lists[0], h.lists[1:]
	return whole, nil, nil
}

func (h *replacedShelf) open(context.Context, storedSnapshot) (*bufio.Reader, func(), error) {
	return nil, nil, errors.New("it is gone")
}

func (h *replacedShelf) extent(context.Context) (extent, error) {
	return extent{first: 9, last: 20}, nil
}

// Where newer snapshots take the place of one while a start reads it, the start begins anew.
func TestSnapshotIsReplacedWhileItIsRead(t *testing.T) {
	t.Parallel()
	one, other := storedSnapshot{subject: "jls.jobs.3.a", Entry: 3}, storedSnapshot{subject: "jls.jobs.9.b", Entry: 9}
	loads := func(behind ...storedSnapshot) error {
		s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
		s.snapshotStore = &replacedShelf{lists: [][]storedSnapshot{{one}, behind}}
		defer func() { require.NoError(t, s.machine.tasks.Close()) }()
		return s.load(t.Context())
	}
	require.ErrorIs(t, loads(other), errLogGap)
	require.ErrorContains(t, loads(one), "restore the streams")
}

// failingShelf cannot be asked while it fails.
type failingShelf struct {
	snapshotStore
	until time.Time
	asked atomic.Int64
}

func (h *failingShelf) list(context.Context) (whole []storedSnapshot, others []leftover, err error) {
	if h.asked.Add(1); time.Now().Before(h.until) {
		return nil, nil, errors.New("it fails")
	}
	return nil, nil, nil
}

func (h *failingShelf) extent(context.Context) (extent, error) { return extent{first: 1}, nil }

// That no snapshot can be made is told, and tried again less and less often.
func TestFailedSnapshotsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
		h := &failingShelf{until: time.Now().Add(time.Hour + time.Minute)}
		s.snapshotStore, s.snapshotBytes = h, snapshotBytes
		s.machine.meet(s.self, hello{Role: RoleExecutor}, 1)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go s.maintainLog(ctx)
		time.Sleep(time.Hour + time.Second)
		require.Less(t, h.asked.Load(), int64(10))
		require.Equal(t, "the log of the store cannot be shortened at the moment: it fails", s.Info().Warning)
		require.Empty(t, s.Info().Fault)
		time.Sleep(maxMaintainPause + 2*time.Minute)
		require.Empty(t, s.Info().Warning)
		require.NoError(t, s.machine.tasks.Close())
	})
}

// Where nobody makes snapshots, that is seen without asking a server.
func TestLateSnapshotIsSeen(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespaceWith(t, Namespace{SnapshotBytes: 16 << 10})
	for _, late := range []bool{false, true} {
		s := opens(t, Options{Address: at, Lease: longLease, Role: RoleDriver})
		if late {
			for range 3 {
				s.submits(t, large(), large(), large(), large(), large())
			}
		}
		info, err := Inspect(t.Context(), at, Credentials{})
		require.NoError(t, err)
		require.Equal(t, late, info.Late)
		require.Equal(t, late, info.BytesBehind > 32<<10)
	}
}

// A log that is made anew has no snapshots of the one before.
func TestNewLogHasNoOldSnapshots(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	s.makes(t)
	js := s.journal.(*streamJournal).js
	require.NoError(t, js.DeleteStream(t.Context(), at.StreamName()))
	made, err := Init(t.Context(), at, Credentials{}, Namespace{SnapshotBytes: snapshotBytes})
	require.NoError(t, err)
	require.True(t, made)
	stream, err := js.Stream(t.Context(), at.snapshotStream())
	require.NoError(t, err)
	require.Zero(t, stream.CachedInfo().State.Msgs)
	s.crash()

	next := open(t, Options{Address: at, Lease: longLease})
	old, err := next.snapshotStore.put(t.Context(), storedSnapshot{Entry: 1 << 40, At: 5}, [][]byte{[]byte("of another log")})
	require.NoError(t, err)
	require.NoError(t, next.removeOld(t.Context()))
	_, others := next.snapshots(t)
	require.Equal(t, []string{old.subject}, others)
	next.leftFor(leftoverAge)
	require.NoError(t, next.removeOld(t.Context()))
	_, others = next.snapshots(t)
	require.Empty(t, others)
	require.NoError(t, next.Close())
}
