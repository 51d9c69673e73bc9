package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/schema"
)

// errDead is what a process gets that was killed.
var errDead = errors.New("the process is dead")

// life is that of a process, which may be killed at a step of its.
type life struct {
	mu   sync.Mutex
	left int // steps that it lives for; below 0 is for ever
	dead bool
}

func forever() *life { return &life{left: -1} }

// step reports whether the process still lives.
func (l *life) step() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left == -1 {
		l.dead = true
	}
	return !l.dead
}

func (l *life) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// disk is a file that outlives processes.
type disk struct {
	mu      sync.Mutex
	entries []outbox.Entry
	full    bool
	tried   int // how often it was written, or refused that
}

func (d *disk) read() []outbox.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

func (d *disk) tries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tried
}

// file is the file as a process has it.
type file struct {
	*disk
	life *life
}

func (f file) Path() string { return "/home/ada/outbox.db" }

func (f file) Close() error { return nil }

// Write implements outbox.File. A process may be killed before it or behind it.
func (f file) Write(c outbox.Change) error {
	if !f.life.step() {
		return errDead
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried++
	if f.full {
		return fmt.Errorf("%w: no space left on device", outbox.ErrNotWritten)
	}
	for _, e := range c.Add {
		if n := len(f.entries); n > 0 && f.entries[n-1].Number >= e.Number {
			return fmt.Errorf("the number %d is not above %d", e.Number, f.entries[n-1].Number)
		}
		f.entries = append(slices.DeleteFunc(f.entries, func(there outbox.Entry) bool { return there.Record.ID == e.Record.ID }), e)
	}
	for _, e := range c.Set {
		for i := range f.entries {
			if f.entries[i].Number == e.Number {
				f.entries[i].Tried, f.entries[i].Refused, f.entries[i].RefusedAt = e.Tried, e.Refused, e.RefusedAt
			}
		}
	}
	f.entries = slices.DeleteFunc(f.entries, func(e outbox.Entry) bool { return slices.Contains(c.Remove, e.Number) })
	if !f.life.step() {
		return errDead
	}
	return nil
}

// fate is what becomes of a submit whose answer is lost.
type fate int

const (
	answered fate = iota
	notDone       // it was not sent, and that is known
	lost          // it was sent, and is gone
	recorded      // it is recorded
	late          // it is recorded when the connection is back
)

// world is what all processes see: the queue, and whether it can be reached.
type world struct {
	store  *memory.Store
	closes bool // the store ends with the process

	mu     sync.Mutex
	down   bool
	fates  []fate // of the next submits
	before func() // is called once, when submits come
	fails  error  // what submits get
	order  []uuid.UUID
	late   [][]executor.Submission
}

func newWorld(o memory.Options) *world { return &world{store: memory.New(o)} }

// submit records tasks, and notes the new ones.
func (w *world) submit(all []executor.Submission) ([]executor.Submitted, error) {
	answers, err := w.store.Submit(context.Background(), all)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range answers {
		if answers[i].Err == nil && !answers[i].Existing {
			w.order = append(w.order, all[i].ID)
		}
	}
	return answers, err
}

// cut breaks the connection.
func (w *world) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
}

// mend brings the connection back, and what was under way arrives.
func (w *world) mend() {
	w.mu.Lock()
	coming := w.late
	w.down, w.late = false, nil
	w.mu.Unlock()
	for _, all := range coming {
		_, _ = w.submit(all)
	}
}

// next says what becomes of the next submits.
func (w *world) next(fates ...fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fates = append(w.fates, fates...)
}

// recordedIDs are the tasks of the queue, in its order.
func (w *world) recordedIDs() []uuid.UUID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.order)
}

// namespace is the queue as a process has it.
type namespace struct {
	*memory.Store
	world  *world
	life   *life
	failed chan error
	dismis chan struct{}
}

// open is outbox.Options.Open.
func (w *world) open(l *life) func(context.Context) (outbox.Namespace, error) {
	return func(context.Context) (outbox.Namespace, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.down || l.isDead() {
			return nil, errors.New("nobody answers")
		}
		return &namespace{Store: w.store, world: w, life: l, failed: make(chan error, 1), dismis: make(chan struct{})}, nil
	}
}

func (n *namespace) Reached() bool {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return !n.world.down && !n.life.isDead()
}

// Submit implements executor.Store.
func (n *namespace) Submit(ctx context.Context, all []executor.Submission) ([]executor.Submitted, error) {
	if !n.life.step() {
		return nil, executor.ErrClosed
	}
	all = slices.Clone(all)
	n.world.mu.Lock()
	before, fails := n.world.before, n.world.fails
	n.world.before = nil
	n.world.mu.Unlock()
	if before != nil {
		before()
	}
	if fails != nil {
		return nil, fails
	}
	n.world.mu.Lock()
	becomes := answered
	if n.world.down {
		becomes = notDone
	}
	if len(n.world.fates) > 0 {
		becomes, n.world.fates = n.world.fates[0], n.world.fates[1:]
		n.world.down = becomes != answered
	}
	if becomes == late {
		n.world.late = append(n.world.late, all)
	}
	n.world.mu.Unlock()
	var answers []executor.Submitted
	var err error
	if becomes == answered || becomes == recorded {
		answers, err = n.world.submit(all)
	}
	if !n.life.step() {
		return nil, executor.ErrClosed
	}
	if becomes == answered {
		return answers, err
	}
	<-ctx.Done()
	if becomes == notDone {
		return nil, fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, context.Cause(ctx))
	}
	return nil, fmt.Errorf("%w: %w: %w", executor.ErrStoreUnavailable, executor.ErrOutcomeUnknown, context.Cause(ctx))
}

func (n *namespace) Attach(feed *kit.Feed, first func(func(uuid.UUID) (executor.Record, error))) {
	first(func(id uuid.UUID) (executor.Record, error) { return n.Get(context.Background(), id) })
	n.PublishTo(feed)
}

func (n *namespace) Settle(context.Context) error { return nil }
func (n *namespace) Failed() <-chan error         { return n.failed }
func (n *namespace) Draining() bool               { return false }
func (n *namespace) Dismissed() <-chan struct{}   { return n.dismis }

// Close implements executor.Store.
func (n *namespace) Close() error {
	if n.world.closes {
		return n.Store.Close()
	}
	return nil
}

func (n *namespace) Executors(context.Context) ([]schema.ExecutorInfo, error) { return nil, nil }

func (n *namespace) Drain(context.Context, *schema.DrainParams) (schema.ExecutorInfo, error) {
	return schema.ExecutorInfo{}, executor.ErrUnknownExecutor
}

// started is a process with an outbox. It ends with stop.
type started struct {
	*outbox.Store
	disk *disk
	life *life
	over chan struct{}
}

func start(d *disk, w *world, l *life) *started { return startWith(d, w, l, nil) }

func startWith(d *disk, w *world, l *life, log *slog.Logger) *started {
	s := &started{outbox.New(file{d, l}, outbox.Options{Open: w.open(l), Entries: d.read(), Logger: log}), d, l, make(chan struct{})}
	go func() {
		defer close(s.over)
		s.Run(context.Background())
	}()
	return s
}

func (s *started) stop() {
	_ = s.Close() // the file of a process that was killed
	<-s.over
}

// task makes a submission.
func task(set ...func(*executor.Submission)) executor.Submission {
	s := executor.Submission{Record: executor.Record{Task: schema.Task{ID: uuid.New(), Type: "noop", CreatedAt: schema.Now(), Input: []byte("{}")}}}
	for _, f := range set {
		f(&s)
	}
	return s
}
