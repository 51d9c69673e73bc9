package rpc_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// slowSubscriber subscribes to everything, and does not read while tasks end:
// those of others, and now and then one of its own.
func slowSubscriber(t *testing.T, ex *executor.Executor, rounds, tasks int) (p *peer, ends map[uuid.UUID]uint64) {
	p = connect(t, ex, rpc.Options{})
	p.subscribe(`{"events":["finished"]}`)
	ends = map[uuid.UUID]uint64{}
	for range rounds {
		for id, seq := range runMany(t, ex, "noop", tasks) {
			ends[id] = seq
		}
		own := uuid.New()
		p.send(submitLine(1, own, "noop", ""))
		synctest.Wait()
		task, err := ex.Status(t.Context(), own)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, task.State, "it is obeyed all the while")
		ends[own] = 0
	}
	return p, ends
}

// A client that subscribes to more than it reads costs no memory for it: what
// was dropped is read from the store when it reads again. It hears of every
// end once, by seq.
func TestGuarantee7SlowSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds, tasks = 10, 3000
		ex := serverOver(t, memory.New(memory.Options{Keep: 1_000_000}), 2)
		p, ends := slowSubscriber(t, ex, rounds, tasks)
		heard, at, replayed := map[uuid.UUID]bool{}, uint64(0), 0
		for replies := 0; len(heard) < len(ends) || replies < rounds; {
			switch m := p.next(); m.Method {
			case "":
				replies++
			case schema.NotifyFinished:
				require.False(t, heard[m.Params.ID])
				heard[m.Params.ID] = true
				require.Greater(t, m.Params.Seq, at)
				at = m.Params.Seq
			case schema.NotifyReplayed:
				require.Nil(t, m.Params.Missed)
				replayed++
			}
		}
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":"over","method":"stats"}`)
		for m := p.next(); string(m.ID) != `"over"`; m = p.next() {
			require.Equal(t, schema.NotifyReplayed, m.Method)
			replayed++
		}
		require.Positive(t, replayed)
		p.conn.Close()
	})
}

// What the store no longer has when the client reads again, it is told of.
func TestSlowSubscriberIsOvertakenByRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds, tasks = 10, 3000
		ex := serverOver(t, memory.New(memory.Options{Keep: tasks}), 2)
		p, ends := slowSubscriber(t, ex, rounds, tasks)
		var missed []schema.Missed
		for own := 0; own < rounds || missed == nil; {
			switch m := p.next(); m.Method {
			case schema.NotifyFinished:
				if ends[m.Params.ID] == 0 {
					own++
				}
				delete(ends, m.Params.ID)
			case schema.NotifyReplayed:
				missed = append(missed, *m.Params.Missed)
			}
		}
		require.Greater(t, len(ends), tasks)
		for id, seq := range ends {
			require.True(t, missed[0].After < seq && seq <= missed[0].Through, "%s with %d is not told of", id, seq)
		}
		p.conn.Close()
	})
}

// Who subscribes while the client lags is sent the ends since, of what it
// selects, and is told so; of what was before it hears nothing.
func TestSubscriptionDuringALag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 15_000
		ex := serverOver(t, memory.New(memory.Options{Keep: 1_000_000}), 2)
		p := connect(t, ex, rpc.Options{})
		p.subscribe(`{"types":["noop"],"events":["finished"]}`)
		runMany(t, ex, "noop", many) // more than is kept
		before := runMany(t, ex, "fail", 10)
		p.send(`{"jsonrpc":"2.0","id":"late","method":"subscribe","params":{"types":["fail"],"events":["finished"]}}`)
		synctest.Wait()
		during := runMany(t, ex, "fail", 10)
		var late schema.SubscribeResult
		heard, told := 0, map[uint32]uint64{}
		for len(told) < 2 {
			switch m := p.next(); m.Method {
			case "":
				unmarshal(t, m.Result, &late)
			case schema.NotifyFinished:
				require.NotContains(t, before, m.Params.ID)
				if seq, ok := during[m.Params.ID]; ok {
					require.NotZero(t, late.Subscription, "the reply comes first")
					require.Equal(t, seq, m.Params.Seq)
					heard++
				}
			case schema.NotifyReplayed:
				require.Nil(t, m.Params.Missed)
				told[m.Params.Subscription] = m.Params.Seq
			}
		}
		require.Equal(t, len(during), heard)
		require.Greater(t, told[late.Subscription], late.Seq)
		p.conn.Close()
	})
}

// Who subscribes when the client has caught up, but before it was told, is not
// told of a lag that was before.
func TestSubscriptionAfterALag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 30_000 // so many that the pump stops in the middle of what it reads again
		ex := serverOver(t, memory.New(memory.Options{Keep: 1_000_000}), 2)
		p := connect(t, ex, rpc.Options{})
		first := p.subscribe(`{"events":["finished"]}`)
		runMany(t, ex, "noop", many)
		heard := 0
		for heard < many/2 { // the lag's end is known by now
			if p.next().Method == schema.NotifyFinished {
				heard++
			}
		}
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":"late","method":"subscribe","params":{"events":["finished"]}}`)
		synctest.Wait()
		for over := false; !over; {
			switch m := p.next(); m.Method {
			case schema.NotifyFinished:
				heard++
			case schema.NotifyReplayed:
				require.Equal(t, first.Subscription, m.Params.Subscription)
				over = true
			}
		}
		require.Equal(t, many, heard)
		p.send(`{"jsonrpc":"2.0","id":"over","method":"types"}`)
		require.Equal(t, `"over"`, string(p.next().ID))
		p.conn.Close()
	})
}
