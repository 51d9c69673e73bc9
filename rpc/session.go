package rpc

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

// session is the state of one connection: the tasks that it follows, the requests
// that wait for tasks, and the batches that are not answered yet.
//
// Requests are handled on one goroutine, the reader, in order. Events are sent on
// another, the pump. Where their order matters both hold mu: a submit holds it
// until its reply is written, so that no event of the task comes before the reply.
type session struct {
	executor *executor.Executor
	watcher  executor.Watcher
	options  Options
	log      *slog.Logger
	out      transport
	logError func(error)

	// What follows, up to mu, is of the reader.

	submitting submitDecoder
	scanner    jsonscan.Scanner // of the elements of batches
	member     wire.Message     // the element that is being read

	initialized bool
	owner       map[string]string // the label of the client's name, or nil
	leaving     bool              // the client has ended the connection: it submits no more

	// Submits that are not recorded yet; the slices have the same length.
	gathered   []executor.Submission
	gatherMost int // submits, or cancels, that are recorded together
	answering  []answering
	now        schema.Time // when the first of them was read
	created    []newTask   // tasks that are recorded, whose submits are not answered yet
	cancels    gatheredCancels
	dryRuns    []dryRun // submits of a batch that are only to be answered

	mu               sync.Mutex
	own              ownTasks
	cursors          map[uuid.UUID]*cursors           // of tasks whose submit asked for output; nil before the first piece
	subscribedOutput map[uuid.UUID]*cursors           // of other tasks whose output a subscription asks for
	follows          map[uuid.UUID]executor.EventMask // existing tasks that this client has submitted again
	held             map[uuid.UUID]*hold              // of tasks whose batch is not answered yet
	waits            waits
	budget           budget
	barriers         []func() // what to do at each barrier that the pump has not reached, in order
	sent             int      // about how many bytes were sent since the transport last had room

	subscriptions   map[executor.SubscriptionID]*subscription
	endedOutputs    int        // subscriptions to output that have ended since dropUnwantedOutput was last scheduled
	replays         []*replay  // past events that are still to be sent, in the order of through
	deliveryPaused  bool       // the pump must send nothing: a batch that subscribes or waits is being read
	deliveryResumed *sync.Cond // over mu; deliveryPaused has become false
	clientGone      bool       // nothing is sent any more, so no task may wait for that

	retrying int            // retry requests beside the reader; mu protects it
	retries  sync.WaitGroup // those

	tasks            sync.WaitGroup // goroutines of shutdown and retry requests
	pendingShutdowns atomic.Int32   // shutdown requests that are not answered
	exiting          bool           // the client has sent exit
	endsExecutor     atomic.Bool    // this connection has asked for the end of the executor
	toldShutdown     bool           // the client was told that the executor ends; mu protects it
	disconnected     func()         // counts the connection no more

	storeClosed bool // no event comes any more, and the pump has ended
}

// hold has the events of the tasks of a batch until the batch is answered.
type hold struct {
	hasLateReply bool // the batch has a request of lateMethods
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
		subscriptions: map[executor.SubscriptionID]*subscription{}, disconnected: ex.Connected(),
	}
	if s.gatherMost = gatherMost; ex.Durable() {
		s.gatherMost = gatherDurable
	}
	s.deliveryResumed = sync.NewCond(&s.mu)
	return s, nil
}

// close frees what the session has begun, and waits for its goroutines. It cancels
// the tasks that are to end with the connection. The context of the session has ended.
func (s *session) close() {
	s.mu.Lock()
	for w := range s.waits.pending {
		s.waits.drop(s, w)
	}
	s.mu.Unlock()
	s.tasks.Wait()
	s.cancelDisconnected()
	s.disconnected()
}
