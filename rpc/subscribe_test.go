package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// A subscription brings what others have submitted, also others' progress and
// output, and leaves them alone.
func TestSubscriptionToTasksOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2, busy())
		watching, working := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
		require.Zero(t, watching.subscribe(`{"types":["busy"],`+allEvents+`}`).Seq)
		id := uuid.New()
		working.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"busy","id":%q,"events":[]}}`, id),
			`{"jsonrpc":"2.0","id":2,"method":"submit","params":{"type":"noop","events":[]}}`)
		require.Equal(t, id, working.next().task(t).ID)
		kinds := map[string]int{}
		for seq := uint64(0); kinds[schema.NotifyFinished] == 0; {
			m := watching.next()
			require.Equal(t, id, m.Params.ID)
			require.Greater(t, m.Params.Seq, seq)
			seq = m.Params.Seq
			kinds[m.Method]++
		}
		require.Equal(t, 1, kinds[schema.NotifyStarted])
		require.Positive(t, kinds[schema.NotifyProgress])
		require.Positive(t, kinds[schema.NotifyOutput])
		require.Equal(t, `2`, string(working.next().ID))
		synctest.Wait()
		working.send(`{"jsonrpc":"2.0","id":3,"method":"types"}`)
		require.Equal(t, `3`, string(working.next().ID), "it has asked for no events")
		watching.conn.Close()
		working.conn.Close()
	})
}

// Submits, submits again, waits and subscriptions may all want the same
// events: each is sent once.
func TestEachEventOnce(t *testing.T) {
	p := connect(t, server(t, 4, busy()), rpc.Options{OnEOF: rpc.EOFDrain})
	p.subscribe(`{` + allEvents + `}`)
	p.subscribe(`{"types":["busy"],"labels":{"team":"red"}}`)
	p.subscribe(`{"states":["completed"],"events":["finished","output"]}`)
	const count = 300
	go func() {
		for i := range count {
			id := uuid.New()
			submit := submitLine(i, id, "busy", `,"labels":{"team":"red"}`)
			p.send(submit, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q]}}`, i, id), submit)
		}
		p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
	}()
	seen, kinds := map[uint64]bool{}, map[string]int{}
	last, out := map[uuid.UUID]uint64{}, map[uuid.UUID]int64{}
	for _, m := range p.all() {
		if m.Method == "" {
			continue
		}
		require.False(t, seen[m.Params.Seq], "%s again", m.Method)
		require.Greater(t, m.Params.Seq, last[m.Params.ID])
		seen[m.Params.Seq], last[m.Params.ID] = true, m.Params.Seq
		kinds[m.Method]++
		if m.Params.Stream == "stdout" {
			require.Equal(t, out[m.Params.ID], m.Params.Offset)
			out[m.Params.ID] += int64(len(m.Params.Data))
		}
	}
	require.Equal(t, count, kinds[schema.NotifyStarted])
	require.Equal(t, count, kinds[schema.NotifyFinished])
	for _, n := range out {
		require.EqualValues(t, 30, n)
	}
	require.Len(t, out, count)
}

// flood submits tasks that ask for no events, until it is told to stop. It
// answers how many there were.
func flood(t testing.TB, ex *executor.Executor, typ string, stop <-chan struct{}) (count chan int) {
	count = make(chan int, 1)
	go func() {
		n := 0
		defer func() { count <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			record, err := ex.Prepare(&schema.SubmitParams{Type: typ, Events: []string{}})
			require.NoError(t, err)
			answers, err := ex.Submit(t.Context(), []executor.Submission{record})
			require.NoError(t, err)
			require.NoError(t, answers[0].Err)
			n++
			if n%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	return count
}

// However much happens at that time, the reply comes first: alone, in a batch,
// and with all of the past asked for.
func TestReplyBeforeEventsOfASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := serverOver(t, memory.New(memory.Options{Keep: 1_000_000}), 4, busy())
		stop := make(chan struct{})
		count := flood(t, ex, "busy", stop)
		for i := range 60 {
			p := connect(t, ex, rpc.Options{})
			var batch []string
			for range i % 6 {
				batch = append(batch, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"busy"}}`)
			}
			batch = append(batch, `{"jsonrpc":"2.0","id":2,"method":"subscribe","params":{}}`)
			if i%2 == 0 {
				batch = append(batch, `{"jsonrpc":"2.0","id":3,"method":"subscribe","params":{"after":0}}`)
			}
			batch = append(batch, `{"jsonrpc":"2.0","id":4,"method":"rpc.discover"}`)
			if len(batch) == 2 { // alone
				p.send(batch[0])
				require.NotNil(t, p.next().Result)
			} else {
				p.send("[" + strings.Join(batch, ",") + "]")
				require.Len(t, p.next().Batch, len(batch))
			}
			require.NotEmpty(t, p.next().Method)
			p.conn.Close()
		}
		close(stop)
		require.Positive(t, <-count)
	})
}

// Events of tasks that wait for their batch wait for it also where a
// subscription asks for them; others do not.
func TestSubscriptionAndHeldTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 4)
		p := connect(t, ex, rpc.Options{})
		p.subscribe(`{}`)
		held, other := uuid.New(), uuid.New()
		p.send(fmt.Sprintf(`[{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","id":%q,"events":[]}},`, held) +
			`{"jsonrpc":"2.0","id":2,"method":"submit","params":{"type":"sleep","input":{"durationMs":1000},"events":[],"id":"018f0000-0000-4000-8000-00000000000a"}},` +
			`{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":["018f0000-0000-4000-8000-00000000000a"]}}]`)
		synctest.Wait()
		p.subscribe(`{"after":0}`) // the past of a held task waits, too
		require.Equal(t, schema.NotifyReplayed, p.next().Method)
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":4,"method":"submit","params":{"type":"noop","id":%q,"events":[]}}`, other))
		require.Equal(t, other, p.next().task(t).ID)
		for range 2 {
			require.Equal(t, other, p.next().Params.ID)
		}
		require.Len(t, p.next().Batch, 3)
		var methods []string
		for range 3 {
			if m := p.next(); m.Params.ID == held {
				methods = append(methods, m.Method)
			}
		}
		require.Equal(t, []string{schema.NotifyStarted, schema.NotifyFinished}, methods[:2])
		p.conn.Close()
	})
}

// Where a subscription begins while a task writes, its output begins there:
// what was before is no gap. It ends with the subscription, and begins anew with
// the next one; the output that a submit asked for goes on anyway.
func TestOutputOfASubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2)
		working, watching := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
		id := uuid.New()
		// "one", "two", half of ö, the rest of it, "end": 10 ms apart
		working.send(submitLine(1, id, "print", `,"input":{"stdout":["b25l","dHdv","w7bD","tnRocmVl","ZW5k","4oI="],"stderr":["4oI="]}`))
		pieces := func(p *peer, until time.Duration) (got []string) {
			time.Sleep(until)
			synctest.Wait()
			p.send(`{"jsonrpc":"2.0","id":"mark","method":"types"}`)
			for {
				m := p.next()
				if m.Method == schema.NotifyOutput {
					require.Zero(p, m.Params.Gap)
					got = append(got, fmt.Sprintf("%s %d %s", m.Params.Stream, m.Params.Offset, m.Params.Data))
				}
				if string(m.ID) == `"mark"` {
					return got
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
		first := watching.subscribe(`{"events":["output"],"labels":{}}`)
		require.Equal(t, []string{"stdout 3 two"}, pieces(watching, 10*time.Millisecond))
		working.send(`{"jsonrpc":"2.0","id":"too","method":"subscribe","params":{"events":["output"]}}`)
		require.Equal(t, []string{"stdout 6 ö"}, pieces(watching, 10*time.Millisecond))
		unsubscribe := `{"jsonrpc":"2.0","id":"over","method":"unsubscribe","params":{"subscription":%d}}`
		watching.send(fmt.Sprintf(unsubscribe, first.Subscription))
		working.send(fmt.Sprintf(unsubscribe, 1))
		require.Empty(t, pieces(watching, 10*time.Millisecond), "nobody asks")
		watching.subscribe(`{"events":["finished","output"],"states":["running"]}`)
		require.Equal(t, []string{"stdout 15 end"}, pieces(watching, 10*time.Millisecond))
		require.Equal(t, []string{"stderr 0 4oI=", "stdout 18 4oI="}, sorted(pieces(watching, time.Second)))
		require.Equal(t, []string{
			"stderr 0 4oI=", "stdout 0 one", "stdout 15 end", "stdout 18 4oI=", "stdout 3 two", "stdout 6 ö", "stdout 8 öthree",
		}, sorted(pieces(working, 0)))
		watching.conn.Close()
		working.conn.Close()
	})
}

// Nothing is kept of tasks whose output was heard for a while.
func TestUnsubscribedOutputCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writer := executor.MustDefine("writer", func(ctx context.Context, _ nothing) (nothing, error) {
			_, err := fmt.Fprint(executor.Output(ctx, schema.Stdout), "hello")
			time.Sleep(time.Minute)
			return nothing{}, err
		})
		ex := serverOver(t, memory.New(memory.Options{Keep: -1}), 1_000, writer)
		p := connect(t, ex, rpc.Options{})
		round := func() {
			s := p.subscribe(`{"events":["output"]}`)
			for range 1_000 {
				record, err := ex.Prepare(&schema.SubmitParams{Type: "writer", Events: []string{}})
				require.NoError(t, err)
				_, err = ex.Submit(t.Context(), []executor.Submission{record})
				require.NoError(t, err)
			}
			for range 1_000 {
				require.Equal(t, "hello", p.next().Params.Data)
			}
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"unsubscribe","params":{"subscription":%d}}`, s.Subscription))
			require.Nil(t, p.next().Error)
			time.Sleep(time.Hour)
		}
		round()
		before := heap()
		for range 20 {
			round()
		}
		require.Less(t, heap(), before+(1<<20))
		p.conn.Close()
	})
}

func TestClientSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, testTypes(t)...)
		submit := schema.SubmitParams{Type: "noop", Events: []string{}}
		past, err := c.Submit(t.Context(), submit)
		require.NoError(t, err)
		_, err = c.WaitFor(t.Context(), past.ID)
		require.NoError(t, err)
		s, err := c.Subscribe(t.Context(), schema.SubscribeParams{After: new(uint64(0)), Types: []string{"noop", "of another program"}, Events: []string{"finished"}})
		require.NoError(t, err)
		require.True(t, s.Gap)
		now, err := c.Submit(t.Context(), submit)
		require.NoError(t, err)
		var got []client.Event
		for ev := range c.Events(t.Context()) {
			if got = append(got, ev); len(got) == 3 {
				break
			}
		}
		require.Equal(t, past.ID, got[0].TaskID())
		require.Equal(t, &schema.ReplayedEvent{Subscription: s.Subscription, Seq: s.Seq}, got[1].Replayed)
		require.Zero(t, got[1].TaskID())
		require.Equal(t, now.ID, got[2].Finished.ID)
		require.NoError(t, c.Unsubscribe(t.Context(), schema.UnsubscribeParams{Subscription: s.Subscription}))
		var refused *wire.Error
		require.ErrorAs(t, c.Unsubscribe(t.Context(), schema.UnsubscribeParams{Subscription: s.Subscription}), &refused)
		require.Equal(t, schema.CodeInvalidParams, refused.Code)
	})
}

// Who submits a task again that writes already is sent what it writes from
// then on, to its end, also without asking for the end.
func TestOutputOfASubmitAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2)
		first, again := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
		id := uuid.New()
		submit := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"print","id":%q,"events":["output"],"input":{"stdout":["b25l","dHdv","w7bD"]}}}`, id)
		first.send(submit)
		require.Nil(t, first.next().Error)
		time.Sleep(5 * time.Millisecond)
		again.send(submit)
		require.True(t, again.next().task(t).Existing)
		time.Sleep(time.Second)
		for _, p := range []*peer{first, again} {
			if p == first {
				require.Equal(t, "one", p.next().Params.Data)
			}
			require.Equal(t, event{ID: id, Seq: 3, Stream: "stdout", Offset: 3, Data: "two", Enc: "utf8"}, p.next().Params)
			require.Equal(t, "ö", p.next().Params.Data)
			require.Equal(t, "ww==", p.next().Params.Data, "what is left of it")
			p.conn.Close()
		}
	})
}
