package rpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// busy does a bit of everything at once.
func busy() executor.Type {
	return executor.MustDefine("busy", func(ctx context.Context, _ nothing) (nothing, error) {
		for i := range 5 {
			executor.Report(ctx, schema.Progress{Value: float64(i)})
			fmt.Fprintf(executor.Output(ctx, schema.Stdout), "out %d\n", i)
			fmt.Fprintf(executor.Output(ctx, schema.Stderr), "err %d\n", i)
		}
		return nothing{}, nil
	})
}

const allEvents = `"events":["started","progress","output","finished"]`

func submitLine(n int, id uuid.UUID, typ, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":%q,"id":%q,%s%s}}`, n, typ, id, allEvents, more)
}

func TestGuarantee1ReplyBeforeEvents(t *testing.T) {
	p := connect(t, server(t, 4, busy()), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 600
	go func() {
		for i := range count {
			one := submitLine(i, uuid.New(), "busy", "")
			if i%3 == 0 { // a batch of three
				one = "[" + one + "," + submitLine(i, uuid.New(), "noop", "") + "," + submitLine(i, uuid.New(), "fail", "") + "]"
			}
			p.send(one)
		}
		p.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`)
	}()
	answered := map[uuid.UUID]bool{}
	finished := 0
	for _, m := range p.all() {
		for _, reply := range append(m.Batch, m) {
			if reply.Result != nil && string(reply.ID) != `"end"` {
				answered[reply.task(t).ID] = true
			}
		}
		if m.Method != "" {
			require.True(t, answered[m.Params.ID], "%s before the reply", m.Method)
		}
		if m.Method == schema.NotifyFinished {
			finished++
		}
	}
	require.Len(t, answered, count+2*count/3)
	require.Equal(t, count+2*count/3, finished)
}

// A batch whose reply waits holds back the events of its own tasks alone.
func TestGuarantee1BatchHoldsItsOwnEventsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 4, busy()), rpc.Options{})
		slow, quick, other := uuid.New(), uuid.New(), uuid.New()
		go p.send("["+submitLine(1, slow, "sleep", `,"input":{"durationMs":1000}`)+","+submitLine(2, quick, "busy", "")+
			fmt.Sprintf(`,{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q]}}]`, slow), submitLine(4, other, "busy", ""))
		require.Equal(t, other, p.next().task(t).ID)
		var m message
		for m = p.next(); m.Batch == nil; m = p.next() {
			require.Equal(t, other, m.Params.ID)
		}
		require.Len(t, m.Batch, 3)
		order := []string{}
		for {
			m := p.next()
			require.Contains(t, []uuid.UUID{slow, quick}, m.Params.ID)
			if m.Params.ID == slow {
				order = append(order, m.Method)
			}
			if m.Method == schema.NotifyFinished && m.Params.ID == slow {
				break
			}
		}
		require.Equal(t, []string{schema.NotifyStarted, schema.NotifyFinished}, order)
		p.conn.Close()
	})
}

func TestGuarantee2EventsInOrder(t *testing.T) {
	p := connect(t, server(t, 4, busy()), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 500
	go func() {
		for i := range count {
			p.send(submitLine(i, uuid.New(), "busy", ""))
		}
		p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
	}()
	type state struct {
		seq            uint64
		started, final bool
		next           map[string]int64
	}
	tasks := map[uuid.UUID]*state{}
	for _, m := range p.all() {
		if m.Method == "" {
			tasks[m.task(t).ID] = &state{next: map[string]int64{}}
			continue
		}
		s, ev := tasks[m.Params.ID], m.Params
		require.Greater(t, ev.Seq, s.seq)
		require.False(t, s.final, "%s after the end", m.Method)
		require.Equal(t, m.Method != schema.NotifyStarted, s.started)
		s.seq, s.started, s.final = ev.Seq, true, m.Method == schema.NotifyFinished
		if m.Method == schema.NotifyOutput {
			require.Equal(t, s.next[ev.Stream], ev.Offset)
			s.next[ev.Stream] += int64(len(ev.Data))
		}
	}
	require.Len(t, tasks, count)
	for _, s := range tasks {
		require.True(t, s.final)
		require.Equal(t, map[string]int64{"stdout": 30, "stderr": 30}, s.next)
	}
}

func TestGuarantee3EndsExactlyOnce(t *testing.T) {
	p := connect(t, server(t, 4), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 800
	kinds := []string{
		`"type":"noop"`, `"type":"fail"`, `"type":"panic"`, `"type":"sleep","input":{"durationMs":1}`,
		`"type":"sleep","input":{"durationMs":60000},"timeoutMs":1`,
		`"type":"deaf","input":{"durationMs":20},"graceMs":0,"timeoutMs":1`,
	}
	go func() {
		for i := range count {
			id := uuid.New()
			lines := []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"id":%q,%s}}`, i, id, kinds[i%len(kinds)])}
			if i%2 == 0 {
				lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","method":"cancel","params":{"id":%q,"force":%t}}`, id, i%4 == 0))
			}
			p.send(strings.Join(lines, "\n"))
		}
		p.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`)
	}()
	ends := map[uuid.UUID][]string{}
	started := map[uuid.UUID]bool{}
	for _, m := range p.all() {
		switch {
		case m.Method == schema.NotifyStarted:
			started[m.Params.ID] = true
		case m.Method == schema.NotifyFinished:
			ends[m.Params.ID] = append(ends[m.Params.ID], m.Params.State)
		case string(m.ID) == `"end"`:
			var r schema.ShutdownResult
			require.NoError(t, json.Unmarshal(m.Result, &r))
		default:
			ends[m.task(t).ID] = []string{}
		}
	}
	require.Len(t, ends, count)
	for id, states := range ends {
		require.Len(t, states, 1, "%s", id)
		require.Contains(t, []string{"completed", "failed", "cancelled"}, states[0])
		require.True(t, started[id] || states[0] == "cancelled", "it was never started")
	}
}

func TestGuarantee4AdmittedInOrder(t *testing.T) {
	p := connect(t, server(t, 2), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 500
	go func() {
		for i := range count {
			id := uuid.New()
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":60000},"events":[]}}`, i, id),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"cancel","params":{"id":%q}}`, i, id),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q]}}`, i, id))
		}
		p.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`)
	}()
	all := p.all()
	require.Len(t, all, 3*count+1)
	for _, m := range all {
		require.Nil(t, m.Error)
	}
}

func TestGuarantee5LimitAndOrder(t *testing.T) {
	const limit, count = 3, 300
	var now, most atomic.Int64
	counted := executor.MustDefine("counted", func(context.Context, nothing) (nothing, error) {
		for n := now.Add(1); ; {
			if seen := most.Load(); n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return nothing{}, nil
	})
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, limit, counted), rpc.Options{OnEOF: rpc.EOFDrain})
		type asked struct{ n, priority int }
		var want, got []asked
		go func() {
			for i := range count {
				ask := asked{i, rand.IntN(201) - 100}
				if i < limit { // these take the slots before the others are read
					ask.priority = 100
				}
				want = append(want, ask)
			}
			var lines []string
			for _, a := range want {
				id := uuid.UUID{14: byte(a.n >> 8), 15: byte(a.n), 6: 0x40, 8: 0x80}
				lines = append(lines, submitLine(a.n, id, "counted", fmt.Sprintf(`,"priority":%d`, a.priority)))
			}
			p.send("["+strings.Join(lines, ",")+"]", `{"jsonrpc":"2.0","method":"shutdown"}`)
		}()
		for _, m := range p.all() {
			if m.Method == schema.NotifyStarted {
				n := int(m.Params.ID[14])<<8 | int(m.Params.ID[15])
				got = append(got, want[n])
			}
		}
		require.Len(t, got, count)
		require.EqualValues(t, limit, most.Load())
		slices.SortStableFunc(want, func(a, b asked) int { return b.priority - a.priority })
		for i := 0; i < count; i += limit { // those of one instant have no order among them
			first, last := i, min(i+limit, count)
			require.ElementsMatch(t, want[first:last], got[first:last])
		}
	})
}

func TestGuarantee6NoTaskHarmsAnother(t *testing.T) {
	flood := executor.MustDefine("flood", func(ctx context.Context, _ nothing) (nothing, error) {
		out := executor.Output(ctx, schema.Stdout)
		for i := range 2000 {
			executor.Report(ctx, schema.Progress{Value: float64(i)})
			if _, err := out.Write(make([]byte, 4096)); err != nil {
				return nothing{}, err
			}
		}
		return nothing{}, nil
	})
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 6, flood)
		bad, good := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
		go bad.send(submitLine(1, uuid.New(), "deaf", `,"input":{"durationMs":600000},"timeoutMs":10,"graceMs":10`),
			submitLine(2, uuid.New(), "panic", ""), submitLine(3, uuid.New(), "flood", ""), submitLine(4, uuid.New(), "fail", ""))
		go func() { _, _ = bad.lines.WriteTo(discard{}) }()
		began := time.Now()
		for i := range 10 {
			go good.send(submitLine(i, uuid.New(), "sleep", `,"input":{"durationMs":100}`))
			for good.next().Method != schema.NotifyFinished {
			}
		}
		require.Equal(t, time.Second, time.Since(began))
		bad.conn.Close()
		good.conn.Close()
		time.Sleep(time.Hour) // the deaf task ends
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestGuarantee8FinishedBeforeWait(t *testing.T) {
	p := connect(t, server(t, 4), rpc.Options{OnEOF: rpc.EOFDrain, MaxWaits: 10_000})
	const count = 800
	go func() {
		var before []uuid.UUID
		for i := range count {
			id := uuid.New()
			before = append(before, id)
			earlier := before[rand.IntN(len(before))]
			p.send(submitLine(i, id, "noop", ""),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q,%q]}}`, i, id, earlier),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q],"timeoutMs":0}}`, i, earlier))
		}
		p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
	}()
	finished := map[uuid.UUID]bool{}
	waits := 0
	for _, m := range p.all() {
		if m.Method == schema.NotifyFinished {
			finished[m.Params.ID] = true
		}
		var r schema.WaitResult
		if m.Method == "" && json.Unmarshal(m.Result, &r) == nil && r.Tasks != nil {
			waits++
			for _, task := range r.Tasks {
				require.True(t, !task.State.Final() || finished[task.ID], "the wait came first")
				require.True(t, r.TimedOut || task.State.Final())
			}
		}
	}
	require.Equal(t, 2*count, waits)
	require.Len(t, finished, count)
}
