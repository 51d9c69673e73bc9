package rpc_test

import (
	"bytes"
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

// pendingLimit is the limit on bytes of what is not answered yet.
const pendingLimit = 80 << 20

// pending is what the connection holds of that, when nothing is under way.
func (p *peer) pending() int64 {
	synctest.Wait()
	p.send(`{"jsonrpc":"2.0","id":"pending","method":"stats"}`)
	var stats schema.StatsResult
	unmarshal(p, p.reply(`"pending"`).Result, &stats)
	require.EqualValues(p, pendingLimit, stats.Limits["pendingBytes"])
	return stats.Connection.PendingBytes
}

// endless submits a task that does not end by itself.
func (p *peer) endless() (id uuid.UUID) {
	id = uuid.New()
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":86400000},"events":[]}}`, id))
	return id
}

func waitLine(requestID string, ids ...uuid.UUID) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = fmt.Sprintf("%q", id)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"%s","method":"wait","params":{"ids":[%s]}}`, requestID, strings.Join(quoted, ","))
}

// Waits whose ids are long are admitted up to the limit, and again when there
// is room.
func TestPendingWaitsAreBoundedInBytes(t *testing.T) {
	measuresMemory(t)
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{})
		task, before := p.endless(), heap()
		long := func(i int) string { return fmt.Sprintf("%02d", i) + strings.Repeat("i", 8<<20) }
		for i := range 9 {
			p.send(waitLine(long(i), task))
		}
		const most, cost = pendingLimit, 512 + len(`""`)
		fits := most - int(p.pending()) - cost
		p.send(waitLine(strings.Repeat("f", fits+1), task))
		m := p.next()
		requireCode(t, schema.CodeQueueFull, m)
		require.EqualValues(t, pendingLimit, m.Error.Data.Limit)
		p.send(waitLine(strings.Repeat("f", fits), task))
		require.EqualValues(t, most, p.pending(), "at the limit")
		for i := range 12 {
			p.send(waitLine(long(i), task))
			requireCode(t, schema.CodeQueueFull, p.next())
		}
		p.lines.Reset(p.conn)
		require.Less(t, heap(), before+pendingLimit+(64<<20))
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%q}}`, long(3)))
		requireCode(t, schema.CodeRequestCancelled, p.next())
		p.send(waitLine("room", task))
		require.Less(t, p.pending(), int64(most))
		p.conn.Close()
	})
}

// Shutdown requests are bounded in number; one that is one too many has its mode
// all the same.
func TestPendingShutdownsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 64
		p := connect(t, server(t, 1), rpc.Options{})
		p.endless()
		before := heap()
		shutdown := func(id, params string) {
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"%s","method":"shutdown","params":{%s}}`, id, params))
		}
		for i := range limit {
			shutdown(fmt.Sprint(i), "")
		}
		for range 80 {
			shutdown("more"+strings.Repeat("i", 1<<20/fewer), "")
			m := p.next()
			requireCode(t, schema.CodeQueueFull, m)
			require.EqualValues(t, limit, m.Error.Data.Limit)
		}
		p.lines.Reset(p.conn)
		require.Less(t, heap(), before+(64<<20))
		shutdown("cancel", `"mode":"cancel"`)
		requireCode(t, schema.CodeQueueFull, p.next())
		answered := map[string]bool{}
		for _, m := range p.all() {
			require.Nil(t, m.Error)
			answered[string(m.ID)] = true
		}
		require.Len(t, answered, limit)
	})
}

// A client that has no room left for requests can end the server.
func TestShutdownNeedsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{})
		task := p.endless()
		const waits = 24 / fewer
		for i := range waits {
			p.send(waitLine(fmt.Sprint(i)+strings.Repeat("i", 4<<20), task))
		}
		synctest.Wait()
		go p.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown","params":{"mode":"cancel"}}`)
		ids := 0
		for _, m := range p.all() {
			ids++
			if string(m.ID) == `"end"` {
				require.Nil(t, m.Error)
			}
		}
		require.Equal(t, waits+1, ids)
	})
}

// Batches whose replies have to wait hold no more than the limit together, and
// each of their requests is answered once.
func TestReplyOfPendingBatchesIsBounded(t *testing.T) {
	measuresMemory(t)
	synctest.Test(t, func(t *testing.T) {
		const batches, each = 9, 450
		p := connect(t, server(t, 1), rpc.Options{})
		task, before := p.endless(), heap()
		types := strings.Repeat(`,{"jsonrpc":"2.0","id":"types","method":"rpc.discover"}`, each)
		whole, tooLarge, refused := 0, 0, 0
		read := make(chan struct{})
		go func() { // what is refused is answered at once
			defer close(read)
			for range batches {
				m := p.next()
				require.Len(t, m.Batch, 1+each)
				for _, reply := range m.Batch {
					switch {
					case reply.Error == nil:
						whole++
					case reply.Error.Code == schema.CodeTooLarge:
						require.EqualValues(t, pendingLimit, reply.Error.Data.Limit)
						tooLarge++
					default:
						requireCode(t, schema.CodeQueueFull, reply)
						refused++
					}
				}
			}
		}()
		for i := range batches {
			p.send("[" + waitLine(fmt.Sprint(i), task) + types + "]")
		}
		synctest.Wait()
		require.Less(t, heap(), before+pendingLimit+(32<<20))
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"cancel","params":{"id":%q}}`, task))
		<-read
		require.Positive(t, whole)
		require.Positive(t, tooLarge)
		require.Positive(t, refused)
		require.Equal(t, batches*(1+each), whole+tooLarge+refused)
		require.Less(t, p.pending(), int64(10<<10))
		p.conn.Close()
	})
}

// The ends that waits have seen, and those that batches hold back, are held in
// brief where there is no room, and are read again when they are sent.
func TestEndsThatArePendingAreBounded(t *testing.T) {
	measuresMemory(t)
	for name, line := range map[string]func(i int, large, never uuid.UUID) string{
		"waits": func(i int, large, never uuid.UUID) string { return waitLine(fmt.Sprint(i), large, never) },
		"batches": func(i int, large, never uuid.UUID) string {
			return "[" + submitLine(1000+i, large, "large", "") + "," + waitLine(fmt.Sprint(i), never) + "]"
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const count, size, keep = 60, 4 << 20, 100 << 20
				p := connect(t, serverOver(t, memory.New(memory.Options{KeepBytes: keep}), 2, large(size)), rpc.Options{})
				never, before := p.endless(), heap()
				for i := range count {
					id := uuid.New()
					if name == "waits" {
						p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"large","id":%q,"events":[]}}`, id))
					}
					p.send(line(i, id, never))
					time.Sleep(time.Second)
				}
				synctest.Wait()
				require.Less(t, heap(), before+keep+pendingLimit+(32<<20))
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"cancel","params":{"id":%q}}`, never))
				whole := 0
				for answers, ends := 0, 0; answers < count || name == "batches" && ends < count; {
					m := p.next()
					switch {
					case m.Method == schema.NotifyFinished:
						ends++
						require.Equal(t, m.Params.Incomplete, m.Params.Result == nil)
						whole += len(m.Params.Result) / size
					case m.Batch != nil:
						answers++
						require.Len(t, m.Batch, 2)
					case m.Method == "":
						answers++
						var r schema.WaitResult
						unmarshal(t, m.Result, &r)
						require.Equal(t, r.Tasks[0].Incomplete, r.Tasks[0].Result == nil)
						whole += len(r.Tasks[0].Result) / size
					}
				}
				require.Greater(t, whole, pendingLimit/size-3)
				require.Less(t, whole, count)
				require.Less(t, p.pending(), int64(10<<10))
				p.conn.Close()
			})
		})
	}
}

// What a client begins and takes back while it does not read costs no more than
// the limit, though the pump has not come that far.
func TestMarksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 2, talker(4<<20, 0, false)), rpc.Options{})
		p.send(submitLine(1, uuid.New(), "talker", "")) // which nobody reads: the pump stands still
		time.Sleep(time.Minute)
		ids := make([]uuid.UUID, 1000)
		for i := range ids {
			ids[i] = p.endless()
		}
		synctest.Wait()
		before := heap()
		subscribe := `{"jsonrpc":"2.0","method":"subscribe","params":{"after":0,"ids":[` + strings.TrimPrefix(strings.TrimSuffix(waitLine("", ids...), `]}}`), `{"jsonrpc":"2.0","id":"","method":"wait","params":{"ids":[`) + `]}}`
		for i := range 500 / fewer {
			p.send(waitLine("w", ids...), `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"w"}}`,
				subscribe, fmt.Sprintf(`{"jsonrpc":"2.0","method":"unsubscribe","params":{"subscription":%d}}`, 2*i+2))
		}
		synctest.Wait()
		require.Less(t, heap(), before+(10<<20))
		p.conn.Close()
	})
}

// The replies of a batch have a limit: at it all are there, and of one byte more
// the last is refused.
func TestReplyOfABatchIsBounded(t *testing.T) {
	measuresMemory(t)
	const limit, piece = 64 << 20, 1 << 20
	writer := executor.MustDefine("writer", func(ctx context.Context, _ nothing) (nothing, error) {
		_, err := executor.Output(ctx, schema.Stdout).Write(bytes.Repeat([]byte("a"), piece))
		return nothing{}, err
	})
	p := connect(t, server(t, 1, writer), rpc.Options{})
	id := uuid.New()
	p.send(submitLine(1, id, "writer", ""), waitLine("written", id))
	require.Nil(t, p.reply(`"written"`).Error)
	output := func(size int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"output","params":{"id":%q,"limit":%d}}`, id, size)
	}
	length := func(size int) int { // of the reply
		p.send(output(size))
		line, err := p.lines.ReadBytes('\n')
		require.NoError(t, err)
		return len(line) - 1
	}
	whole := length(piece)
	rest := limit % whole
	last := rest - (length(rest-500) - (rest - 500))
	require.Equal(t, rest, length(last))
	for more, refused := range []int{0, 1} {
		p.send("[" + strings.Repeat(output(piece)+",", limit/whole) + output(last+more) + "]")
		batch := p.next().Batch
		require.Len(t, batch, limit/whole+1)
		for i, reply := range batch {
			if refused == 1 && i == len(batch)-1 {
				requireCode(t, schema.CodeTooLarge, reply)
				require.EqualValues(t, limit, reply.Error.Data.Limit)
			} else {
				require.Nil(t, reply.Error)
			}
		}
	}
	p.conn.Close()
}
