package rpc

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

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

// close lets go of what the session has begun. Its context has ended.
func (s *session) close() {
	s.mu.Lock()
	for w := range s.waits.pending {
		s.waits.drop(s, w)
	}
	s.mu.Unlock()
	s.tasks.Wait()
}
