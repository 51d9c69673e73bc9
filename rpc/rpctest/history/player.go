package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// player is a client that sends random requests.
type player struct {
	number     int
	random     *rand.Rand
	connection *connection
	pool       *pool
	lobby      *lobby
	stalls     bool // it does not read until the others are done
	leaves     bool // it ends its connections, and comes again
	slow       bool // it pauses while it reads
	batching   bool // a batch is being made

	requests int
	window   int         // how many requests may be unanswered
	own      []uuid.UUID // the latest tasks that it has submitted with an id
	unsent   [][]byte
	asking   int      // how many of unsent have an id
	waits    []string // the ids of its latest waits
}

func newPlayer(n int, random *rand.Rand, pool *pool) *player {
	return &player{number: n, random: random, pool: pool, window: 64}
}

// join connects the client.
func (p *player) join(l *lobby) (err error) {
	p.lobby = l
	p.connection, err = l.connect(func(c *connection) {
		c.accepted, c.stalled, c.slow = p.pool.answered, p.stalls, p.slow
	})
	return err
}

// pace chooses whether a client reads slowly, or not at all for a while.
func (p *player) pace(clients int) {
	switch {
	case p.number == 0 && clients > 1: // client 0 always reads, so that every start and end is known
	case p.number == 1 || clients == 1 && p.random.IntN(4) == 0:
		p.stalls = true
	case p.number == 2 || clients == 1 && p.random.IntN(4) == 0:
		p.slow = true
	}
}

// play sends so many requests, in bursts. It waits for answers where more than window
// requests are unanswered.
func (p *player) play(operations int) error {
	if p.number == 0 || p.oneIn(2) {
		events := []string{schema.EventStarted, schema.EventFinished}
		p.add(schema.MethodSubscribe, schema.SubscribeParams{Events: events})
	}
	for sent := 0; sent < operations; {
		if p.oneIn(50) {
			p.window = []int{1, 8, 64, 512}[p.random.IntN(4)]
		}
		before := len(p.unsent)
		switch room := operations-sent > maxRush; {
		case room && p.oneIn(rushEvery):
			p.rush()
		case room && p.oneIn(rushEvery):
			p.purge()
		default:
			p.unsent = append(p.unsent, p.operation())
		}
		sent += len(p.unsent) - before
		if p.oneIn(4) || len(p.unsent) > p.window {
			if err := p.flush(); err != nil {
				return err
			}
		}
		if p.leaves && p.oneIn(leaveEvery) {
			if err := p.comeAgain(); err != nil {
				return err
			}
		}
		if p.oneIn(100) {
			time.Sleep(time.Duration(p.random.IntN(3000)) * time.Microsecond)
		}
	}
	return p.flush()
}

func (p *player) flush() error {
	if !p.stalls {
		if err := p.connection.until(func() bool { return len(p.connection.pending)-p.asking <= p.window }); err != nil {
			return err
		}
	}
	err := p.connection.send(p.unsent...)
	p.unsent, p.asking = p.unsent[:0], 0
	return err
}

func (p *player) oneIn(n int) bool { return p.random.IntN(n) == 0 }

// add appends a request to those that flush sends.
func (p *player) add(method string, params any) { p.unsent = append(p.unsent, p.call(method, params)) }

// ask sends a request and waits until all are answered.
func (p *player) ask(method string, params any) error {
	p.add(method, params)
	if err := p.flush(); err != nil {
		return err
	}
	return p.connection.quiesce()
}

// call is the text of a request with an id.
func (p *player) call(method string, params any) []byte {
	p.requests++
	id := strconv.Itoa(p.requests)
	if p.requests%7 == 0 {
		id = `"` + id + `"`
	}
	p.connection.expect(id, method, params)
	p.asking++
	if method == schema.MethodWait {
		p.waits = append(p.waits, id)
	}
	return []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, text(params)))
}

func text(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err) // of our own types, all of which can be JSON
	}
	return b
}

// operation is one request, or a batch.
func (p *player) operation() []byte {
	switch n := p.random.IntN(100); {
	case n < 6:
		return p.batch()
	case n < 8:
		return p.cancelRequest()
	case n < 10:
		return p.unsubscribe()
	case n < 13:
		return p.subscribe()
	default:
		return p.single()
	}
}

// single is a request that may stand in any batch.
func (p *player) single() []byte {
	switch n := p.random.IntN(100); {
	case n < 44:
		return p.submit()
	case n < 50:
		return p.resubmit()
	case n < 62:
		return p.cancel(p.oneIn(4))
	case n < 72:
		return p.call(schema.MethodStatus, schema.StatusParams{ID: p.task()})
	case n < 84:
		return p.wait()
	case n < 90:
		return p.reach()
	case n < 94:
		return p.list()
	case n < 97:
		stream := schema.Stream(p.random.IntN(2))
		return p.call(schema.MethodOutput, schema.OutputParams{ID: p.task(), Stream: &stream, Limit: 1 + p.random.Int64N(100)})
	default:
		return p.call(schema.MethodStats, schema.Empty{})
	}
}

// task chooses a task: one that was submitted or notified of recently, or any.
func (p *player) task() uuid.UUID {
	p.connection.mu.Lock()
	heard := p.connection.recent
	p.connection.mu.Unlock()
	switch n := p.random.IntN(10); {
	case n < 4 && len(heard) > 0:
		return heard[p.random.IntN(len(heard))]
	case n < 9 && len(p.own) > 0:
		return p.own[len(p.own)-1-min(p.random.IntN(len(p.own)), p.random.IntN(10))]
	}
	if s, ok := p.pool.randomSubmit(p.random); ok {
		return s.ID
	}
	return p.newID()
}

func (p *player) newID() uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(p.random.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

func (p *player) batch() []byte {
	p.batching = true
	defer func() { p.batching = false }()
	var all [][]byte
	if p.oneIn(5) { // no wait may stand beside a subscribe
		all = append(all, p.subscribe(), p.submit(), p.submit())
	} else {
		for range 1 + p.random.IntN(8) {
			all = append(all, p.single())
		}
	}
	return slices.Concat([]byte("["), bytes.Join(all, []byte(",")), []byte("]"))
}

func (p *player) cancelRequest() []byte {
	id := "0"
	if len(p.waits) > 0 {
		id = p.waits[len(p.waits)-1-min(p.random.IntN(len(p.waits)), p.random.IntN(5))]
	}
	return []byte(fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":{"id":%s}}`, schema.MethodCancelRequest, id))
}

// readAgain subscribes to all past events, and lists all tasks.
func (p *player) readAgain() error {
	replays := p.connection.replays
	after := uint64(0)
	err := p.ask(schema.MethodSubscribe, schema.SubscribeParams{After: &after, Events: []string{schema.EventStarted, schema.EventFinished}})
	if err == nil {
		err = p.connection.until(func() bool { return p.connection.replays > replays })
	}
	page := schema.ListParams{Order: schema.OldestFirst, Limit: 1000}
	for first := true; err == nil && (first || page.Cursor != ""); first = false {
		err = p.ask(schema.MethodList, page)
		page = p.connection.page
	}
	return err
}
