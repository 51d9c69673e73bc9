package rpc_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// shared is how a connection of a shared executor is served.
var shared = rpc.Options{Shared: true}

const longSleep = `,"input":{"durationMs":86400000}`

// stateOf asks for the state of a task.
func (p *peer) stateOf(id uuid.UUID) schema.State {
	p.Helper()
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"state","method":"status","params":{"id":%q}}`, id))
	return p.reply(`"state"`).task(p).State
}

// A connection that ends takes nothing with it but what was to end with it, however
// it ends.
func TestEndOfASharedConnection(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"shutdown": func(p *peer) {
			p.send(`{"jsonrpc":"2.0","id":9,"method":"shutdown"}`)
			var left schema.ShutdownResult
			unmarshal(p, p.reply("9").Result, &left)
			require.Equal(p, schema.ShutdownResult{Left: 4}, left)
		},
		"exit":         func(p *peer) { p.send(`{"jsonrpc":"2.0","method":"exit"}`) },
		"end of input": func(p *peer) { require.NoError(p, p.conn.(interface{ CloseWrite() error }).CloseWrite()) },
		"cut":          func(p *peer) { require.NoError(p, p.conn.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ex := server(t, 2)
				one, other := connect(t, ex, shared), connect(t, ex, shared)
				kept, ending, queued, endingQueued := uuid.New(), uuid.New(), uuid.New(), uuid.New()
				one.send(submitLine(1, kept, "sleep", longSleep), submitLine(2, ending, "sleep", `,"onDisconnect":"cancel"`+longSleep),
					submitLine(3, queued, "noop", `,"onDisconnect":"keep"`), fmt.Sprintf(`{"jsonrpc":"2.0","id":4,"method":"submit","params":{"type":"noop","id":%q,"events":[],"onDisconnect":"cancel"}}`, endingQueued))
				for range 6 { // replies and starts
					one.next()
				}
				one.send(submitLine(5, ending, "sleep", longSleep)) // known: this says nothing new of it
				one.next()
				end(one)
				go func() { _, _ = io.Copy(io.Discard, one.conn) }() // ends with the connection
				time.Sleep(time.Second)
				require.Equal(t, schema.Running, other.stateOf(kept))
				require.Equal(t, schema.Completed, other.stateOf(queued), "it had the slot of the cancelled one")
				for _, id := range []uuid.UUID{ending, endingQueued} {
					other.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"s","method":"status","params":{"id":%q}}`, id))
					task := other.reply(`"s"`).task(t)
					require.Equal(t, schema.Cancelled, task.State)
					require.Equal(t, "the connection that submitted it has ended", task.CancelReason)
				}
			})
		})
	}
}

// A task that has ended is none that its connection takes with it.
func TestEndedTasksAreNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2)
		one, other := connect(t, ex, shared), connect(t, ex, shared)
		id := uuid.New()
		one.send(submitLine(1, id, "noop", `,"onDisconnect":"cancel"`))
		for one.next().Method != schema.NotifyFinished {
		}
		require.NoError(t, one.conn.Close())
		time.Sleep(time.Second)
		require.Equal(t, schema.Completed, other.stateOf(id))
	})
}

// A shutdown with mode cancel ends the tasks of its connection, of which it is told,
// and no others.
func TestShutdownOfAConnectionCancelsItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 3)
		one, other := connect(t, ex, shared), connect(t, ex, shared)
		others := uuid.New()
		other.send(submitLine(1, others, "sleep", longSleep))
		other.next()
		other.next()
		var mine []uuid.UUID
		for i := range 5 {
			mine = append(mine, uuid.New())
			one.send(submitLine(i, mine[i], "sleep", longSleep))
		}
		for range 7 { // replies and starts
			one.next()
		}
		one.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown","params":{"mode":"cancel"}}`, submitLine(9, uuid.New(), "noop", ""),
			waitLine("wait", mine[0]))
		ended := map[uuid.UUID]string{}
		var last message
		for _, last = range one.all() {
			switch {
			case last.Method == schema.NotifyFinished:
				ended[last.Params.ID] = last.Params.State
			case string(last.ID) == "9":
				requireCode(t, schema.CodeShuttingDown, last)
			case string(last.ID) == `"wait"`:
				require.Nil(t, last.Error, "its task has ended")
			}
		}
		require.Equal(t, `"end"`, string(last.ID))
		var became schema.ShutdownResult
		unmarshal(t, last.Result, &became)
		require.Equal(t, schema.ShutdownResult{Cancelled: 5}, became)
		for _, id := range mine {
			require.Equal(t, "cancelled", ended[id])
		}
		require.Equal(t, schema.Running, other.stateOf(others))
	})
}

// The end of a shared executor is told to the connections that have not asked for it,
// before the ends of their tasks, and then they end.
func TestShutdownOfASharedExecutorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: testTypes(t), Limit: 2})
		require.NoError(t, err)
		go func() { require.NoError(t, ex.Run(context.Background())) }()
		one, other, silent := connect(t, ex, shared), connect(t, ex, shared), connect(t, ex, rpc.Options{})
		id := uuid.New()
		other.send(submitLine(1, id, "sleep", `,"input":{"durationMs":60000}`), waitLine("wait", id))
		other.next()
		other.next()
		one.send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"editor"}}}`)
		one.next()
		one.send(`{"jsonrpc":"2.0","id":2,"method":"shutdown","params":{"scope":"executor"}}`)
		line, err := other.lines.ReadBytes('\n')
		require.NoError(t, err)
		require.JSONEq(t, `{"jsonrpc":"2.0","method":"executor/shuttingDown","params":{"mode":"drain","reason":"editor has asked for it"}}`, string(line))
		other.send(submitLine(2, uuid.New(), "noop", ""))
		requireCode(t, schema.CodeShuttingDown, other.reply("2"))
		var seen []string
		for _, m := range other.all() {
			seen = append(seen, m.Method+string(m.ID))
		}
		require.Equal(t, []string{schema.NotifyFinished, `"wait"`}, seen)
		require.Len(t, one.all(), 1, "the reply alone")
		require.Empty(t, silent.all())
		for _, p := range []*peer{one, other, silent} {
			require.NoError(t, <-p.served)
			p.served <- nil // for the end of the test
		}
	})
}

// An executor can end before its connections have seen that it was about to: each is
// told, whichever of the two it sees first.
func TestShutdownThatIsOverAtOnceIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: testTypes(t), Limit: 1})
		require.NoError(t, err)
		ex.BeginBecause(schema.ShutdownCancel, "a test has asked for it")
		require.NoError(t, ex.Run(context.Background()))
		for range 30 {
			p := connect(t, ex, shared)
			m := p.next()
			require.Equal(t, schema.NotifyShuttingDown, m.Method)
			require.Empty(t, p.all())
			require.NoError(t, <-p.served)
			p.served <- nil // for the end of the test
		}
	})
}

// A client that has left a shared executor may still send its exit.
func TestExitBehindTheReplyToShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), shared)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"shutdown","params":null}`)
		require.Nil(t, p.next().Error)
		_, err := p.read()
		require.ErrorIs(t, err, io.EOF, "nothing more comes, at once")
		began := time.Now()
		time.Sleep(100 * time.Millisecond)
		p.send(`{"jsonrpc":"2.0","method":"exit","params":null}`)
		require.NoError(t, <-p.served)
		require.Equal(t, 250*time.Millisecond, time.Since(began))
		p.served <- nil // for the end of the test
	})
}

// Stats counts the connections of the executor.
func TestConnectionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 1)
		one, other := connect(t, ex, shared), connect(t, ex, shared)
		connections := func() int64 {
			one.send(`{"jsonrpc":"2.0","id":"stats","method":"stats"}`)
			var stats schema.StatsResult
			require.NoError(t, json.Unmarshal(one.reply(`"stats"`).Result, &stats))
			return stats.Connections
		}
		require.EqualValues(t, 2, connections())
		require.NoError(t, other.conn.Close())
		synctest.Wait()
		require.EqualValues(t, 1, connections())
	})
}
