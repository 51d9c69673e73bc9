package rpc_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// No reply shows a task in a state before one that the connection has been told.
func TestRepliesAreNotOlderThanEvents(t *testing.T) {
	p := connect(t, server(t, 4), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 6000
	go func() {
		for i := range count {
			id := uuid.New()
			ask := fmt.Sprintf(`{"jsonrpc":"2.0","id":"status","method":"status","params":{"id":%q}}`, id)
			if i%3 == 0 {
				ask = `{"jsonrpc":"2.0","id":"list","method":"list","params":{"limit":4}}`
			}
			p.send(submitLine(i, id, "noop", "") + "\n" + ask)
		}
		p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
	}()
	ended, replies := map[uuid.UUID]bool{}, 0
	for _, m := range p.all() {
		var tasks []schema.Task
		switch string(m.ID) {
		case `"status"`:
			tasks = append(tasks, m.task(t).Task)
		case `"list"`:
			var r schema.ListResult
			require.NoError(t, json.Unmarshal(m.Result, &r))
			tasks = r.Tasks
		default:
			ended[m.Params.ID] = ended[m.Params.ID] || m.Method == schema.NotifyFinished
			continue
		}
		replies++
		for i := range tasks {
			require.False(t, ended[tasks[i].ID] && !tasks[i].State.Final(), "%s shows a task %v that has ended", m.ID, tasks[i].State)
		}
	}
	require.Equal(t, count, replies)
}

// A wait's answer shows no end that the client is told only later, also where
// the client has not read for long, the task is no longer kept, or a shutdown
// has ended it.
func TestWaitForAnyAgreesWithTheEvents(t *testing.T) {
	const shutdown = `{"jsonrpc":"2.0","id":5,"method":"shutdown","params":{"mode":"cancel"}}`
	for name, c := range map[string]struct {
		keep int
		last string
		want schema.State
	}{
		"kept":      {10, `{"jsonrpc":"2.0","id":5,"method":"types"}`, schema.Completed},
		"forgotten": {-1, `{"jsonrpc":"2.0","id":5,"method":"types"}`, schema.Completed},
		"cancelled": {10, shutdown, schema.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, serverOver(t, memory.New(memory.Options{Keep: c.keep}), 4, talker(4<<20, 0, true)), rpc.Options{})
				a, b, never := uuid.New(), uuid.New(), uuid.New()
				p.send(submitLine(1, uuid.New(), "talker", ""), // which is not read, so that nothing is sent of what comes behind it
					submitLine(2, a, "sleep", `,"input":{"durationMs":60000}`), submitLine(3, b, "sleep", `,"input":{"durationMs":60000}`),
					submitLine(4, never, "sleep", `,"input":{"durationMs":86400000}`),
					fmt.Sprintf(`{"jsonrpc":"2.0","id":"any","method":"wait","params":{"ids":[%q,%q,%q],"until":"any"}}`, never, a, b))
				if c.want == schema.Completed {
					time.Sleep(time.Hour)
				}
				p.send(c.last)
				time.Sleep(time.Minute)
				ended := map[uuid.UUID]bool{}
				m := p.next()
				for ; string(m.ID) != `"any"`; m = p.next() {
					ended[m.Params.ID] = ended[m.Params.ID] || m.Method == schema.NotifyFinished
				}
				require.Nil(t, m.Error)
				var r schema.WaitResult
				unmarshal(t, m.Result, &r)
				require.False(t, r.TimedOut)
				for _, task := range r.Tasks {
					require.Equal(t, ended[task.ID], task.State.Final())
				}
				require.Equal(t, c.want, r.Tasks[1].State)
				require.Equal(t, c.want, r.Tasks[2].State)
				p.conn.Close()
			})
		})
	}
}

// A wait whose time is over, and that is answered when its tasks have ended, has
// not timed out.
func TestTimedOutWaitAgreesWithTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 2, talker(4<<20, 0, true)), rpc.Options{})
		id := uuid.New()
		p.send(submitLine(1, uuid.New(), "talker", ""), // which is not read
			submitLine(2, id, "sleep", `,"input":{"durationMs":2000}`),
			fmt.Sprintf(`{"jsonrpc":"2.0","id":"wait","method":"wait","params":{"ids":[%q],"timeoutMs":1000}}`, id))
		time.Sleep(time.Hour)
		var r schema.WaitResult
		unmarshal(t, p.reply(`"wait"`).Result, &r)
		require.Equal(t, schema.Completed, r.Tasks[0].State)
		require.False(t, r.TimedOut)
		p.conn.Close()
	})
}
