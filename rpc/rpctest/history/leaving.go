package history

import (
	"bytes"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

const (
	// firstLeaving is the first client that leaves: those before have a part of their
	// own (player.pace).
	firstLeaving = 3
	// leaveEvery is about how many requests a client sends on one connection.
	leaveEvery = 40
	// longTask is how long a task sleeps that is to end with its connection: longer
	// than any history.
	longTask = 24 * time.Hour
)

// comeAgain ends the connection in one of all ways, and makes a new one. Some tasks
// are to end with the connection, and would keep their slots for ever.
func (p *player) comeAgain() error {
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.submitLong(); err != nil {
		return err
	}
	var lost []schema.SubmitParams
	var err error
	switch p.random.IntN(5) {
	case 0:
		lost = p.connection.cut()
	case 1:
		err = p.connection.sendLast(p.call(schema.MethodShutdown, schema.ShutdownParams{}))
	case 2:
		err = p.connection.sendLast(p.call(schema.MethodShutdown, schema.ShutdownParams{Mode: schema.ShutdownCancel}))
	case 3:
		err = p.connection.sendLast([]byte(`{"jsonrpc":"2.0","method":"exit"}`))
	default:
		err = p.connection.endInput()
	}
	if err != nil {
		return err
	}
	p.asking = 0
	if err := p.join(p.lobby); err != nil {
		return err
	}
	for _, s := range lost {
		p.add(schema.MethodSubmit, s)
	}
	return p.flush()
}

// submitLong submits tasks that end with the connection, and waits for the replies.
func (p *player) submitLong() error {
	ids := map[uuid.UUID]bool{}
	for range p.random.IntN(3) {
		s := schema.SubmitParams{
			ID: p.newID(), Type: slowType, Input: jsontext.Value(text(Input{Ms: int(longTask.Milliseconds())})),
			Events: p.events(), OnDisconnect: schema.OnDisconnectCancel,
		}
		ids[s.ID] = true
		p.add(schema.MethodSubmit, s)
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.connection.until(func() bool {
		for _, rq := range p.connection.pending {
			if s, ok := rq.params.(schema.SubmitParams); ok && ids[s.ID] {
				return false
			}
		}
		return true
	})
}

// cut closes the connection, whatever is not answered, and answers the submits among
// that.
func (c *connection) cut() (lost []schema.SubmitParams) {
	c.log.note(Entry{Client: c.number, Sent: true, End: Cut})
	c.change(func() { c.over = true })
	_ = c.conn.Close()
	_ = c.until(func() bool { return c.gone }) // there is no error, because it is over
	for _, rq := range c.pending {
		if s, ok := rq.params.(schema.SubmitParams); ok {
			lost = append(lost, s)
		}
	}
	slices.SortFunc(lost, func(a, b schema.SubmitParams) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return lost
}

// sendLast sends the last message, and waits until the server ends the connection.
func (c *connection) sendLast(message []byte) error {
	c.change(func() { c.over = true })
	if err := c.send(message); err != nil {
		return err
	}
	return c.awaitEnd()
}

// endInput ends the sending, and waits until the server ends the connection.
func (c *connection) endInput() error {
	c.log.note(Entry{Client: c.number, Sent: true, End: EndOfInput})
	c.change(func() { c.over = true })
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	return c.awaitEnd()
}

func (c *connection) awaitEnd() error {
	if err := c.until(func() bool { return c.gone }); err != nil {
		return err
	}
	return c.conn.Close()
}
