package rpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// writing is what a scribe writes: pieces of all lengths, to both streams in
// turn and in runs, of text and of bytes that are none.
type writing struct {
	stream schema.Stream
	data   []byte
}

func writings(seed uint64, total int) (all []writing) {
	random := rand.New(rand.NewPCG(seed, 1))
	text := []byte("plain, tösend, 日本語, 🙂\n")
	for size := 0; size < total; {
		w := writing{stream: schema.Stream(random.IntN(2))}
		switch random.IntN(4) {
		case 0:
			w.data = bytes.Repeat([]byte{'x'}, random.IntN(100_000))
		case 1:
			w.data = []byte{byte(random.Uint32()), byte(random.Uint32())}
		default:
			from := random.IntN(len(text))
			w.data = text[from : from+random.IntN(len(text)-from)]
		}
		size += len(w.data)
		all = append(all, w)
	}
	return all
}

func scribe(all []writing) executor.Type {
	return executor.MustDefine("scribe", func(ctx context.Context, _ nothing) (nothing, error) {
		for _, w := range all {
			if _, err := executor.Output(ctx, w.stream).Write(w.data); err != nil {
				return nothing{}, err
			}
		}
		return nothing{}, ctx.Err()
	})
}

func losslessLine(n int, id uuid.UUID, typ string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":%q,"id":%q,"output":"lossless"}}`, n, typ, id)
}

// heard is the output of one task as a client has it.
type heard struct {
	streams [2][]byte
	begins  [2]int64 // the offset of the first piece
	gaps    int64
	seq     uint64
	pieces  int
}

// until reads up to the end of a task, and notes its output.
func (h *heard) until(p *peer, id uuid.UUID) event {
	for {
		m := p.next()
		if m.Params.ID != id {
			continue
		}
		require.Greater(p, m.Params.Seq, h.seq)
		h.seq = m.Params.Seq
		switch m.Method {
		case schema.NotifyOutput:
			h.note(p, m.Params)
		case schema.NotifyFinished:
			return m.Params
		}
	}
}

func (h *heard) note(p *peer, ev event) {
	i := 0
	if ev.Stream == "stderr" {
		i = 1
	}
	data := []byte(ev.Data)
	if ev.Enc == schema.EncodingBase64 {
		var err error
		data, err = base64.StdEncoding.DecodeString(ev.Data)
		require.NoError(p, err)
	}
	require.LessOrEqual(p, len(data), 64<<10)
	h.gaps += ev.Gap
	h.pieces++
	if h.streams[i] == nil {
		h.begins[i] = ev.Offset
	}
	if h.gaps == 0 {
		require.EqualValues(p, h.begins[i]+int64(len(h.streams[i])), ev.Offset)
	}
	h.streams[i] = append(h.streams[i], data...)
}

// Every byte comes, in order, however little of it is kept, and although the
// task is forgotten at once.
func TestLosslessOutputHasEveryByte(t *testing.T) {
	for _, kept := range []int{1, 5, 1000, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			total := 4 << 20 / fewer
			if kept < 1000 {
				total = 8_000 / fewer
			}
			for seed := range uint64(2) {
				all := writings(seed, total)
				ex := serverOver(t, memory.New(memory.Options{Keep: -1, MaxOutput: kept}), 2, scribe(all))
				p := connect(t, ex, rpc.Options{})
				id := uuid.New()
				p.send(losslessLine(1, id, "scribe"))
				var got heard
				require.Equal(t, "completed", got.until(p, id).State)
				require.Zero(t, got.gaps)
				var want [2][]byte
				for _, w := range all {
					want[w.stream] = append(want[w.stream], w.data...)
				}
				require.True(t, bytes.Equal(want[0], got.streams[0]))
				require.True(t, bytes.Equal(want[1], got.streams[1]))
				p.conn.Close()
			}
		})
	}
}

// What is written to the two streams comes in the order in which it was written.
func TestLosslessOutputKeepsTheOrderOfTheStreams(t *testing.T) {
	const lines = 3000
	var all []writing
	for n := range lines {
		all = append(all, writing{schema.Stream(n % 2), fmt.Appendf(nil, "%d\n", n)})
	}
	p := connect(t, server(t, 1, scribe(all)), rpc.Options{})
	id := uuid.New()
	p.send(losslessLine(1, id, "scribe"))
	for n := 0; n < lines; {
		if m := p.next(); m.Method == schema.NotifyOutput {
			require.Equal(t, fmt.Sprintf("%d\n", n), m.Params.Data)
			n++
		}
	}
}

// stalledScribe is a server whose only slot has a scribe that waits for a client
// that does not read. It writes 8 MiB.
func stalledScribe(t *testing.T, graceMs int) (ex *executor.Executor, stalled, other *peer, id uuid.UUID) {
	ex = server(t, 1, scribe(writings(1, 8<<20)))
	stalled, other, id = connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{}), uuid.New()
	stalled.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"scribe","id":%q,"output":"lossless","graceMs":%d}}`, id, graceMs))
	synctest.Wait()
	require.Equal(t, "running", other.state(id))
	time.Sleep(time.Hour)
	require.Equal(t, "running", other.state(id))
	return ex, stalled, other, id
}

func (p *peer) state(id uuid.UUID) string {
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"state","method":"status","params":{"id":%q}}`, id))
	return p.reply(`"state"`).task(p).State.String()
}

func TestLosslessOutputWaitsForAStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stalled, other, id := stalledScribe(t, 5000)
		other.send(submitLine(1, uuid.New(), "noop", "")) // it has no slot, and waits
		var got heard
		require.Equal(t, "completed", got.until(stalled, id).State)
		require.Zero(t, got.gaps)
		require.Greater(t, len(got.streams[0])+len(got.streams[1]), 8<<20-1)
		stalled.conn.Close()
		other.conn.Close()
	})
}

// A cancel is not held up by a reader that is, and the reader is told what it
// has missed since.
func TestLosslessOutputDoesNotHoldUpACancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stalled, other, id := stalledScribe(t, 5000)
		began := time.Now()
		other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"cancel","params":{"id":%q}}`, id))
		other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q]}}`, id))
		require.Nil(t, other.reply("3").Error)
		require.Equal(t, 500*time.Millisecond, time.Since(began))
		var got heard
		require.Equal(t, "cancelled", got.until(stalled, id).State)
		require.Positive(t, got.gaps)
		stalled.conn.Close()
		other.conn.Close()
	})
}

// When its grace is over, or skipped, the task waits for nobody.
func TestLosslessOutputEndsWithTheGrace(t *testing.T) {
	for name, c := range map[string]struct {
		graceMs int
		force   bool
		took    time.Duration
	}{
		"over":    {100, false, 100 * time.Millisecond},
		"none":    {0, false, 0},
		"skipped": {5000, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, stalled, other, id := stalledScribe(t, c.graceMs)
				began := time.Now()
				other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"cancel","params":{"id":%q,"force":%v}}`, id, c.force))
				other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q]}}`, id))
				require.Nil(t, other.reply("3").Error)
				require.Equal(t, c.took, time.Since(began))
				stalled.conn.Close()
				other.conn.Close()
			})
		})
	}
}

func TestLosslessOutputLetsGoOfAClientThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stalled, other, id := stalledScribe(t, 5000)
		stalled.conn.Close()
		synctest.Wait()
		require.Equal(t, "completed", other.state(id))
		other.conn.Close()
	})
}

// The task waits for the slowest of those that asked, and for nobody else.
func TestLosslessOutputOfTwoReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex, slow, other, id := stalledScribe(t, 5000)
		second, plain := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
		plain.send(submitLine(1, id, "scribe", ""))
		second.send(losslessLine(1, id, "scribe"))
		require.True(t, second.next().task(t).Existing)
		var a, b heard
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.until(second, id)
		}()
		synctest.Wait()
		require.Equal(t, "running", other.state(id))
		require.Equal(t, "completed", a.until(slow, id).State)
		<-done
		require.Zero(t, a.gaps)
		require.Zero(t, b.gaps, "from where it has joined on")
		require.NotEmpty(t, b.streams[0])
		require.True(t, bytes.HasSuffix(a.streams[0], b.streams[0]))
		require.True(t, bytes.HasSuffix(a.streams[1], b.streams[1]))
		var c heard
		require.Equal(t, "completed", c.until(plain, id).State)
		for _, p := range []*peer{slow, other, second, plain} {
			p.conn.Close()
		}
	})
}

// Where the code has ended, its last output is waited for: then a cancel comes
// too late, and ends the waiting, at once where there is no grace.
func TestLosslessOutputIsSentBeforeTheEnd(t *testing.T) {
	t.Run("with grace", func(t *testing.T) { losslessEnd(t, 5000, 500*time.Millisecond) })
	t.Run("without", func(t *testing.T) { losslessEnd(t, 0, 0) })
}

func losslessEnd(t *testing.T, graceMs int, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		small := executor.MustDefine("small", func(ctx context.Context, _ nothing) (nothing, error) {
			defer close(ended)
			_, err := executor.Output(ctx, schema.Stdout).Write(make([]byte, 300<<10)) // less than the window
			return nothing{}, err
		}, executor.Timeout(time.Second))
		ex := server(t, 1, small)
		stalled, other, id := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{}), uuid.New()
		for n := range 8 { // so that nothing more has room
			stalled.send(submitLine(10+n, uuid.New(), "print", fmt.Sprintf(`,"input":{"stdout":["AAAA"],"repeat":%d}`, 100_000)))
		}
		stalled.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"small","id":%q,"output":"lossless","graceMs":%d}}`, id, graceMs))
		<-ended
		time.Sleep(time.Hour)
		require.Equal(t, "running", other.state(id), "no time-out counts any more")
		began := time.Now()
		other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"cancel","params":{"id":%q}}`, id))
		other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q]}}`, id))
		require.Nil(t, other.reply("3").Error)
		require.Equal(t, took, time.Since(began))
		require.Equal(t, "completed", other.state(id))
		stalled.conn.Close()
		other.conn.Close()
	})
}

func TestLosslessOutputInABatch(t *testing.T) {
	p := connect(t, server(t, 1, scribe(writings(3, 1<<20))), rpc.Options{})
	a, b := uuid.New(), uuid.New()
	p.send(`[` + losslessLine(1, a, "scribe") + fmt.Sprintf(`,{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":[%q]}}]`, b))
	replies := p.next().Batch
	require.Len(t, replies, 2)
	require.Equal(t, schema.CodeInvalidRequest, replies[0].Error.Code)
	require.Equal(t, schema.CodeTaskNotFound, replies[1].Error.Code)
	p.send(`[` + losslessLine(1, a, "scribe") + `]`)
	require.Len(t, p.next().Batch, 1)
	var got heard
	require.Equal(t, "completed", got.until(p, a).State)
	require.Zero(t, got.gaps)
}

// A task whose events are held back until its batch is answered cannot wait for
// a reader: the batch waits for the end of the task.
func TestLosslessOutputOfATaskInABatchThatWaits(t *testing.T) {
	late := executor.MustDefine("scribe", func(ctx context.Context, _ nothing) (nothing, error) {
		time.Sleep(time.Second) // until all requests are read
		_, err := executor.Output(ctx, schema.Stdout).Write(make([]byte, 2<<20))
		return nothing{}, err
	})
	synctest.Test(t, func(t *testing.T) {
		p, id := connect(t, server(t, 1, late), rpc.Options{}), uuid.New()
		p.send(`[` + submitLine(1, id, "scribe", "") + fmt.Sprintf(`,{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":[%q]}}]`, id) + "\n" +
			losslessLine(3, id, "scribe"))
		require.Equal(t, schema.CodeInvalidRequest, p.reply("3").Error.Code)
		require.Len(t, p.next().Batch, 2)
		p.conn.Close()
	})
}

// What is refused leaves nobody waiting.
func TestLosslessOutputOfARefusedSubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 1, scribe(writings(1, 8<<20)))
		p, other, id := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{}), uuid.New()
		other.send(submitLine(1, id, "scribe", `,"input":{}`))
		synctest.Wait() // it is read
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","id":%q,"output":"lossless"}}`, id))
		require.Equal(t, schema.CodeIDConflict, p.next().Error.Code)
		synctest.Wait()
		var got heard
		require.Equal(t, "completed", got.until(other, id).State)
		p.send(losslessLine(2, id, "scribe"))
		require.Equal(t, schema.Completed, p.next().task(t).State)
		p.conn.Close()
		other.conn.Close()
	})
}
