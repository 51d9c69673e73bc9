package rpc_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/memory"
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
