package rpc_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// Waits for trees make room again however they end, and those that are left are answered.
func TestWaitsForTreesAreBounded(t *testing.T) {
	const most = 100_000 / 32
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 2), rpc.Options{MaxWaits: 10_000})
		top, part := uuid.New(), uuid.New()
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":1000},"events":[]}}`, top),
			fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"parent":%q,"input":{"durationMs":3600000},"events":[]}}`, part, top))
		wait := func(n int, more string) {
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait","params":{"ids":[%q],"tree":true%s}}`, n, top, more))
		}
		for i := range most {
			wait(i, "")
		}
		wait(most, "")
		requireCode(t, schema.CodeQueueFull, p.next())
		time.Sleep(time.Minute) // the task itself has ended
		p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":0}}`)
		requireCode(t, schema.CodeRequestCancelled, p.next())
		for range 3 {
			wait(most, `,"timeoutMs":1000`)
			time.Sleep(time.Minute)
			require.Contains(t, string(p.next().Result), `"timedOut":true`)
		}
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"cancel","method":"cancel","params":{"id":%q}}`, part))
		require.Nil(t, p.next().Error)
		for range most - 1 {
			require.True(t, strings.HasSuffix(string(p.next().Result), `"timedOut":false}`))
		}
		p.send(`{"jsonrpc":"2.0","id":1,"method":"stats"}`)
		var stats schema.StatsResult
		unmarshal(t, p.next().Result, &stats)
		require.Zero(t, stats.Connection.PendingWaits)
		require.Less(t, stats.Connection.PendingBytes, int64(1000))
		p.conn.Close()
	})
}
