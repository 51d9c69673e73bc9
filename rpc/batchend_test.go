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
)

// What ends while its batch is still read is answered in it all the same.
func TestBatchThatIsLongerThanItsWaits(t *testing.T) {
	for range 24 / fewer {
		p := connect(t, server(t, 1), rpc.Options{})
		batch := []string{`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`}
		for i := range 400 {
			batch = append(batch, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"types"}`, i))
		}
		p.send("[" + strings.Join(batch, ",") + "]")
		all := p.all()
		require.Len(t, all, 1)
		require.Len(t, all[0].Batch, len(batch))
	}
}

func TestBatchOfWaitsThatEndAtOnce(t *testing.T) {
	p := connect(t, server(t, 1), rpc.Options{})
	id := uuid.New()
	p.send(submitLine(1, id, "noop", ""))
	require.Nil(t, p.reply("1").Error)
	for range 20 {
		var batch []string
		for i := range 450 {
			batch = append(batch,
				fmt.Sprintf(`{"jsonrpc":"2.0","id":"w%d","method":"wait","params":{"ids":["%s"],"timeoutMs":0}}`, i, id),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":"u%d","method":"nosuch"}`, i))
		}
		p.send("[" + strings.Join(batch, ",") + "]")
		m := p.next()
		for m.Batch == nil {
			m = p.next()
		}
		require.Len(t, m.Batch, len(batch))
	}
	p.send(`{"jsonrpc":"2.0","id":"over","method":"stats"}`)
	require.Equal(t, `"over"`, string(p.next().ID), "no batch was answered twice")
}

// What a batch holds back comes once, also where a subscription reads the same
// again from the store meanwhile.
func TestBatchHoldsBackWhatIsReplayedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{OnEOF: rpc.EOFDrain})
		quick, slow := uuid.New(), uuid.New()
		go func() {
			p.send("[" + submitLine(1, quick, "noop", "") + "," + submitLine(2, slow, "sleep", `,"input":{"durationMs":1000}`) +
				fmt.Sprintf(`,{"jsonrpc":"2.0","id":3,"method":"wait","params":{"ids":[%q]}}]`, slow))
			time.Sleep(10 * time.Millisecond)
			p.send(`{"jsonrpc":"2.0","id":4,"method":"subscribe","params":{"after":0}}`,
				`{"jsonrpc":"2.0","id":5,"method":"subscribe","params":{"after":0}}`)
			time.Sleep(2 * time.Second)
			p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
		}()
		told := map[string]int{}
		for _, m := range p.all() {
			told[m.Method+" "+m.Params.ID.String()]++
		}
		for _, id := range []uuid.UUID{quick, slow} {
			require.Equal(t, 1, told["task/started "+id.String()])
			require.Equal(t, 1, told["task/finished "+id.String()])
		}
	})
}

// A start that a replay brings of a task that a batch holds back comes before
// what the batch holds back of it already.
func TestBatchHoldsBackInOrderWhatIsReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{OnEOF: rpc.EOFDrain})
		slow := uuid.New()
		go func() {
			p.send(fmt.Sprintf(`[{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":1000,"progressEveryMs":100},"events":["progress"]}},`+
				`{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":[%q]}}]`, slow, slow))
			time.Sleep(500 * time.Millisecond)
			p.send(`{"jsonrpc":"2.0","id":3,"method":"subscribe","params":{"after":0,"events":["started"]}}`)
			time.Sleep(2 * time.Second)
			p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
		}()
		var methods []string
		for _, m := range p.all() {
			if m.Params.ID == slow {
				methods = append(methods, m.Method)
			}
		}
		require.Greater(t, len(methods), 2)
		require.Equal(t, "task/started", methods[0])
		require.NotContains(t, methods[1:], "task/started")
	})
}
