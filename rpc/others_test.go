package rpc_test

import (
	"context"
	"fmt"
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

// calledDurable is a store in memory that says that it is durable: a shutdown
// leaves queued tasks in it.
type calledDurable struct{ executor.Store }

func (s calledDurable) Info() executor.StoreInfo {
	info := s.Store.Info()
	info.Durable = true
	return info
}

// A shutdown by one connection is told to the others of the executor: they are
// sent all events, their waits for tasks that are left are answered, and they
// end, also where the store is closed at once.
func TestShutdownIsToldToOtherConnections(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("closed: %t", closed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := calledDurable{memory.New(memory.Options{})}
				ex, err := executor.New(store, executor.Options{Types: testTypes(t), Limit: 1})
				require.NoError(t, err)
				go func() {
					require.NoError(t, ex.Run(context.Background()))
					if closed {
						require.NoError(t, store.Close())
					}
				}()
				one, other := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
				running, queued, batched := uuid.New(), uuid.New(), uuid.New()
				other.send(submitLine(1, running, "sleep", `,"input":{"durationMs":60000}`), submitLine(2, queued, "noop", ""),
					waitLine("running", running), waitLine("queued", queued),
					"["+submitLine(3, batched, "noop", "")+","+waitLine("in a batch", batched)+"]")
				for range 3 { // two replies and a start
					other.next()
				}
				synctest.Wait()
				go one.send(`{"jsonrpc":"2.0","id":1,"method":"shutdown","params":{"mode":"finish"}}`)
				var ended schema.ShutdownResult
				unmarshal(t, one.next().Result, &ended)
				require.Equal(t, schema.ShutdownResult{Completed: 1, Left: 2}, ended)
				require.NoError(t, <-one.served)
				var replies []message
				events := 0
				for _, m := range other.all() {
					replies = append(replies, m.Batch...)
					if m.Method != "" {
						events++
					} else if m.Batch == nil {
						replies = append(replies, m)
					}
				}
				for _, m := range replies {
					switch string(m.ID) {
					case `"queued"`, `"in a batch"`:
						requireCode(t, schema.CodeShuttingDown, m)
					case `"running"`:
						if !closed {
							require.Nil(t, m.Error)
						}
					default:
						require.Nil(t, m.Error, "%s", m.ID)
					}
				}
				require.Len(t, replies, 4)
				if !closed { // where the store is closed at once, its last events are lost
					require.Equal(t, 1, events, "the end of the task that ran")
				}
				require.NoError(t, <-other.served)
				one.served <- nil // for the end of the test
				other.served <- nil
			})
		})
	}
}

// Events of a batch's tasks wait for its reply, which may wait for long. A wait
// for such a task outside of the batch does not: its client may need the answer
// to end what the batch waits for.
func TestGuarantee8WaitForTaskOfPendingBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 2), rpc.Options{})
		task, never := uuid.New(), uuid.New()
		p.send("["+submitLine(1, task, "sleep", `,"input":{"durationMs":1000}`)+","+submitLine(2, never, "sleep", `,"input":{"durationMs":86400000}`)+
			","+waitLine("in", never)+"]", waitLine("out", task))
		m := p.next()
		require.Equal(t, `"out"`, string(m.ID))
		var r schema.WaitResult
		unmarshal(t, m.Result, &r)
		require.Equal(t, schema.Completed, r.Tasks[0].State)
		time.Sleep(time.Hour)
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"cancel","params":{"id":%q}}`, never))
		require.Len(t, p.next().Batch, 3)
		ends := map[uuid.UUID]bool{}
		for len(ends) < 2 {
			if m := p.next(); m.Method == schema.NotifyFinished {
				ends[m.Params.ID] = true
			}
		}
		p.conn.Close()
	})
}
