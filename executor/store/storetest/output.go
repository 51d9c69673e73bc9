package storetest

import (
	"bytes"
	"fmt"
	"math"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// ring is the limit of a stream in the tests of the limit.
const ring = 16

var outputContracts = []contract{
	{name: "of one large write comes in pieces of 32 KiB", test: outputLarge},
	{name: "of a task that wrote nothing is empty", test: outputEmpty},
	{name: "is read from an offset, or from the end", test: outputRanges},
	{name: "keeps streams apart", test: outputStreams},
	{name: "of an unknown task is not found", test: outputUnknown},
	{name: "is final with its task", test: outputFinal},
	{name: "keeps the newest up to the limit", limits: Limits{MaxOutput: ring}, test: outputLimit},
	{name: "keeps the newest, however it is written", limits: Limits{MaxOutput: ring}, test: outputPieces},
	{name: "in one great piece is as in many", test: outputGreat},
}

// tailAll reads all that is kept.
var tailAll = executor.OutputRange{Tail: 1 << 30, Limit: 1 << 30}

// from is a range that begins at an offset.
func from(offset, limit int64) executor.OutputRange {
	return executor.OutputRange{Offset: offset, Tail: -1, Limit: limit}
}

func (f *fixture) output(id uuid.UUID, s schema.Stream, r executor.OutputRange) executor.OutputPiece {
	f.Helper()
	p, err := f.store.Output(f.Context(), id, s, r)
	require.NoError(f, err)
	return p
}

func (f *fixture) writer() (uuid.UUID, executor.Lease) {
	f.Helper()
	id := f.one()
	return id, f.claim()
}

func outputEmpty(f *fixture) {
	id, _ := f.writer()
	p := f.output(id, schema.Stdout, from(5, 10))
	require.Empty(f, p.Data)
	require.Equal(f, executor.OutputPiece{Data: p.Data}, p)
	require.Nil(f, f.get(id).OutputBytes)
}

func outputRanges(f *fixture) {
	id, lease := f.writer()
	require.NoError(f, lease.Write(schema.Stdout, []byte("0123")))
	require.NoError(f, lease.Write(schema.Stdout, []byte("456789")))
	for _, c := range []struct {
		r      executor.OutputRange
		data   string
		offset int64
	}{
		{from(0, 100), "0123456789", 0},
		{from(3, 4), "3456", 3},
		{from(9, 100), "9", 9},
		{from(10, 100), "", 10},
		{from(99, 100), "", 10},
		{from(1, math.MaxInt64), "123456789", 1},
		{executor.OutputRange{Tail: 3, Limit: math.MaxInt64}, "789", 7},
		{from(2, 0), "", 2},
		{executor.OutputRange{Tail: 3, Limit: 100}, "789", 7},
		{executor.OutputRange{Tail: 3, Limit: 2}, "78", 7},
		{executor.OutputRange{Tail: 99, Limit: 100}, "0123456789", 0},
		{executor.OutputRange{Tail: 0, Limit: 100}, "", 10},
	} {
		p := f.output(id, schema.Stdout, c.r)
		require.Equal(f, c.data, string(p.Data), c.r)
		require.Equal(f, c.offset, p.Offset, c.r)
		require.Equal(f, [2]int64{0, 10}, [2]int64{p.First, p.Total}, c.r)
	}
}

func outputStreams(f *fixture) {
	id, lease := f.writer()
	other, otherLease := f.writer()
	for s, text := range []string{"out", "error", "the log"} {
		require.NoError(f, lease.Write(schema.Stream(s), []byte(text)))
		require.Equal(f, text, string(f.output(id, schema.Stream(s), tailAll).Data))
	}
	require.NoError(f, otherLease.Write(schema.Stdout, []byte("other")))
	require.Equal(f, "out", string(f.output(id, schema.Stdout, tailAll).Data))
	require.Equal(f, "other", string(f.output(other, schema.Stdout, tailAll).Data))
	require.Equal(f, schema.OutputBytes{Stdout: 3, Stderr: 5, Log: 7}, *f.get(id).OutputBytes)
}

func outputUnknown(f *fixture) {
	_, err := f.store.Output(f.Context(), uuid.New(), schema.Stdout, tailAll)
	require.ErrorIs(f, err, executor.ErrNotFound)
}

func outputFinal(f *fixture) {
	id, lease := f.writer()
	require.NoError(f, lease.Write(schema.Log, []byte("text")))
	require.False(f, f.output(id, schema.Log, tailAll).Final)
	f.finish(lease, completed)
	p := f.output(id, schema.Log, tailAll)
	require.True(f, p.Final)
	require.Equal(f, "text", string(p.Data))
	require.True(f, f.output(id, schema.Stdout, tailAll).Final, "also where there is none")
	require.Equal(f, int64(4), f.get(id).OutputBytes.Log)
}

func outputLimit(f *fixture) {
	id, lease := f.writer()
	text := []byte("0123456789abcdefghij")
	write := func(p []byte, want string, first, total int64) {
		f.Helper()
		require.NoError(f, lease.Write(schema.Stdout, p))
		got := f.output(id, schema.Stdout, from(0, 100))
		require.Equal(f, want, string(got.Data))
		require.Equal(f, [3]int64{first, first, total}, [3]int64{got.Offset, got.First, got.Total})
	}
	write(text[:ring-1], "0123456789abcde", 0, ring-1)
	write(text[ring-1:ring], "0123456789abcdef", 0, ring)
	write(text[ring:ring+1], "123456789abcdefg", 1, ring+1)
	write(text[ring+1:], "456789abcdefghij", 4, 20)
	require.Equal(f, "6789", string(f.output(id, schema.Stdout, from(6, 4)).Data))
	require.Equal(f, "ij", string(f.output(id, schema.Stdout, executor.OutputRange{Tail: 2, Limit: 9}).Data))
	require.Equal(f, int64(20), f.get(id).OutputBytes.Stdout, "all that was written counts")
}

// outputPieces compares what is kept with the end of all that was written.
func outputPieces(f *fixture) {
	for size := range 3 * ring {
		id, lease := f.writer()
		var all []byte
		for n := 0; len(all) < 5*ring; n++ {
			piece := bytes.Repeat([]byte{byte('a' + n%26)}, 1+(size+n)%(size+1))
			require.NoError(f, lease.Write(schema.Stderr, piece))
			all = append(all, piece...)
			kept := all[max(0, len(all)-ring):]
			got := f.output(id, schema.Stderr, tailAll)
			require.Equal(f, string(kept), string(got.Data))
			require.Equal(f, int64(len(all)), got.Total)
		}
	}
}

func outputGreat(f *fixture) {
	id, lease := f.writer()
	w := f.watchAll()
	var great bytes.Buffer
	for n := 0; great.Len() < 300<<10; n++ {
		fmt.Fprintln(&great, n)
	}
	require.NoError(f, lease.Write(schema.Stdout, great.Bytes()))
	require.Equal(f, great.String(), string(f.output(id, schema.Stdout, tailAll).Data))
	var next int64
	for _, ev := range f.drain(w) {
		require.Equal(f, next, ev.Offset)
		next = ev.End
	}
	require.Equal(f, int64(great.Len()), next)
}

// outputLarge has a number of its own for every piece that a reader sends.
func outputLarge(f *fixture) {
	const piece, size = executor.MaxOutputPiece, 100_000
	w := f.watchAll()
	f.one()
	lease := f.claim()
	require.NoError(f, lease.Write(schema.Stderr, make([]byte, size)))
	var lengths []int64
	next := int64(0)
	for _, ev := range f.drain(w) {
		require.Equal(f, next, ev.Offset)
		next = ev.End
		lengths = append(lengths, ev.End-ev.Offset)
	}
	require.Equal(f, []int64{piece, piece, piece, size - 3*piece}, lengths)
}
