package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// heap is how many bytes are live.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// endsWriter sends so many ends of tasks to a client, with results of some size.
func endsWriter(t *testing.T, to io.Writer, from, count, size int) {
	result := strings.Repeat("x", size)
	w := bufio.NewWriterSize(to, 1<<20)
	for i := range count {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","method":"task/finished","params":{"id":%q,"type":"noop","state":"completed","priority":0,"attempt":1,"labels":{},"createdAt":"2026-01-01T00:00:00Z","result":%q,"seq":%d}}`+"\n",
			uuid.New(), result, from+i)
	}
	require.NoError(t, w.Flush())
}

// A client whose program does not take its events holds some of them, says how
// many it has dropped, and goes on when they are taken.
func TestClientWithoutReaderOfEvents(t *testing.T) {
	const held, count, size = 64 << 20, 1600, 64 << 10
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		c := client.New(t.Context(), near, wire.FramingLine)
		before := heap()
		endsWriter(t, far, 1, count, size)
		synctest.Wait()
		require.Less(t, heap(), before+held+(16<<20))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		events, latest := 0, uint64(0)
		var lost *client.LostEvents
		for ev := range c.Events(ctx) {
			if ev.Lost != nil {
				require.Nil(t, lost, "told of once")
				require.Equal(t, uuid.Nil, ev.TaskID())
				require.Equal(t, latest, ev.Lost.After)
				lost = ev.Lost
				endsWriter(t, far, count+1, 1, size)
				continue
			}
			require.NotNil(t, ev.Finished)
			latest = ev.Finished.Seq
			events++
			if latest > count {
				break
			}
		}
		require.NotNil(t, lost)
		require.EqualValues(t, count+1, latest)
		require.EqualValues(t, count, lost.Through)
		require.Equal(t, count, events-1+lost.Count)
		require.Greater(t, events, held/(size+1000))
		require.NoError(t, c.Close())
	})
}

// Close does not wait for a server that does not read.
func TestCloseWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		c := client.New(t.Context(), near, wire.FramingLine)
		go func() {
			_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "noop"})
			require.Error(t, err)
		}()
		synctest.Wait()
		began := time.Now()
		require.NoError(t, c.Close())
		require.Less(t, time.Since(began), time.Minute)
		far.Close()
	})
}

// Close writes what has gathered to a server that reads slowly.
func TestCloseWithSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		s := client.NewStream(near, wire.FramingLine, 0)
		const size = 1 << 20
		require.NoError(t, s.WriteObject(strings.Repeat("x", size)))
		read := 0
		go func() {
			piece := make([]byte, 64<<10)
			for {
				time.Sleep(900 * time.Millisecond)
				n, err := far.Read(piece)
				read += n
				if err != nil {
					return
				}
			}
		}()
		require.NoError(t, s.Close())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, size+len("\"\"\n"), read)
	})
}

// A stream holds so much for a peer that does not read, and then its writers wait.
func TestStreamHoldsSoMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, piece = 64 << 20, 1 << 20
		near, far := rpctest.Pipe()
		s := client.NewStream(near, wire.FramingLine, 0)
		written := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			text := strings.Repeat("x", piece)
			for s.WriteObject(text) == nil && written < 200 {
				written++
			}
		}()
		synctest.Wait()
		require.Equal(t, most/piece-1, written) // the last is waited for
		_, err := io.CopyN(io.Discard, far, most+8*piece)
		require.NoError(t, err)
		synctest.Wait()
		require.Greater(t, written, most/piece)
		require.Less(t, written, 3*most/piece)
		near.Close()
		<-ended
		_ = s.Close() // the connection has ended
	})
}

// A server that answers a wait for one task with none, or with another, is told of.
func TestWaitForOfStrangeServer(t *testing.T) {
	for name, tasks := range map[string]string{
		"none":    `[]`,
		"another": `[{"id":"018f0000-0000-4000-8000-00000000000b","type":"noop","state":"completed","priority":0,"attempt":1,"labels":{},"createdAt":"2026-01-01T00:00:00Z"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := rpctest.Pipe()
				c := client.New(t.Context(), near, wire.FramingLine)
				go func() {
					line, err := bufio.NewReader(far).ReadString('\n')
					require.NoError(t, err)
					var request struct{ ID json.RawMessage }
					require.NoError(t, json.Unmarshal([]byte(line), &request))
					fmt.Fprintf(far, `{"jsonrpc":"2.0","id":%s,"result":{"tasks":%s,"timedOut":false}}`+"\n", request.ID, tasks)
				}()
				_, err := c.WaitFor(t.Context(), uuid.MustParse("018f0000-0000-4000-8000-00000000000a"))
				require.ErrorContains(t, err, "want the task 018f0000-0000-4000-8000-00000000000a alone")
				require.NoError(t, c.Close())
			})
		})
	}
}
