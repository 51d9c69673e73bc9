package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// submitWindow is how many submits are under way at once.
	submitWindow = 4096
	// fullPause is how long a submit waits that was refused because a queue was full.
	fullPause = 50 * time.Millisecond
	// idsEvery is how often ids are printed while submits are under way.
	idsEvery = 100 * time.Millisecond
	// lastAnswers is how long the answers of submits that are under way are waited for
	// after a signal: what they have made is in the queue.
	lastAnswers = 2 * time.Second
)

// manySubmits submits the tasks of a source.
type manySubmits struct {
	options *submitOptions
	client  *client.Client
	board   *board
	waiting *waiter // nil if the command does not wait
	printed time.Time

	mu       sync.Mutex
	order    answerOrder
	ids      []byte              // that are not printed yet
	sent     int                 // as the SubmitAll counts
	underWay map[int]sourcedTask // by that number
	full     []sourcedTask       // to be submitted again when there is room
	changed  chan struct{}       // has room for one
	accepted int
	last     uuid.UUID // that was accepted
	refused  int
	unknown  int  // of which it is not known whether they were recorded
	waited   bool // it was told that the queue is full
	outboxed bool // it was told that tasks wait in the outbox
}

// many submits the tasks of a source, and waits for them where that is wanted.
func (o *submitOptions) many(ctx context.Context, c *client.Client, source taskSource) error {
	m := &manySubmits{
		options: o, client: c, board: newBoard(o.driver.program.Name), underWay: map[int]sourcedTask{}, changed: make(chan struct{}, 1),
	}
	if o.wait {
		m.waiting = newWaiter(ctx, c, m.board, o.printEnd)
		m.waiting.more = true
	}
	err := m.run(ctx, source)
	if m.accepted > 0 {
		o.driver.program.rememberLast(&o.target, m.last)
	}
	if m.waiting != nil {
		err = o.waited(ctx, m.waiting, err)
	}
	if m.unknown > 0 && err == nil {
		return fmt.Errorf("of %s it is not known of %d whether they were recorded; look with %s status before you submit them again", counted(m.accepted+m.refused+m.unknown, "line"), m.unknown, o.driver.program.Name)
	}
	if code, onlyCode := errors.AsType[exitCode](err); m.refused > 0 && (err == nil || onlyCode && code == exitSomeFailed) {
		return refusedf("of %s %d could not be submitted", counted(m.accepted+m.refused, "line"), m.refused)
	}
	return err
}

// run submits all, and shows how far it is.
func (m *manySubmits) run(ctx context.Context, source taskSource) error {
	following := make(chan error, 1)
	drawing, stop := context.WithCancel(ctx)
	defer stop()
	if m.waiting != nil {
		go func() { following <- m.waiting.follow(nil) }() // ends with the tasks, or the context
	} else {
		go func() { m.board.run(drawing); following <- nil }() // ends with the context
	}
	err := m.submit(ctx, source)
	m.mu.Lock()
	m.ids = append(m.ids, m.order.rest()...) // no more answers come
	m.mu.Unlock()
	if printErr := m.print(); err == nil {
		err = printErr
	}
	m.board.count(0)
	switch {
	case m.waiting == nil:
		stop()
	case err != nil:
		m.waiting.stop()
	default:
		m.waiting.all()
	}
	followed := <-following
	if err == nil {
		err = followed
	}
	return err
}

// submit submits all. When ctx ends it submits no more, and waits a while for the
// answers that are due.
func (m *manySubmits) submit(ctx context.Context, source taskSource) error {
	answering, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		sleep(answering, lastAnswers)
		stop(context.Cause(ctx))
	})()
	err := m.client.SubmitAll(answering, submitWindow, func(answering context.Context) iter.Seq[schema.SubmitParams] {
		return func(yield func(schema.SubmitParams) bool) {
			sending, stop := context.WithCancel(answering)
			defer stop()
			defer context.AfterFunc(ctx, stop)()
			m.sequence(sending, source)(yield)
		}
	}, m.answered)
	if ctx.Err() == nil {
		return err
	}
	m.mu.Lock()
	unknown := len(m.underWay)
	m.mu.Unlock()
	told := ""
	if unknown > 0 {
		told = "; of " + counted(unknown, "more task") + " it is not known"
	}
	m.board.say("interrupted: %s submitted%s", counted(m.accepted, "task"), told)
	return context.Cause(ctx)
}

// sequence yields the tasks to submit: those of the source, and those again for which
// there was no room.
func (m *manySubmits) sequence(ctx context.Context, source taskSource) iter.Seq[schema.SubmitParams] {
	return func(yield func(schema.SubmitParams) bool) {
		for t := range source(ctx) {
			if t.err != nil {
				m.refuse(&t, t.err)
				continue
			}
			if !m.again(ctx, yield) || !m.send(t, yield) {
				return
			}
		}
		for m.busy() {
			select {
			case <-m.changed:
			case <-ctx.Done():
				return
			}
			if !m.again(ctx, yield) {
				return
			}
		}
	}
}

// again sends the tasks for which there was no room before, after a moment in which
// others may have ended.
func (m *manySubmits) again(ctx context.Context, yield func(schema.SubmitParams) bool) bool {
	m.mu.Lock()
	full := m.full
	m.full = nil
	m.mu.Unlock()
	if len(full) == 0 {
		return true
	}
	if !sleep(ctx, fullPause) {
		return false
	}
	for _, t := range full {
		if !m.send(t, yield) {
			return false
		}
	}
	return true
}

// send hands a task over to be submitted.
func (m *manySubmits) send(t sourcedTask, yield func(schema.SubmitParams) bool) bool {
	if err := withOwnID(&t.params); err != nil {
		m.refuse(&t, err)
		return true
	}
	if m.waiting != nil {
		m.waiting.expect(&schema.Task{ID: t.params.ID, Type: t.params.Type, Input: t.params.Input})
	}
	m.mu.Lock()
	m.underWay[m.sent] = t
	m.sent++
	m.mu.Unlock()
	return yield(t.params)
}

// busy reports whether a submit may have to be sent again.
func (m *manySubmits) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.underWay) > 0 || len(m.full) > 0
}

// noteOutbox tells once that tasks wait in the outbox, where the result of a submit says so.
func (m *manySubmits) noteOutbox(result jsontext.Value) {
	if m.outboxed || !bytes.Contains(result, []byte(`"kind":"outbox"`)) {
		return
	}
	var t schema.Task
	if json.Unmarshal(result, &t) == nil && outboxOf(&t) != "" {
		m.outboxed = true
		m.board.say("the queue cannot be reached; tasks wait in the outbox %s, and are sent when it can", outboxOf(&t))
	}
}

// answered looks at the answer to a submit.
func (m *manySubmits) answered(a client.SubmitAnswer) error {
	m.mu.Lock()
	t := m.underWay[a.Index]
	delete(m.underWay, a.Index)
	m.mu.Unlock()
	defer m.signal()
	if a.Err != nil {
		return m.failed(&t, a.Err)
	}
	m.accepted++
	m.last = a.ID
	m.noteOutbox(a.Result)
	m.board.count(m.accepted)
	m.answer(&t, m.printedOf(&a))
	if a.Pending == 0 || time.Since(m.printed) > idsEvery {
		if err := m.print(); err != nil {
			return err
		}
	}
	if m.waiting != nil && bytes.Contains(a.Result, []byte(`"existing":true`)) {
		return m.known(t.params.ID, a.Result)
	}
	return nil
}

// printedOf is what is printed of an answer.
func (m *manySubmits) printedOf(a *client.SubmitAnswer) []byte {
	switch o := m.options; {
	case o.quiet || o.json && o.wait:
		return nil
	case o.json:
		return slices.Concat(show.EscapeJSON(a.Result), []byte("\n"))
	}
	return []byte(a.ID.String() + "\n")
}

// answer notes what is printed of a line.
func (m *manySubmits) answer(t *sourcedTask, text []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = append(m.ids, m.order.add(t.place, text)...)
}

// signal wakes the sequence, which may wait for the last answers.
func (m *manySubmits) signal() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// known looks at a task that was there already, by its id or by its dedupe key: it may have
// ended. Of a duplicate, the task that is there is waited for in place of the one asked for.
func (m *manySubmits) known(asked uuid.UUID, result jsontext.Value) error {
	var r schema.SubmitResult
	if err := json.Unmarshal(result, &r); err != nil {
		return err
	}
	if r.ID != asked {
		m.waiting.expect(&r.Task)
		m.waiting.forget(asked)
	}
	switch {
	case r.State.Final():
		return m.waiting.end(&r.Task)
	case r.ID != asked: // its end may have been told of before it was expected
		return m.waiting.look([]uuid.UUID{r.ID})
	}
	return nil
}

// failed looks at a submit that was refused. One for which there was no room is sent
// again later.
func (m *manySubmits) failed(t *sourcedTask, err error) error {
	e, answered := errors.AsType[*wire.Error](err)
	switch {
	case answered && e.Code == schema.CodeQueueFull:
		m.mu.Lock()
		m.full = append(m.full, *t)
		first := !m.waited
		m.waited = true
		m.mu.Unlock()
		if first {
			m.board.say("%s; the rest is submitted as there is room", e.Message)
		}
		return nil
	case answered && e.Code == schema.CodeShuttingDown || !answered:
		return err
	}
	if m.waiting != nil {
		m.waiting.forget(t.params.ID)
	}
	if e.Data.OutcomeUnknown {
		m.answer(t, nil)
		if m.unknown++; m.unknown <= mostFailures {
			m.board.say("line %d: it is not known whether it was recorded as %s: %s", t.line, t.params.ID, outcomeUnknown(err))
		}
		return nil
	}
	m.refuse(t, err)
	return nil
}

// refuse tells of a line that makes no task.
func (m *manySubmits) refuse(t *sourcedTask, err error) {
	m.answer(t, nil)
	m.mu.Lock()
	m.refused++
	m.mu.Unlock()
	if m.refused <= mostFailures {
		m.board.say("line %d: %v", t.line, m.options.driver.program.answerOf(err))
	}
}

// print prints the ids that have gathered, in the order of their lines.
func (m *manySubmits) print() error {
	m.printed = time.Now()
	m.mu.Lock()
	ids := m.ids
	m.ids = nil
	m.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return m.board.above(os.Stdout, ids)
}
