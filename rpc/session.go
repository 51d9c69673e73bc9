package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// session is what the server knows of one connection: the tasks it follows,
// the requests that wait for tasks, and the batches that are not answered yet.
//
// Requests come in on one goroutine, in order. Events come in on another
// (pump). Where both must agree on an order they hold mu: a submit until its
// reply is out, so that no event of the task overtakes it.
type session struct {
	executor *executor.Executor
	watcher  executor.Watcher
	options  Options
	log      *slog.Logger
	out      sink
	logError func(error)

	submitting schema.SubmitParams // of the submit that is being read

	gathered  []executor.Record // submits that are not recorded yet,
	answering []responder       // and who is to hear of them

	mu      sync.Mutex
	cursors map[uuid.UUID]*cursors           // of tasks with output to send
	follows map[uuid.UUID]executor.EventMask // tasks of others, or of before, that this client asked for again
	held    map[uuid.UUID]*hold
	waits   waits
	marks   []func() // what to do when the pump has come this far
	sent    int      // bytes of events, about, since it was last seen that there is room

	tasks   sync.WaitGroup // goroutines of shutdown requests
	endings atomic.Int32   // shutdown requests that are not answered
}

// hold keeps the events of tasks back that were submitted in a batch, until
// the batch is answered.
type hold struct {
	ids    []uuid.UUID
	events []executor.Event
}

func newSession(ctx context.Context, ex *executor.Executor, out sink, o Options) (*session, error) {
	watcher, err := ex.Watch(ctx)
	if err != nil {
		return nil, err
	}
	return &session{
		executor: ex, watcher: watcher, options: o, log: o.Logger, out: out,
		logError: func(err error) { o.Logger.Error("a request failed", "error", err) },
		cursors:  map[uuid.UUID]*cursors{}, follows: map[uuid.UUID]executor.EventMask{},
		held: map[uuid.UUID]*hold{}, waits: newWaits(),
	}, nil
}

// gatherMost is how many consecutive submits are recorded together.
const gatherMost = 256

// handle takes one request to its method.
func (s *session) handle(ctx context.Context, rq *request, to responder) {
	call, ok := methods[rq.method]
	if !ok {
		s.flushSubmits(ctx)
		to.fail(s.unknownMethod(rq.method))
		return
	}
	if rq.method != schema.MethodSubmit {
		s.flushSubmits(ctx)
	}
	if len(rq.params) > 0 && rq.params[0] != '{' {
		to.fail(newError(schema.CodeInvalidParams, "params are by name: an object, not an array"))
		return
	}
	defer func() {
		if reason := recover(); reason != nil {
			s.log.Error("a request panicked", "method", rq.method, "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
			to.fail(newError(schema.CodeInternal, "internal error in %s; the server's log says more", rq.method))
		}
	}()
	call(s, ctx, rq.params, to)
}

// submit gathers a submit; flushSubmits records it with its neighbours.
func (s *session) submit(ctx context.Context, raw []byte, to responder) {
	params, err := decodeSubmit(raw, &s.submitting)
	if err != nil {
		to.fail(err)
		return
	}
	record, err := s.executor.Prepare(params)
	if err != nil {
		to.fail(err)
		return
	}
	record.Owner = s.watcher.ID()
	s.gathered = append(s.gathered, record)
	s.answering = append(s.answering, to)
	if len(s.gathered) == gatherMost {
		s.flushSubmits(ctx)
	}
}

// flushSubmits records the gathered submits and answers them, before any
// event of theirs is sent.
func (s *session) flushSubmits(ctx context.Context) {
	if len(s.gathered) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answers, err := s.executor.Submit(ctx, s.gathered)
	for i := range s.gathered {
		to, record := s.answering[i], &s.gathered[i]
		switch {
		case err != nil:
			to.fail(err)
		case answers[i].Err != nil:
			to.fail(s.conflict(answers[i].Err, record))
		case answers[i].Existing:
			s.followAgain(record, answers[i].Task)
			to.result(func(b []byte) []byte { return appendSubmitted(b, answers[i].Task, true) })
		default:
			if to.batch != nil { // nobody has heard of this task before: its events wait for the batch's reply
				s.held[record.ID] = to.batch.hold
				to.batch.hold.ids = append(to.batch.hold.ids, record.ID)
			}
			to.submitted(&record.Task)
		}
	}
	clear(s.gathered)
	clear(s.answering)
	s.gathered, s.answering = s.gathered[:0], s.answering[:0]
}

// conflict names the id that is taken.
func (s *session) conflict(err error, r *executor.Record) error {
	if errors.Is(err, executor.ErrIDConflict) {
		return fmt.Errorf("%w: %s", err, r.ID)
	}
	return err
}

// followAgain lets a client hear of a task that it, or one before it, has
// submitted already. It needs mu.
func (s *session) followAgain(r *executor.Record, known *schema.Task) {
	if known.State.Final() {
		return
	}
	before := s.follows[r.ID]
	s.follows[r.ID] = before | r.Events
	if add := r.Events &^ before; add != 0 {
		s.watcher.Follow(r.ID, add)
	}
}

// pump sends events until the watcher or the context ends.
func (s *session) pump(ctx context.Context) error {
	for {
		err := s.out.room(ctx)
		if err == nil {
			err = context.Cause(ctx) // a task can make events faster than they are taken
		}
		if err != nil {
			return err
		}
		events, err := s.watcher.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.sendAll(ctx, events); err != nil {
			return err
		}
	}
}

// burst is about how many bytes of events are sent before it is looked again
// whether there is room for more.
const burst = 256 << 10

func (s *session) sendAll(ctx context.Context, events []executor.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		s.event(ctx, &events[i])
		if s.sent < burst {
			continue
		}
		s.sent = 0
		s.mu.Unlock()
		err := s.out.room(ctx)
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// event is one event of the watcher; it needs mu.
func (s *session) event(ctx context.Context, ev *executor.Event) {
	if ev.Kind == executor.EventMark {
		next := s.marks[0]
		s.marks = s.marks[1:]
		next()
		return
	}
	ev.Wanted = ev.Wanted || s.follows[ev.ID].Has(ev.Kind)
	if h := s.held[ev.ID]; h != nil {
		h.events = executor.AppendEvent(h.events, ev)
	} else {
		s.send(ctx, ev)
	}
	if ev.Kind == executor.EventFinished {
		if mask, ok := s.follows[ev.ID]; ok {
			delete(s.follows, ev.ID)
			s.watcher.Unfollow(ev.ID, mask)
		}
		s.waits.finished(s, ev.Task)
	}
}

// eventBytes is about how long an event is on the wire, but for a result and output.
const eventBytes = 400

// send sends an event that the client has asked for. The end of a task is
// also the end of its output, where only that was asked for. It needs mu.
func (s *session) send(ctx context.Context, ev *executor.Event) {
	if ev.Kind == executor.EventFinished {
		s.sendRest(ctx, ev)
	}
	switch {
	case !ev.Wanted:
		return
	case ev.Kind == executor.EventOutput:
		s.sendOutput(ctx, ev)
		return
	case ev.Kind == executor.EventFinished:
		s.sent += len(ev.Task.Result)
	}
	s.sent += eventBytes
	s.out.event(ev)
}

// release sends what a batch has held back; it needs mu.
func (s *session) release(ctx context.Context, h *hold) {
	for _, id := range h.ids {
		delete(s.held, id)
	}
	for i := range h.events {
		s.send(ctx, &h.events[i])
	}
	h.ids, h.events = nil, nil
}

// afterEvents calls f, with mu held, when all events that have happened until
// now are sent. It needs mu.
func (s *session) afterEvents(f func()) {
	s.marks = append(s.marks, f)
	s.watcher.Mark()
}

// end lets go of what the session has begun. Its context has ended.
func (s *session) end() {
	s.mu.Lock()
	for w := range s.waits.pending {
		s.waits.drop(s, w)
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// shutdown closes the admission at once, and answers when all is over: its
// reply is the last message of the connection.
func (s *session) shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder) {
	to.id = bytes.Clone(to.id)
	s.endings.Add(1) // first: the mode may let an earlier shutdown be answered, and that must not be the last
	s.executor.Begin(mode)
	s.tasks.Go(func() {
		result, err := s.executor.Shutdown(ctx, mode, timeout)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.afterEvents(func() {
			s.waits.failAll(s, executor.ErrShuttingDown)
			if err != nil {
				to.fail(err)
			} else {
				to.value(result)
			}
			if s.endings.Add(-1) == 0 {
				s.out.last()
			}
		})
	})
}

func (s *session) unknownMethod(name string) *Error {
	e := newError(schema.CodeMethodNotFound, "no method is named %q", cutName([]byte(name)))
	if s.executor.Offers(name) {
		e.Message += "; it is a task type: submit it"
		return e
	}
	if e.Data.Suggestions = schema.Suggest(name, schema.MethodNames); len(e.Data.Suggestions) > 0 {
		e.Message += fmt.Sprintf("; did you mean %q?", e.Data.Suggestions[0])
	} else {
		e.Message += "; rpc.discover lists them"
	}
	return e
}
