package rpc_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// Many connections of one executor are each sent the end of each of their tasks once,
// and nothing of the others. A connection that floods the server, and does not read,
// keeps nobody from that.
func TestEveryEndReachesItsOwner(t *testing.T) {
	const connections, count = 50, 1000
	ex := serverOver(t, memory.New(memory.Options{Keep: connections * count}), 8, talker(4<<20, 0, false))
	stalled := connect(t, ex, shared)
	for i := range 20 {
		stalled.send(submitLine(i, uuid.New(), "talker", "")) // each writes more than a client is sent that does not read
	}
	var running sync.WaitGroup
	for range connections {
		p := connect(t, ex, shared)
		ids := make([]uuid.UUID, count)
		var text strings.Builder
		for i := range ids {
			ids[i] = uuid.New()
			fmt.Fprintf(&text, `{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":"noop","id":%q,"events":["finished"]}}`+"\n", i, ids[i])
		}
		running.Go(func() { _, _ = io.WriteString(p.conn, text.String()) }) // that it fails, the missing ends show
		running.Go(func() {
			ended, replies := map[uuid.UUID]int{}, 0
			for len(ended) < count || replies < count {
				m, err := p.read()
				if err != nil {
					t.Errorf("after %d ends and %d replies: %v", len(ended), replies, err)
					return
				}
				if m.Method == "" {
					replies++
				} else if ended[m.Params.ID]++; m.Params.State != schema.Completed.String() {
					t.Errorf("%s: %s %s", m.Method, m.Params.ID, m.Params.State)
				}
			}
			for _, id := range ids {
				if ended[id] != 1 {
					t.Errorf("%s has ended %d times", id, ended[id])
				}
			}
			if len(ended) != count {
				t.Errorf("the ends of %d tasks came, of %d", len(ended), count)
			}
			if err := p.conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	require.NoError(t, stalled.conn.Close())
}

// A connection that is cut while the server sends to it disturbs nobody.
func TestCutConnectionsDisturbNobody(t *testing.T) {
	ex := server(t, 4)
	other := connect(t, ex, shared)
	for range 50 {
		p := connect(t, ex, rpc.Options{Shared: true})
		for i := range 20 {
			p.send(submitLine(i, uuid.New(), "noop", ""))
		}
		p.next()
		require.NoError(t, p.conn.Close())
	}
	other.awaitFinished(1000)
}
