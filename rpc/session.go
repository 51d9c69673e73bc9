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
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/internal/jsonscan"
	"github.com/jobline/jobline/rpc/wire"
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
	out      transport
	logError func(error)

	submitting submitDecoder
	scanner    jsonscan.Scanner // for the elements of batches,
	member     wire.Message     // and the one that is being read

	maxQueued int64 // the store's limit, once it was met

	now       schema.Time           // when the first of those that are gathered was read
	gathered  []executor.Submission // submits that are not recorded yet,
	answering []responder           // who is to hear of them,
	lossless  []*losslessOutput     // and the output of those that asked for all of it
	created   []newTask             // of those that are recorded, and not answered yet

	mu               sync.Mutex
	cursors          map[uuid.UUID]*cursors           // of tasks whose submit asked for output; nil before the first
	subscribedOutput map[uuid.UUID]*cursors           // of other tasks, whose output a subscription asks for
	follows          map[uuid.UUID]executor.EventMask // tasks of others, or of before, that this client asked for again
	held             map[uuid.UUID]*hold
	waits            waits
	budget           budget
	barriers         []func() // what to do when the pump has come this far
	sent             int      // bytes of events and answers, about, since it was last seen that there is room

	subscriptions   map[executor.SubscriptionID]*subscription
	endedOutputs    int        // subscriptions to output that have ended since the mark that is to forget it
	replays         []*replay  // what of the past is still to be sent, in the order of through
	deliveryPaused  bool       // a batch is being read that subscribes or waits: no event may be sent, and nothing answered late
	deliveryResumed *sync.Cond // over mu
	clientGone      bool       // nothing is sent any more, so no task may wait for that

	tasks            sync.WaitGroup // goroutines of shutdown requests
	pendingShutdowns atomic.Int32   // shutdown requests that are not answered
	exiting          bool           // the client has sent exit

	storeClosed bool // the store is closed, and nothing pumps
}

// hold keeps the events of tasks back that were submitted in a batch, until
// the batch is answered.
type hold struct {
	hasLateReply bool // a request of the batch may be answered late
	ids          []uuid.UUID
	events       kit.Held
}

func newSession(ctx context.Context, ex *executor.Executor, out transport, o Options) (*session, error) {
	watcher, err := ex.Watch(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{
		executor: ex, watcher: watcher, options: o, log: o.Logger, out: out,
		logError: func(err error) { o.Logger.Error("a request failed", "error", err) },
		cursors:  map[uuid.UUID]*cursors{}, subscribedOutput: map[uuid.UUID]*cursors{},
		follows: map[uuid.UUID]executor.EventMask{}, held: map[uuid.UUID]*hold{}, waits: newWaits(),
		subscriptions: map[executor.SubscriptionID]*subscription{},
	}
	s.deliveryResumed = sync.NewCond(&s.mu)
	return s, nil
}

// gatherMost is how many consecutive submits are recorded together.
const gatherMost = 256

// handle takes one request to its method.
func (s *session) handle(ctx context.Context, name string, p *wire.Params, to responder) {
	call, ok := methods[name]
	if !ok {
		s.flushSubmits(ctx)
		to.fail(s.unknownMethod(name))
		return
	}
	if name != schema.MethodSubmit {
		s.flushSubmits(ctx)
	}
	if len(p.Raw) > 0 && p.Raw[0] == '[' {
		if !p.StandForNone() {
			to.fail(wire.NewError(schema.CodeInvalidParams, "params are by name: an object, not an array"))
			return
		}
		p.Reset()
	}
	defer func() {
		if reason := recover(); reason != nil {
			s.log.Error("a request panicked", "method", name, "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
			to.fail(wire.NewError(schema.CodeInternal, "internal error in %s; the server's log says more", name))
		}
	}()
	call(s, ctx, p, to)
}

// submit gathers a submit; flushSubmits records it with its neighbours.
func (s *session) submit(ctx context.Context, p *wire.Params, to responder) {
	params, err := s.submitting.decode(p)
	if err != nil {
		to.fail(err)
		return
	}
	if len(s.gathered) == 0 {
		s.now = schema.Now()
	}
	record, err := s.executor.PrepareAt(params, s.now)
	if err != nil {
		to.fail(err)
		return
	}
	if params.Output == schema.OutputLossless && to.batch != nil && to.batch.hold.hasLateReply {
		to.fail(wire.NewError(schema.CodeInvalidRequest,
			"a batch with a lossless submit has no wait, shutdown or exit: the task would have to wait for their replies; send it alone"))
		return
	}
	record.Owner = s.watcher.ID()
	s.gathered = append(s.gathered, record)
	s.answering = append(s.answering, to)
	s.lossless = append(s.lossless, s.beginLossless(&record, params.Output))
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
	if s.clientGone {
		for _, l := range s.lossless {
			l.leave()
		}
	}
	answers, err := s.executor.Submit(ctx, s.gathered)
	for i := range s.gathered {
		var answer executor.Submitted
		if answer.Err = err; err == nil {
			answer = answers[i]
		}
		s.answerSubmit(ctx, i, answer)
	}
	s.tellNew()
	clear(s.gathered)
	clear(s.answering)
	clear(s.lossless)
	s.gathered, s.answering, s.lossless = s.gathered[:0], s.answering[:0], s.lossless[:0]
}

// answerSubmit answers the gathered submit with the index, or notes that it is to
// be told of its new task. It needs mu.
func (s *session) answerSubmit(ctx context.Context, i int, answer executor.Submitted) {
	to, record := &s.answering[i], &s.gathered[i]
	switch {
	case answer.Err != nil:
		s.lossless[i].leave()
		s.tellNew()
		to.fail(s.refusal(ctx, answer.Err, record))
	case answer.Existing:
		s.tellNew()
		task, err := s.submitExisting(ctx, record, answer.Task, s.lossless[i])
		if err != nil {
			to.fail(err)
			return
		}
		to.result(func(b []byte) []byte { return appendSubmitted(b, task, true) })
	default:
		if record.Events.Has(executor.EventOutput) {
			s.cursors[record.ID] = s.lossless[i].cursors(record)
		}
		switch {
		case to.batch != nil: // nobody has heard of this task before: its events wait for the batch's reply
			s.held[record.ID] = to.batch.hold
			to.batch.hold.ids = append(to.batch.hold.ids, record.ID)
			to.result(func(b []byte) []byte { return appendSubmitted(b, &record.Task, false) })
		case to.id != nil:
			s.created = append(s.created, newTask{to.id, &record.Task})
		}
	}
}

// tellNew answers the submits that have made new tasks. It needs mu.
func (s *session) tellNew() {
	if len(s.created) > 0 {
		s.out.submitted(s.created)
		clear(s.created)
		s.created = s.created[:0]
	}
}

// refusal says which id is taken, or where the limit of the queue is.
func (s *session) refusal(ctx context.Context, err error, r *executor.Submission) error {
	switch {
	case errors.Is(err, executor.ErrIDConflict), errors.Is(err, executor.ErrTaskGone):
		return fmt.Errorf("%w: %s", err, r.ID)
	case errors.Is(err, executor.ErrQueueFull):
		e := wireError(err)
		e.Data.Limit = s.queueLimit(ctx)
		return e
	}
	return err
}

// queueLimit asks once: a full queue is full many times.
func (s *session) queueLimit(ctx context.Context) int64 {
	if s.maxQueued == 0 {
		stats, err := s.executor.Stats(ctx)
		if err != nil {
			return 0 // which is not shown
		}
		s.maxQueued = stats.Limits["queuedTasks"]
	}
	return s.maxQueued
}

// close lets go of what the session has begun. Its context has ended.
func (s *session) close() {
	s.mu.Lock()
	for w := range s.waits.pending {
		s.waits.drop(s, w)
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// end is a shutdown that a request asks for. One that is one too many has its
// mode all the same, and is not answered with what became of the tasks.
func (s *session) end(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder) {
	cost, err := s.admitShutdown(to)
	if err != nil {
		to.fail(err) // before the mode lets an earlier one be answered, which may be the last message
		s.executor.Begin(mode)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	s.shutdown(ctx, mode, timeout, to, cost)
}

// shutdown closes the admission at once, and answers when all is over: its
// reply is the last message of the connection.
func (s *session) shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder, cost int64) {
	s.pendingShutdowns.Add(1) // first: the mode may let an earlier shutdown be answered, and that must not be the last
	s.executor.Begin(mode)
	s.tasks.Go(func() {
		result, err := s.executor.Shutdown(ctx, mode, timeout)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.afterEvents(func() {
			s.waits.failAll(s, executor.ErrShuttingDown)
			s.budget.release(cost)
			if err != nil {
				to.fail(err)
			} else {
				to.value(result)
			}
			if s.pendingShutdowns.Add(-1) == 0 {
				s.out.last()
			}
		})
	})
}

// executorEnded ends a connection whose executor has ended at the wish of
// another: behind all events its waits are told, and then nothing comes any more.
func (s *session) executorEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterEvents(s.endWithoutEvents)
}

// endWithoutEvents is when no event comes any more. It needs mu.
func (s *session) endWithoutEvents() {
	s.waits.failAll(s, executor.ErrShuttingDown)
	if s.pendingShutdowns.Load() == 0 { // or the last reply to a shutdown of its own is the last message
		s.out.last()
	}
}

func (s *session) unknownMethod(name string) *wire.Error {
	e := wire.NewError(schema.CodeMethodNotFound, "no method is named %q", schema.Cut(name))
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
