package rpc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
)

// What ends while its batch is still read is answered in it all the same.
func TestBatchThatIsLongerThanItsWaits(t *testing.T) {
	for range 20 {
		p := connect(t, server(t, 1), rpc.Options{})
		batch := []string{`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`}
		for i := range 400 {
			batch = append(batch, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"rpc.discover"}`, i))
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
