package rpc

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
)

// connTransport is the transport of a mounted jsonrpc2.Conn. A write to that may block, so messages are queued,
// and run sends them one after another.
type connTransport struct {
	conn *jsonrpc2.Conn

	mu      sync.Mutex
	changed *sync.Cond
	queue   []outgoing
	bytes   int  // of what is in the queue or being sent
	ended   bool // nothing is sent any more
}

// outgoing is a message on its way.
type outgoing struct {
	send  func() error
	bytes int
}

func newConnTransport(conn *jsonrpc2.Conn) *connTransport {
	k := &connTransport{conn: conn}
	k.changed = sync.NewCond(&k.mu)
	return k
}

func (k *connTransport) add(bytes int, send func() error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	k.queue = append(k.queue, outgoing{send, bytes})
	k.bytes += bytes
	k.changed.Broadcast()
}

// run sends queued messages until end is called or the connection fails.
func (k *connTransport) run() {
	for {
		next, ok := k.next()
		if !ok {
			return
		}
		if next.send() != nil { // the connection is gone, which its owner sees
			k.end()
			return
		}
		k.mu.Lock()
		k.bytes -= next.bytes
		k.changed.Broadcast()
		k.mu.Unlock()
	}
}

func (k *connTransport) next() (m outgoing, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.queue) == 0 && !k.ended {
		k.changed.Wait()
	}
	if k.ended {
		return m, false
	}
	m = k.queue[0]
	k.queue[0] = outgoing{}
	k.queue = k.queue[1:]
	return m, true
}

// end drops the queued messages, and ends run and all calls of await.
func (k *connTransport) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended, k.queue, k.bytes = true, nil, 0
	k.changed.Broadcast()
}

// await blocks until at most that many bytes are unsent, or ctx ends.
func (k *connTransport) await(ctx context.Context, most int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes <= most {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.changed.Broadcast()
	})
	defer stop()
	for k.bytes > most && !k.ended && ctx.Err() == nil {
		k.changed.Wait()
	}
	return context.Cause(ctx)
}

func (k *connTransport) result(id []byte, f func([]byte) []byte) {
	text, to := json.RawMessage(f(nil)), connID(id)
	k.add(len(id)+len(text), func() error { return k.conn.Reply(context.Background(), to, text) })
}

func (k *connTransport) submitted(answers []newTask) {
	for _, a := range answers {
		k.result(a.id, func(b []byte) []byte { return appendSubmitted(b, a.task, false) })
	}
}

func (k *connTransport) fail(id []byte, e *wire.Error) {
	data, to := json.RawMessage(wire.AppendJSON(nil, e.Data)), connID(id)
	answer := &jsonrpc2.Error{Code: int64(e.Code), Message: e.Message, Data: &data}
	k.add(len(id)+len(e.Message)+len(data), func() error { return k.conn.ReplyWithError(context.Background(), to, answer) })
}

func connID(raw []byte) (id jsonrpc2.ID) {
	_ = json.Unmarshal(raw, &id) // it was marshalled from one
	return id
}

func (k *connTransport) notify(method string, params func([]byte) []byte) {
	text := json.RawMessage(params(nil))
	k.add(len(text), func() error { return k.conn.Notify(context.Background(), method, text) })
}

func (k *connTransport) event(ev *executor.Event) {
	k.notify(notificationOf[ev.Kind], func(b []byte) []byte { return appendEvent(b, ev) })
}

// message is never called: it sends the replies of batches, and jsonrpc2 has none.
func (k *connTransport) message(func([]byte) []byte) {}

// last and leave do nothing: the owner ends the connection.
func (k *connTransport) last()                 {}
func (k *connTransport) leave(context.Context) {}

func (k *connTransport) room(ctx context.Context) error { return k.await(ctx, eventRoom) }

func (k *connTransport) unsent() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bytes
}
