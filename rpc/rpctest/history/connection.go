package history

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// recorder records messages of all connections in one order: each before it is sent,
// or after it is received.
type recorder struct {
	mu      sync.Mutex
	history History
}

func (r *recorder) note(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Entries = append(r.history.Entries, e)
}

// connection sends and receives for one client, and records it.
type connection struct {
	number int
	conn   io.ReadWriteCloser
	log    *recorder
	slow   bool // it pauses while it reads

	mu       sync.Mutex
	changed  *sync.Cond
	stalled  bool              // nothing is read
	err      error             // why it is over
	over     bool              // nothing more is to come
	gone     bool              // nothing is read any more
	pending  map[string]asked  // the requests that are not answered, by id
	recent   []uuid.UUID       // tasks of the latest notifications
	seq      uint64            // the highest that was received
	replays  int               // subscription/replayed received
	active   []uint32          // subscriptions
	page     schema.ListParams // asks for the next page of the latest list without selection; it has no cursor at the end
	accepted func(uuid.UUID)
}

func newConnection(n int, conn io.ReadWriteCloser, log *recorder) *connection {
	c := &connection{number: n, conn: conn, log: log, pending: map[string]asked{}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// asked is a request that is not answered.
type asked struct {
	method string
	params any
}

// maxRecent bounds connection.recent.
const maxRecent = 40

// slowEvery is the number of messages between two pauses of a slow reader.
const slowEvery = 20

// send records messages and writes them.
func (c *connection) send(lines ...[]byte) error {
	var all []byte
	for _, line := range lines {
		c.log.note(Entry{Client: c.number, Sent: true, Text: line})
		all = append(append(all, line...), '\n')
	}
	_, err := c.conn.Write(all)
	return err
}

// expect notes a request that is about to be sent and will be answered.
func (c *connection) expect(id, method string, params any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[id] = asked{method, params}
}

// quiesce waits until every request is answered.
func (c *connection) quiesce() error { return c.until(func() bool { return len(c.pending) == 0 }) }

// until waits until a condition holds, looking at it after each message.
func (c *connection) until(holds func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !holds() && c.err == nil {
		c.changed.Wait()
	}
	if holds() {
		return nil
	}
	return c.err
}

// release makes a client read that has not read until now.
func (c *connection) release() { c.change(func() { c.stalled = false }) }

// end closes the connection because of an error, and ends all waits.
func (c *connection) end(err error) {
	c.change(func() { c.err = errors.Join(c.err, err) })
	_ = c.conn.Close() // a read or write that hangs ends
}

// leave ends the requests, so that the server ends the connection after its last
// message. After an error it closes the connection itself.
func (c *connection) leave(err error) {
	half, can := c.conn.(interface{ CloseWrite() error })
	if err == nil && can && half.CloseWrite() == nil {
		c.change(func() { c.over = true })
		return
	}
	c.change(func() { c.over = true })
	_ = c.conn.Close() // what was written is read by now
}

func (c *connection) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.changed.Broadcast()
}

// read receives messages until the connection is over.
func (c *connection) read() {
	if c.until(func() bool { return !c.stalled }) != nil {
		return
	}
	lines := bufio.NewReaderSize(c.conn, 64<<10)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			c.change(func() {
				c.gone = true
				if !c.over {
					c.err = errors.Join(c.err, err)
				}
			})
			return
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		c.log.note(Entry{Client: c.number, Text: line})
		if all, _, err := messages(line); err == nil {
			c.change(func() {
				for i := range all {
					c.receive(&all[i])
				}
			})
		}
		if c.slow && n%slowEvery == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// receive notes what later requests need of a message. It needs mu.
func (c *connection) receive(m *message) {
	if m.Method != "" {
		c.notified(m)
		return
	}
	rq := c.pending[string(m.ID)]
	delete(c.pending, string(m.ID))
	if m.Error != nil {
		return
	}
	result, err := resultOf(rq.method, m.Result)
	if err != nil {
		return // the check tells
	}
	switch r := result.(type) {
	case *schema.SubmitResult:
		c.accepted(r.ID)
		c.hear(r.ID)
	case *schema.SubscribeResult:
		c.active = append(c.active, r.Subscription)
		c.seq = max(c.seq, r.Seq)
	case *schema.ListResult:
		if p := rq.params.(schema.ListParams); p.States == nil && p.Types == nil && p.Labels == nil {
			c.page = schema.ListParams{Order: p.Order, Limit: p.Limit, Cursor: r.NextCursor}
		}
	}
}

func (c *connection) notified(m *message) {
	var ev struct {
		ID  uuid.UUID `json:"id"`
		Seq uint64    `json:"seq"`
	}
	if json.Unmarshal(m.Params, &ev) != nil {
		return // the check tells
	}
	if m.Method == schema.NotifyReplayed {
		c.replays++
		return
	}
	c.seq = max(c.seq, ev.Seq)
	c.hear(ev.ID)
}

func (c *connection) hear(id uuid.UUID) {
	if len(c.recent) == maxRecent {
		c.recent = c.recent[maxRecent/2:]
	}
	c.recent = append(c.recent[:len(c.recent):len(c.recent)], id)
}
