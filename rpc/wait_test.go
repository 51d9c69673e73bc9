package rpc_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// manyWaits sends as many waits as there may be for as many tasks as each may
// have, all the same: their answers are some 300 MiB together.
func manyWaits(t *testing.T, p *peer, more string) {
	const tasks = 1000
	ids := make([]string, tasks)
	lines := make([]string, tasks)
	for i := range tasks {
		ids[i] = uuid.NewString()
		lines[i] = fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":86400000},"events":[]}}`, ids[i])
	}
	p.send(strings.Join(lines, "\n"))
	list := `"` + strings.Join(ids, `","`) + `"`
	for i := range rpc.DefaultMaxWaits {
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%s]%s}}`, i, list, more))
	}
}

// However many waits end at once, and whatever ends them, their answers are
// made as they are read.
func TestManyWaitsThatEndAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ more, end, state string }{
		"shutdown": {"", `{"jsonrpc":"2.0","id":"end","method":"shutdown","params":{"mode":"cancel"}}`, `"state":"cancelled"`},
		"time-out": {`,"timeoutMs":60000`, `{"jsonrpc":"2.0","id":"end","method":"types"}`, `"timedOut":true`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ex := server(t, 1)
				p := connect(t, ex, rpc.Options{})
				manyWaits(t, p, c.more)
				synctest.Wait()
				before := heap()
				p.send(c.end)
				time.Sleep(time.Hour)
				synctest.Wait()
				most := heap()
				p.lines = bufio.NewReader(&sampler{Reader: p.conn, every: 32 << 20, sample: func() { most = max(most, heap()) }})
				answers := 0
				for line := ""; answers < rpc.DefaultMaxWaits; {
					var err error
					line, err = p.lines.ReadString('\n')
					require.NoError(t, err)
					if strings.Contains(line, `"result":{"tasks":`) {
						require.Greater(t, strings.Count(line, `"type":"sleep"`), 999)
						require.Contains(t, line, c.state)
						answers++
					}
				}
				require.Less(t, most, before+(24<<20))
				p.conn.Close()
				ex.Begin(schema.ShutdownCancel)
			})
		})
	}
}

// The results that a wait is answered with have a limit, whether their tasks
// end before it or after.
func TestWaitForTooMuch(t *testing.T) {
	const size = 4 << 20
	synctest.Test(t, func(t *testing.T) {
		ex := serverOver(t, memory.New(memory.Options{KeepBytes: 1 << 30}), 2, large(size))
		p := connect(t, ex, rpc.Options{})
		var ids []string
		for i := range 17 {
			ids = append(ids, fmt.Sprintf("%q", uuid.New()))
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":"large","id":%s,"events":[]}}`, i, ids[i]))
			require.Nil(t, p.next().Error)
		}
		wait := func(n int, more string) message {
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"wait","method":"wait","params":{"ids":[%s]%s}}`, strings.Join(ids[:n], ","), more))
			return p.next()
		}
		m := wait(17, "") // before any has ended
		require.Equal(t, schema.CodeTooLarge, m.Error.Code)
		require.EqualValues(t, 64<<20, m.Error.Data.Limit)
		synctest.Wait()
		require.Nil(t, wait(16, "").Error, "at the limit")
		require.Equal(t, schema.CodeTooLarge, wait(17, "").Error.Code)
		require.Equal(t, schema.CodeTooLarge, wait(17, `,"timeoutMs":0`).Error.Code)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"stats"}`)
		var stats schema.StatsResult
		unmarshal(t, p.next().Result, &stats)
		require.Zero(t, stats.Connection.PendingWaits)
		require.EqualValues(t, 64<<20, stats.Limits["waitResultBytes"])
		p.conn.Close()
	})
}

// A wait whose time is over answers behind the events that there are, also to
// a client that does not read.
func TestTimedOutWaitComesBehindTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 2, talker(4<<20, 0, false)), rpc.Options{})
		talk, sleep := uuid.New(), uuid.New()
		p.send(submitLine(1, talk, "talker", ""), submitLine(2, sleep, "sleep", `,"input":{"durationMs":60000}`),
			fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q],"timeoutMs":1000}}`, sleep))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		ended := false
		m := p.next()
		for ; string(m.ID) != "3"; m = p.next() {
			ended = ended || m.Method == schema.NotifyFinished
		}
		require.True(t, ended)
		var r schema.WaitResult
		unmarshal(t, m.Result, &r)
		require.True(t, r.TimedOut)
		require.Equal(t, schema.Running, r.Tasks[0].State)
		p.conn.Close()
	})
}

// Nothing is kept of waits that are over, however they ended.
func TestWaitsThatAreOverCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := serverOver(t, memory.New(memory.Options{Keep: -1}), 1, large(1<<20))
		p := connect(t, ex, rpc.Options{})
		round := func() {
			id, never := uuid.New(), uuid.New()
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":1000},"events":[]}}`, never),
				fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"large","id":%q,"events":[]}}`, id))
			for i, more := range []string{`"until":"any"`, `"timeoutMs":1500`, `"until":"all"`} {
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q,%q],%s}}`, i, never, id, more))
			}
			p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}`)
			for range 3 {
				p.next()
			}
			time.Sleep(time.Minute)
		}
		round()
		before := heap()
		for range 20 {
			round()
		}
		require.Less(t, heap(), before+(8<<20))
		p.conn.Close()
	})
}
