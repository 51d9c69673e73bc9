package rpc_test

import (
	"bufio"
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
	"github.com/jobline/jobline/schema"
)

// manyWaits sends waits for as many tasks as each may have, all the same.
func manyWaits(t *testing.T, p *peer, count int, more string) {
	const tasks = 1000
	ids := make([]string, tasks)
	lines := make([]string, tasks)
	for i := range tasks {
		ids[i] = uuid.NewString()
		lines[i] = fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":86400000},"events":[]}}`, ids[i])
	}
	p.send(strings.Join(lines, "\n"))
	list := `"` + strings.Join(ids, `","`) + `"`
	for i := range count {
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%s]%s}}`, i, list, more))
	}
}

// However many waits end at once, and whatever ends them, their answers are
// made as they are read: those at the limit are some 30 MiB.
func TestManyWaitsThatEndAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		count            int
		more, end, state string
	}{
		"shutdown":          {100 / fewer, "", `{"jsonrpc":"2.0","id":"end","method":"shutdown","params":{"mode":"cancel"}}`, `"state":"cancelled"`},
		"any, and shutdown": {100 / fewer, `,"until":"any"`, `{"jsonrpc":"2.0","id":"end","method":"shutdown","params":{"mode":"cancel"}}`, `"state":"cancelled"`},
		"time-out":          {100 / fewer, `,"timeoutMs":60000`, `{"jsonrpc":"2.0","id":"end","method":"types"}`, `"timedOut":true`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ex := server(t, 1)
				p := connect(t, ex, rpc.Options{})
				manyWaits(t, p, c.count, c.more)
				synctest.Wait()
				before := heap()
				p.send(c.end)
				time.Sleep(time.Hour)
				synctest.Wait()
				most := heap()
				p.lines = bufio.NewReader(&sampler{Reader: p.conn, every: 4 << 20, sample: func() { most = max(most, heap()) }})
				answers := 0
				for line := ""; answers < c.count; {
					var err error
					line, err = p.lines.ReadString('\n')
					require.NoError(t, err)
					if strings.Contains(line, `"result":{"tasks":`) {
						require.Greater(t, strings.Count(line, `"type":"sleep"`), 999)
						require.Contains(t, line, c.state)
						answers++
					}
				}
				require.Less(t, most, before+(12<<20))
				p.conn.Close()
				ex.Begin(schema.ShutdownCancel)
			})
		})
	}
}

// The results that a wait is answered with have a limit, whether their tasks
// end before it or after.
func TestWaitForTooMuch(t *testing.T) {
	measuresMemory(t)
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
		requireCode(t, schema.CodeTooLarge, m)
		require.EqualValues(t, 64<<20, m.Error.Data.Limit)
		synctest.Wait()
		require.Nil(t, wait(16, "").Error, "at the limit")
		requireCode(t, schema.CodeTooLarge, wait(17, ""))
		requireCode(t, schema.CodeTooLarge, wait(17, `,"timeoutMs":0`))
		p.send(`{"jsonrpc":"2.0","id":1,"method":"stats"}`)
		var stats schema.StatsResult
		unmarshal(t, p.next().Result, &stats)
		require.Zero(t, stats.Connection.PendingWaits)
		require.EqualValues(t, 64<<20, stats.Limits["waitResultBytes"])
		p.conn.Close()
	})
}

func requireCode(t *testing.T, want schema.Code, m message) {
	t.Helper()
	require.NotNil(t, m.Error)
	require.Equal(t, want, m.Error.Code)
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

// Nor is anything kept of what a connection has followed.
func TestFollowedTasksCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, serverOver(t, memory.New(memory.Options{Keep: -1}), 1000), rpc.Options{})
		round := func() {
			for range 1000 {
				id := uuid.New()
				for _, events := range []string{`[]`, `["started"]`, `["output"]`, `["output","progress"]`} {
					p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":1000},"events":%s}}`, id, events))
				}
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"wait","params":{"ids":[%q]}}`, id))
			}
			for range 1000 {
				require.Nil(t, p.reply("1").Error)
			}
		}
		round()
		before := heap()
		for range 10 {
			round()
		}
		require.Less(t, heap(), before+(2<<20)) // the store remembers the ids of all 10,000
		p.conn.Close()
	})
}

// What has ended since a wait for any of its tasks was over counts, too.
func TestWaitForAnyOfTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("a", 4<<20-2)
		slow := executor.MustDefine("slow", func(context.Context, nothing) (string, error) {
			time.Sleep(time.Minute)
			return text, nil
		})
		p := connect(t, serverOver(t, memory.New(memory.Options{KeepBytes: 1 << 30}), 20, slow, talker(4<<20, 0, false)), rpc.Options{})
		ids := make([]string, 17)
		for i := range ids {
			ids[i] = fmt.Sprintf("%q", uuid.New())
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"slow","id":%s,"events":[]}}`, ids[i]))
		}
		p.send(submitLine(1, uuid.New(), "talker", ""), // which is not read, so that nothing is sent of what comes behind it
			fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":[%s],"until":"any"}}`, strings.Join(ids, ",")))
		time.Sleep(time.Hour)
		requireCode(t, schema.CodeTooLarge, p.reply("2"))
		p.conn.Close()
	})
}

// The ids of pending waits have a limit together. Waits that have ended make room.
func TestWaitIDsAreBounded(t *testing.T) {
	const limit, each = 100_000, 1000
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{MaxWaits: 10_000})
		manyWaits(t, p, limit/each, "")
		id := uuid.New()
		one := func(n int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q,%[2]q],"timeoutMs":0}}`, n, id)
		}
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":1},"events":[]}}`, id), one(1000))
		m := p.next()
		requireCode(t, schema.CodeQueueFull, m)
		require.EqualValues(t, limit, m.Error.Data.Limit)
		p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":0}}`)
		requireCode(t, schema.CodeRequestCancelled, p.next())
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1001,"method":"wait","params":{"ids":[%q,%q]}}`, id, uuid.New()))
		requireCode(t, schema.CodeTaskNotFound, p.next())
		for i := range 2 * each {
			p.send(one(2000 + i))
			require.Nil(t, p.next().Error)
		}
		p.send(`{"jsonrpc":"2.0","id":1,"method":"stats"}`)
		var stats schema.StatsResult
		unmarshal(t, p.next().Result, &stats)
		require.EqualValues(t, limit, stats.Limits["waitIds"])
		p.conn.Close()
	})
}
