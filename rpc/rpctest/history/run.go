package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Setup says what Run does.
type Setup struct {
	Seed       uint64
	Operations int // requests of all clients together
	Clients    int
	// Leaving makes clients end their connections in all ways, and come again on new
	// ones. The server must serve a shared executor.
	Leaving bool
	// Dial makes a connection to the server. The server must offer Types and no
	// other type, have the groups that Groups says, keep every task, and go on after the end of a connection. It must
	// close the connection after CloseWrite, where conn has that method, or Close.
	Dial func() (io.ReadWriteCloser, error)
	// Limit, Durable and Virtual are as in History.
	Limit            int
	Durable, Virtual bool
}

// stalledOperations bounds the requests of a client that does not read: the server
// reads no further request while too many replies are unread.
const stalledOperations = 400

// Run makes clients send random requests to a server until all their tasks have ended,
// and answers all messages. Of several clients one reads slowly, and one does not
// read at all until the others are done. Where ctx ends first, the error says which
// client was not answered, and the history has the messages until then.
func Run(ctx context.Context, setup Setup) (*History, error) {
	log := &recorder{history: History{Seed: setup.Seed, Limit: setup.Limit, Durable: setup.Durable, Virtual: setup.Virtual}}
	pool := new(pool)
	l := &lobby{dial: setup.Dial, log: log}
	defer l.close()
	var players []*player
	for n := range setup.Clients {
		random := rand.New(rand.NewPCG(setup.Seed, uint64(n)))
		p := newPlayer(n, random, pool)
		p.pace(setup.Clients)
		p.leaves = setup.Leaving && n >= firstLeaving
		if err := p.join(l); err != nil {
			return nil, err
		}
		players = append(players, p)
	}
	over := context.AfterFunc(ctx, func() { l.giveUp(context.Cause(ctx)) })
	defer over()
	err := play(players, setup.Operations/setup.Clients)
	if err == nil {
		err = settle(players)
	}
	for _, p := range players {
		p.connection.leave(err)
	}
	l.reading.Wait()
	return &log.history, err
}

// lobby has the connections of all clients.
type lobby struct {
	dial    func() (io.ReadWriteCloser, error)
	log     *recorder
	reading sync.WaitGroup

	mu     sync.Mutex
	all    []*connection
	gaveUp error
}

// connect makes a connection for a client, which is read from until it ends. The
// number is that of the connection in the history.
func (l *lobby) connect(prepare func(*connection)) (*connection, error) {
	conn, err := l.dial()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	c := newConnection(len(l.all), conn, l.log)
	l.all = append(l.all, c)
	gaveUp := l.gaveUp
	l.mu.Unlock()
	prepare(c)
	l.reading.Go(c.read)
	if gaveUp != nil {
		c.end(gaveUp)
	}
	return c, gaveUp
}

// giveUp ends all connections.
func (l *lobby) giveUp(why error) {
	l.mu.Lock()
	l.gaveUp = why
	all := l.all
	l.mu.Unlock()
	for _, c := range all {
		c.end(fmt.Errorf("client %d is not answered: %w", c.number, why))
	}
}

func (l *lobby) close() {
	for _, c := range l.all {
		_ = c.conn.Close()
	}
}

// play makes all clients send their requests, and waits for all replies.
func play(players []*player, operations int) error {
	var stalled, reading sync.WaitGroup
	errs := make([]error, len(players))
	for i, p := range players {
		group, n := &reading, operations
		if p.stalls {
			group, n = &stalled, min(operations, stalledOperations)
		}
		group.Go(func() { errs[i] = p.play(n) })
	}
	reading.Wait() // these end while the others do not read
	stalled.Wait()
	for i, p := range players {
		p.connection.release()
		errs[i] = errors.Join(errs[i], p.connection.quiesce())
	}
	return errors.Join(errs...)
}

// settle waits for the end of every task, and makes the first client ask for all past
// events and tasks. A last wait of every client then shows that it has been sent all
// its events.
func settle(players []*player) error {
	first := players[0]
	ids := first.pool.accepted()
	for rest := ids; len(rest) > 0; {
		n := min(len(rest), 1000)
		if err := first.ask(schema.MethodWait, schema.WaitParams{IDs: rest[:n]}); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := first.readAgain(); err != nil || len(ids) == 0 {
		return err
	}
	for _, p := range players {
		if err := p.ask(schema.MethodWait, schema.WaitParams{IDs: ids[:1]}); err != nil {
			return err
		}
	}
	return nil
}

// pool has the tasks of all clients, for requests that name a task of any client.
type pool struct {
	mu      sync.Mutex
	submits []schema.SubmitParams // submits with an id
	known   map[uuid.UUID]bool    // tasks whose submit was answered
	order   []uuid.UUID
}

func (p *pool) submitted(s schema.SubmitParams) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.submits = append(p.submits, s)
}

// randomSubmit is a submit of any client, most likely a recent one.
func (p *pool) randomSubmit(r *rand.Rand) (schema.SubmitParams, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.submits) == 0 {
		return schema.SubmitParams{}, false
	}
	back := r.IntN(len(p.submits))
	if r.IntN(4) > 0 {
		back = min(back, r.IntN(30))
	}
	return p.submits[len(p.submits)-1-back], true
}

func (p *pool) answered(id uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[uuid.UUID]bool{}
	}
	if !p.known[id] {
		p.known[id] = true
		p.order = append(p.order, id)
	}
}

// randomAccepted is a task whose submit was answered, most likely a recent one.
func (p *pool) randomAccepted(r *rand.Rand) (uuid.UUID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.order) == 0 {
		return uuid.Nil, false
	}
	return p.order[len(p.order)-1-min(r.IntN(len(p.order)), r.IntN(30))], true
}

func (p *pool) accepted() []uuid.UUID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order
}
