package rpc_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// heap is how many bytes are live.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measuresMemory is for a test that is about the memory of many bytes, or their number: the race detector needs
// minutes for them, and memory of its own.
func measuresMemory(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("it measures memory")
	}
}

// talker prints and reports a lot, and then ends or waits to be cancelled.
func talker(bytes, reports int, stay bool) executor.Type {
	return executor.MustDefine("talker", func(ctx context.Context, _ nothing) (nothing, error) {
		piece := make([]byte, 64<<10)
		out := executor.Output(ctx, schema.Stdout)
		for written := 0; written < bytes; written += len(piece) {
			if _, err := out.Write(piece); err != nil {
				return nothing{}, err
			}
		}
		for i := range reports {
			executor.Report(ctx, schema.Progress{Value: float64(i)})
		}
		if stay {
			<-ctx.Done()
			return nothing{}, context.Cause(ctx)
		}
		return nothing{}, nil
	})
}

// A client that does not read holds up nothing and costs no memory, and can
// still cancel. When it reads again it gets what counts, and knows what it
// has missed.
func TestGuarantee7StalledReader(t *testing.T) {
	const size = 200 << 20
	ex := server(t, 2, talker(size, 100_000, true))
	stalled, other := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
	id, quick := uuid.New(), uuid.New()
	before := heap()
	stalled.send(submitLine(1, id, "talker", ""))
	other.awaitTask(id)
	for n := int64(0); n < size; { // until all is printed
		other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"size","method":"output","params":{"id":%q,"tailBytes":0}}`, id))
		n = offsetOf(t, other.reply(`"size"`))
	}
	stalled.send(submitLine(2, quick, "noop", ""))
	other.awaitTask(quick)
	other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"quick","method":"wait","params":{"ids":[%q]}}`, quick))
	require.Nil(t, other.reply(`"quick"`).Error)
	require.Less(t, heap(), before+(32<<20))

	stalled.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"cancel","params":{"id":%q}}`, id))
	other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"end","method":"wait","params":{"ids":[%q]}}`, id))
	require.Nil(t, other.reply(`"end"`).Error)

	var next, gaps int64
	finished, replies := map[uuid.UUID]*schema.OutputBytes{}, 0
	for len(finished) < 2 || replies < 3 {
		m := stalled.next()
		switch m.Method {
		case "":
			replies++
		case schema.NotifyFinished:
			finished[m.Params.ID] = m.Params.OutputBytes
		case schema.NotifyOutput:
			require.Equal(t, next+m.Params.Gap, m.Params.Offset)
			gaps += m.Params.Gap
			next = m.Params.Offset + sizeOf(t, m.Params)
		}
	}
	require.EqualValues(t, size, finished[id].Stdout)
	require.EqualValues(t, size, next, "the newest output is never lost")
	require.Greater(t, gaps, int64(size-(8<<20)))
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}

func sizeOf(t testing.TB, ev event) int64 {
	if ev.Enc == schema.EncodingUTF8 {
		return int64(len(ev.Data))
	}
	data, err := base64.StdEncoding.DecodeString(ev.Data)
	require.NoError(t, err)
	return int64(len(data))
}

func offsetOf(t testing.TB, m message) int64 {
	require.Nil(t, m.Error)
	var r schema.OutputResult
	unmarshal(t, m.Result, &r)
	return r.NextOffset
}

// What many tasks have left for a stalled client is written as it reads, not
// turned into messages all at once: NUL is six bytes in JSON.
func TestGuarantee7SlowReaderOfManyTasks(t *testing.T) {
	const tasks, size = 16, 1 << 20
	ex := server(t, 2, talker(size, 10, false))
	slow, other := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
	ids := ""
	for i := range tasks {
		id := uuid.New()
		slow.send(submitLine(i, id, "talker", ""))
		other.awaitTask(id)
		ids += fmt.Sprintf(",%q", id)
	}
	other.send(`{"jsonrpc":"2.0","id":"all","method":"wait","params":{"ids":[` + ids[1:] + `]}}`)
	require.Nil(t, other.reply(`"all"`).Error)
	before := heap()
	var most uint64
	slow.lines = bufio.NewReader(&sampler{Reader: slow.conn, every: 16 << 20, sample: func() { most = max(most, heap()) }})
	finished, got := 0, int64(0)
	for finished < tasks {
		m := slow.next()
		if m.Method == schema.NotifyFinished {
			finished++
		}
		got += sizeOf(t, m.Params) + m.Params.Gap
	}
	require.EqualValues(t, tasks*size, got)
	require.Less(t, most, before+(24<<20))
}

// sampler calls sample now and then while it is read.
type sampler struct {
	io.Reader
	every, read int
	sample      func()
}

func (s *sampler) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.read += n; s.read >= s.every {
		s.read = 0
		s.sample()
	}
	return n, err
}

// A client that asks and asks and never reads is not read from any more when
// the replies reach the limit, and is when it reads again.
func TestGuarantee7UnreadReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, count = 1 << 20, 2000
		p := connect(t, server(t, 1), rpc.Options{MaxUnsent: limit})
		sent := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range count {
				p.send(`{"jsonrpc":"2.0","id":1,"method":"types"}`)
				sent++
			}
		}()
		synctest.Wait()
		first, err := p.lines.ReadBytes('\n')
		require.NoError(t, err)
		synctest.Wait()
		require.Less(t, sent, 2*limit/len(first))
		for range count - 1 {
			require.Nil(t, p.next().Error)
		}
		<-done
	})
}

// With the default events the output of a task costs a client nothing that
// does not read them: what retention forgets is gone.
func TestGuarantee7OutputOfForgottenTasks(t *testing.T) {
	const tasks, size, most = 300, 2 << 20, 100 << 20 // most is more than retention keeps
	ex := server(t, 2, talker(size, 10, false))
	stalled, other := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
	before := heap()
	go func() {
		for range tasks {
			stalled.send(`{"jsonrpc":"2.0","method":"submit","params":{"type":"talker"}}`)
		}
	}()
	other.awaitFinished(tasks)
	require.Less(t, heap(), before+most)
	for finished := 0; finished < tasks; {
		m := stalled.next()
		require.False(t, m.Params.Incomplete)
		if m.Method == schema.NotifyFinished {
			finished++
		}
	}
}

// A client that submits without reading is not read from any more when the
// ends of its tasks take much room, however small they are.
func TestGuarantee7EndlessSubmits(t *testing.T) {
	const limit, most = 3 << 20, 12_000 // more than the outbox takes of events
	ex := server(t, 2)
	stalled, other := connect(t, ex, rpc.Options{MaxUnsent: limit}), connect(t, ex, rpc.Options{})
	var sent atomic.Int64
	go func() {
		for range 2 * most {
			stalled.send(`{"jsonrpc":"2.0","method":"submit","params":{"type":"noop"}}`)
			sent.Add(1)
		}
	}()
	for before := int64(-1); before != sent.Load(); time.Sleep(300 * time.Millisecond) {
		before = sent.Load()
	}
	require.Less(t, sent.Load(), int64(most))
	other.awaitFinished(int(sent.Load()) - 1)
	for finished := 0; finished < 2*most; {
		if stalled.next().Method == schema.NotifyFinished {
			finished++
		}
	}
}

// What is too large to be held for a client that does not read is read again
// when it does, while it is kept; of what is not, the client is told that it is
// incomplete.
func TestGuarantee7LargeResults(t *testing.T) {
	const tasks, size = 100 + 100/fewer, 1 << 20
	ex := server(t, 2, executor.MustDefine("large", func(context.Context, nothing) (string, error) {
		return strings.Repeat("x", size), nil
	}))
	stalled, other := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
	before := heap()
	for i := range tasks {
		stalled.send(submitLine(i, uuid.New(), "large", ""))
	}
	other.awaitFinished(tasks)
	require.Less(t, heap(), before+(128<<20))
	var whole []bool
	for len(whole) < tasks {
		if m := stalled.next(); m.Method == schema.NotifyFinished {
			require.NotEqual(t, m.Params.Incomplete, len(m.Params.Result) == size+2)
			whole = append(whole, !m.Params.Incomplete)
		}
	}
	require.True(t, whole[0], "what came first was held")
	require.Contains(t, whole, false, "what retention has forgotten")
	require.True(t, whole[tasks-1], "what is kept is read again")
}

// What a batch has held back of many tasks' output is not read at once when it
// is answered: beyond the limit it is a gap.
func TestGuarantee7OutputThatABatchHeldBack(t *testing.T) {
	const tasks, size, limit, most = 60, 1 << 20, 1 << 20, 100 << 20 // the store keeps all of it
	ex := server(t, 2, talker(size, 0, false))
	p, other := connect(t, ex, rpc.Options{MaxUnsent: limit}), connect(t, ex, rpc.Options{})
	before := heap()
	batch, ids := "", ""
	for i := range tasks {
		id := uuid.New()
		batch += submitLine(i, id, "talker", "") + ","
		ids += fmt.Sprintf(",%q", id)
	}
	go p.send("[" + batch + `{"jsonrpc":"2.0","id":"all","method":"wait","params":{"ids":[` + ids[1:] + "]}}]")
	other.awaitFinished(tasks)
	require.Len(t, p.next().Batch, tasks+1)
	require.Less(t, heap(), before+most)
	next, gaps := map[uuid.UUID]int64{}, int64(0)
	for finished := 0; finished < tasks; {
		switch m := p.next(); m.Method {
		case schema.NotifyOutput:
			require.Equal(t, next[m.Params.ID]+m.Params.Gap, m.Params.Offset)
			next[m.Params.ID] = m.Params.Offset + sizeOf(t, m.Params)
			gaps += m.Params.Gap
		case schema.NotifyFinished:
			require.EqualValues(t, size, next[m.Params.ID])
			finished++
		}
	}
	require.Positive(t, gaps)
}
