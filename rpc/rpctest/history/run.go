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

// Setup is what Run does.
type Setup struct {
	Seed       uint64
	Operations int // requests, over all clients
	Clients    int
	// Dial makes a connection to the server, which offers Types and nothing
	// else, keeps every task, and does not end with a connection. Its other
	// end is closed when CloseWrite, where there is one, or Close was called.
	Dial func() (io.ReadWriteCloser, error)
	// Limit, Durable and Virtual are as in History.
	Limit            int
	Durable, Virtual bool
}

// stalledOperations bounds the requests of a client that does not read: the
// server keeps the replies for it, and reads on only while they are few.
const stalledOperations = 400

// Run lets clients send random requests to a server until all their tasks have
// ended, and answers with all that was sent and received. Of several clients
// one reads slowly, and one does not read at all until the others are done.
// Where ctx ends first the error says who was not answered, and the history
// goes as far as that.
func Run(ctx context.Context, setup Setup) (*History, error) {
	log := &recorder{history: History{Seed: setup.Seed, Limit: setup.Limit, Durable: setup.Durable, Virtual: setup.Virtual}}
	pool := new(pool)
	var players []*player
	var reading sync.WaitGroup
	for n := range setup.Clients {
		conn, err := setup.Dial()
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		random := rand.New(rand.NewPCG(setup.Seed, uint64(n)))
		p := newPlayer(n, random, newConnection(n, conn, log), pool)
		p.pace(setup.Clients)
		players = append(players, p)
		reading.Go(p.connection.read)
	}
	over := context.AfterFunc(ctx, func() {
		for _, p := range players {
			p.connection.end(fmt.Errorf("client %d is not answered: %w", p.number, context.Cause(ctx)))
		}
	})
	defer over()
	err := play(players, setup.Operations/setup.Clients)
	if err == nil {
		err = settle(players)
	}
	for _, p := range players {
		p.connection.leave(err)
	}
	reading.Wait()
	return &log.history, err
}

// play lets all clients send their requests, and read all replies.
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
	reading.Wait() // these are done while the others do not read
	stalled.Wait()
	for i, p := range players {
		p.connection.release()
		errs[i] = errors.Join(errs[i], p.connection.quiesce())
	}
	return errors.Join(errs...)
}

// settle waits for the end of every task, and lets the first client read again
// what became of them all. Then every client has been sent all that there is
// for it, up to the reply of one more wait.
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

// pool is the tasks of all clients.
type pool struct {
	mu      sync.Mutex
	submits []schema.SubmitParams // that have an id
	known   map[uuid.UUID]bool    // answered
	order   []uuid.UUID
}

func (p *pool) submitted(s schema.SubmitParams) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.submits = append(p.submits, s)
}

// some is a submit of any client, most likely one of the last.
func (p *pool) some(r *rand.Rand) (schema.SubmitParams, bool) {
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

func (p *pool) accepted() []uuid.UUID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order
}
