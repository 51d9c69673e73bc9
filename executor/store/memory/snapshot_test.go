package memory_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// A snapshot in many blocks, with tasks that are larger than one, is the same when it is read.
func TestSnapshotOfManyBlocks(t *testing.T) {
	r := memory.NewReplica(func() {})
	r.Configure(memory.Options{Keep: 3000, KeepIDs: 4000})
	c, err := r.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	const tasks = 9000
	for i := range tasks {
		s := newRecord(int8(i % 3))
		s.Labels = map[string]string{"n": string(rune('a' + i%40))}
		if i%2000 == 7 {
			s.Input = bytes.Repeat([]byte("1"), 200_000)
		}
		_, err := r.Submit(t.Context(), []executor.Submission{s})
		require.NoError(t, err)
		if l := r.Take(c); i%3 > 0 {
			require.NoError(t, l.Write(schema.Log, bytes.Repeat([]byte("x"), i%100)))
			l.Finish(executor.Outcome{State: schema.Completed, Result: bytes.Repeat([]byte("2"), i%300)}, func(err error) { require.NoError(t, err) })
			l.Release()
		} else {
			r.Return(l)
		}
	}
	held := memory.Held{Claimers: []executor.Claimer{c}}
	var first, second bytes.Buffer
	require.NoError(t, r.Snapshot(&first, held))
	again, held, err := memory.RestoreReplica(bytes.NewReader(first.Bytes()), func() {})
	require.NoError(t, err)
	require.NoError(t, again.Snapshot(&second, held))
	require.Equal(t, first.Bytes(), second.Bytes())
	require.Equal(t, r.Digest(), again.Digest())
	require.NotNil(t, again.Take(held.Claimers[0]))
}

// What is not settled, or held by nobody, is not written.
func TestSnapshotIsRefusedWithinAChange(t *testing.T) {
	r := memory.NewReplica(func() {})
	c, err := r.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	_, err = r.Submit(t.Context(), []executor.Submission{newRecord(0)})
	require.NoError(t, err)
	require.NotNil(t, r.Take(c))
	require.ErrorContains(t, r.Snapshot(new(bytes.Buffer), memory.Held{Claimers: []executor.Claimer{c}}), "1 tasks are running, and 0 leases of them are known")
}

// Whatever is damaged or missing is an error, and never half a queue.
func TestDamagedSnapshotIsRefused(t *testing.T) {
	whole := richSnapshot(t)
	for n := 0; n < len(whole); n += 5 {
		_, _, err := memory.RestoreReplica(bytes.NewReader(whole[:n]), func() {})
		require.Error(t, err, "cut at %d", n)
		if n%35 == 0 {
			damaged := slices.Clone(whole)
			damaged[n] ^= 0x10
			_, _, err = memory.RestoreReplica(bytes.NewReader(damaged), func() {})
			require.Error(t, err, "damaged at %d", n)
		}
	}
	newer := slices.Clone(whole)
	newer[17]++
	_, _, err := memory.RestoreReplica(bytes.NewReader(newer), func() {})
	require.ErrorContains(t, err, "of version 2, and this version of jobline has version 1")
	huge := append(slices.Clone(whole[:18]), 2, 0x3f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'x')
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err = memory.RestoreReplica(bytes.NewReader(huge), func() {})
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "is cut off")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "no memory is taken for a length alone")
}

// richSnapshot is a small snapshot that has something of each kind.
func richSnapshot(t testing.TB) []byte {
	ctx := context.Background()
	r := memory.NewReplica(func() {})
	r.Configure(memory.Options{Resources: map[string]int64{"r": 1}, MaxOutput: 100})
	every, err := r.Join(ctx, executor.Offer{Limits: executor.TypeLimits{"plain": 3}})
	require.NoError(t, err)
	r.Advance(1000)
	with := func(c schema.Conditions) executor.Submission {
		s := newRecord(0)
		s.ID, s.CreatedAt = [16]byte{1: byte(len(c.After)), 2: c.Parent[0], 3: byte(len(c.Needs)), 4: byte(len(c.Key)), 15: c.Parent[3]}, 900
		s.Conditions = &c
		return s
	}
	first := with(schema.Conditions{Needs: map[string]int64{"r": 1}})
	second := with(schema.Conditions{Needs: map[string]int64{"r": 1}, Key: "k"})
	third := with(schema.Conditions{After: []schema.Dependency{{ID: second.ID}}, Parent: first.ID, RunAt: 9000, ExpiresAt: 10_000})
	_, err = r.Submit(ctx, []executor.Submission{newRecord(9), newRecord(8), first, second, third, newRecord(-1)})
	require.NoError(t, err)
	require.NoError(t, r.SetSchedules(ctx, executor.ScheduleText{Name: "s", Text: []byte("{}")}))
	var leases []executor.Lease
	for range 3 {
		leases = append(leases, r.Take(every))
	}
	require.Nil(t, r.Take(every), "the second waits for the resource")
	leases[0].Finish(completed, func(error) {})
	leases[0].Release()
	require.NoError(t, leases[2].Write(schema.Stdout, []byte("out")))
	require.NoError(t, leases[2].Progress(schema.Progress{Value: 1}))
	leases[1].Retry(&executor.NextAttempt{At: 5000, Error: &schema.TaskError{Message: "m"}}, func(error) {})
	r.Advance(2000)
	var b bytes.Buffer
	require.NoError(t, r.Snapshot(&b, memory.Held{Claimers: []executor.Claimer{every}, Leases: leases[1:]}))
	return b.Bytes()
}

// FuzzRestore mends the checksums, so that what is behind them is reached.
func FuzzRestore(f *testing.F) {
	f.Add(richSnapshot(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		mended := mend(data)
		r, held, err := memory.RestoreReplica(bytes.NewReader(mended), func() {})
		if err != nil {
			return
		}
		r.Advance(20_000_000)
		for _, l := range held.Leases {
			r.Interrupt(l)
		}
		for _, c := range held.Claimers {
			r.Take(c)
		}
		_, err = r.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 100})
		require.NoError(t, err)
		require.NoError(t, r.Close())
	})
}

// mend sets the checksums of the blocks of a snapshot, and its end.
func mend(data []byte) []byte {
	const begin, frame, end = 18, 9, 1
	made := slices.Clone(data)
	table := crc32.MakeTable(crc32.Castagnoli)
	if len(made) < begin {
		return made
	}
	count, sum := uint64(0), uint32(0)
	for at := begin; at+frame <= len(made); {
		kind, size := made[at], int(binary.BigEndian.Uint32(made[at+1:]))
		if kind == end || size > len(made)-at-frame {
			made = append(made[:at], end, 0, 0, 0, 0, 0, 0, 0, 0)
			made = binary.AppendUvarint(binary.AppendUvarint(made, count), uint64(sum))
			size = len(made) - at - frame
			binary.BigEndian.PutUint32(made[at+1:], uint32(size))
		}
		head, content := made[at:at+frame], made[at+frame:][:size]
		binary.BigEndian.PutUint32(head[5:], crc32.Update(crc32.Checksum(head[:1], table), table, content))
		sum = crc32.Update(sum, table, head)
		count++
		at += frame + size
	}
	return made
}
