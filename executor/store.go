package executor

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// Store has the queue and the records of all tasks. Nothing else keeps tasks.
// Package storetest is its contract as a suite of tests.
//
// All methods may be called at once from many goroutines. A change becomes visible,
// and its event is published, only when it is as durable as the store can make it.
// After an error that wraps ErrStoreUnavailable nothing has changed. There are two
// exceptions: if the error also wraps the cause of the context, the context ended
// before the disk had answered, and the change may still come; and so it may where the
// error wraps ErrOutcomeUnknown.
type Store interface {
	// Submit records tasks as queued, in the order given, and answers each in
	// its place. It is idempotent on the id. The store copies the submissions, so
	// the slice is the caller's again when it returns; nobody changes what they
	// point to.
	Submit(ctx context.Context, submissions []Submission) ([]Submitted, error)
	// SubmitAll is Submit, but where the answer to one of the submissions is an error it records
	// none of them. None has a Dedupe.
	SubmitAll(ctx context.Context, submissions []Submission) ([]Submitted, error)
	// DryRun answers what Submit would, and records nothing. Of a new task, Task is the task as it
	// would be: queued, or failed where its conditions would end it at once. Of the tasks of the
	// other submissions it knows their ids, their parents and their dedupe keys.
	DryRun(ctx context.Context, submissions []Submission) ([]Submitted, error)
	// Get answers ErrNotFound for an id that is not, or no longer, known.
	Get(ctx context.Context, id uuid.UUID) (Record, error)
	// List pages through the tasks by creation, without their inputs. While tasks come and go, a
	// record that stays is seen exactly once.
	List(ctx context.Context, filter Filter, page PageRequest) (Page, error)
	// OpenBelow goes on with a walk, and answers the next task that has not ended, or the nil
	// UUID where the walk is over. It answers the same task again until that has ended. It holds
	// up nobody else for long.
	OpenBelow(ctx context.Context, w *TreeWalk) (uuid.UUID, error)
	// Cancel ends queued tasks as Cancelled, and revokes the leases of running ones.
	// It revokes when the request is recorded, when it turns out that it cannot be,
	// or after a short time if the disk does not answer. It answers each id in its
	// place. Where it has to read large tasks for that, it may answer only the first
	// ids, at least one, and has not touched the others. What it does to a task it does to
	// all that are below it, too, before it returns: to its children, their children, and so
	// on, also where the task itself has ended. It holds up nobody else for long meanwhile.
	Cancel(ctx context.Context, ids []uuid.UUID, c Cancellation) ([]CancelAnswer, error)
	// Update changes a queued task, and answers it as it is then, with its input and what its
	// conditions let it wait for. Its place among tasks of the same priority is that of its
	// submit. The error is ErrNotFound, a *NotQueuedError, one of Update.Apply, or ErrDamaged where
	// the record cannot be read: then nothing has changed.
	Update(ctx context.Context, id uuid.UUID, u *Update) (schema.Task, error)
	// Join makes a claimer for an executor. Tasks that it does not take stay queued, for another
	// claimer or for a later process. What the offer points to does not change.
	Join(ctx context.Context, o Offer) (Claimer, error)
	// Output reads what a task has written.
	Output(ctx context.Context, id uuid.UUID, stream schema.Stream, r OutputRange) (OutputPiece, error)
	// Watch begins to follow events.
	Watch(ctx context.Context) (Watcher, error)
	// Replay answers events of the past: the EventStarted of each running task and
	// the EventFinished of each kept task that has ended. It answers those with
	// after < Seq <= through, in the order of Seq, and at most limit of them. The next
	// page is after the last one's Seq. Progress and output are not replayed. The
	// error is an *EventsGoneError if an end after that number is no longer kept.
	Replay(ctx context.Context, after, through uint64, limit int) ([]Event, error)
	// SetGroup changes the settings of a group. Tasks that run go on. The zero value of
	// the settings is no group.
	SetGroup(ctx context.Context, name string, settings plan.Settings) error
	// Groups answers all groups that have settings, or tasks that run or are ready, and all
	// resources.
	Groups(ctx context.Context) (plan.Overview, error)
	// Pause lets no task begin until it is called with false. Tasks that run go on.
	Pause(ctx context.Context, paused bool) error
	// SetSchedules records schedules under their names, in place of those that had them: all of
	// them, or none. A nil text removes one. The store does not look into the texts, and copies
	// them.
	SetSchedules(ctx context.Context, changed ...ScheduleText) error
	// Schedules answers all schedules, sorted by name. Their texts must not be changed.
	Schedules(ctx context.Context) ([]ScheduleText, error)
	// Counts is constant in the number of tasks.
	Counts(ctx context.Context) (Counts, error)
	// Info says which store this is.
	Info() StoreInfo
	// Close ends the store; every method then answers ErrClosed.
	Close() error
}

// ScheduleText is a schedule as a store keeps it.
type ScheduleText struct {
	Name string
	Text []byte
}

// Offer is which tasks an executor takes.
type Offer struct {
	// Types are those of its tasks; nil is every type.
	Types []string
	// Labels are what it has of the labels that tasks ask for (schema.Conditions.On). It takes
	// tasks that ask for others in no case, and tasks that ask for none in any.
	Labels map[string]string
	// Limits are of the leases that it holds at once.
	Limits TypeLimits
}

// TypeLimits is the most leases of a type that one claimer holds at once; a
// type that is not in it has no limit of its own.
type TypeLimits map[string]int

// Claimer hands out the queued tasks that it offers to run. Its
// methods may be called at once from many goroutines.
type Claimer interface {
	// Claim first does what ended.Finish does, whatever it answers: a worker gives the
	// end of a task and asks for the next in one call. Then it waits for a task that
	// may run, makes it Running and hands it to
	// one caller: the highest priority first, then the first submitted. It
	// holds back types of which the claimer has as many leases, not yet released,
	// as its limits allow. It returns the cause of ctx when that ends.
	//
	// A task that must not run twice is handed out when the store has recorded that it
	// may have begun. Its start may be recorded a moment later, and so may that of a task
	// with Rerun, which is handed out at any time. What is seen of a task, events
	// included, begins when its start is recorded.
	Claim(ctx context.Context, ended Ended) (Lease, error)
	// Unclaimable counts the queued tasks that cannot run here, however many others end:
	// those of other types than the claimer's, those that ask for labels that it has not, those that are paused, that need more of a
	// resource than there is, or wait for a time after until, and those that wait for such
	// tasks. An until of 0 is no bound. Where a task with conditions may run, it may count
	// fewer.
	Unclaimable(ctx context.Context, until schema.Time) (int64, error)
	// Leave ends the claimer, when no Claim of it is under way. Its leases go on.
	Leave()
}

// Ended is the end of an attempt whose code has really ended, for Claim. The zero
// value is none.
type Ended struct {
	Lease    Lease // which the claimer has given
	Outcome  Outcome
	Next     *NextAttempt // another attempt follows, and there is no Outcome
	Recorded func(error)  // as of Lease.Finish, or of Lease.Retry
}

// Finish makes the task final, or queues it again, and releases the lease. It does nothing for
// the zero value.
func (e Ended) Finish() {
	switch {
	case e.Lease == nil:
		return
	case e.Next != nil:
		e.Lease.Retry(e.Next, e.Recorded)
	default:
		e.Lease.Finish(e.Outcome, e.Recorded)
	}
	e.Lease.Release()
}

// StoreInfo describes a store.
type StoreInfo struct {
	Name    string
	Durable bool
	// Shared says that other processes take tasks of the store, too. Then a
	// shutdown ends what runs here, and leaves the rest to them.
	Shared bool
	// File is where a durable store is.
	File string
	// Fault is why nothing can be recorded at this moment; "" when all is well.
	Fault string
	// Warning is what is wrong with the store that stops nothing yet; "" when all is well.
	Warning string
	// Unread says that nothing is known of the store yet, and that Limits and Resources are none of it. Of its
	// fields it is the one that changes, besides Fault, Warning and Paused: once, together with those.
	Unread bool
	// Paused says that no task begins at this moment, because of Pause.
	Paused bool
	Limits StoreLimits
	// Resources is how much there is of each resource. It does not change while the store
	// is open, and must not be changed.
	Resources map[string]int64
}

// StoreLimits are the limits of a store. They do not change while it is open.
type StoreLimits struct {
	QueuedTasks int // tasks that wait to run
	OutputBytes int // bytes that are kept of each stream of a task

	// The limits of what is kept of finished tasks; 0 keeps none.

	KeepTasks int
	KeepFor   time.Duration
	KeepBytes int64 // of inputs, results and outputs
	KeepIDs   int   // ids of tasks that are no longer kept
}

// Lease is the right to run one attempt of one task. It is fenced: once the
// task is final, or the lease was lost, all that writes answers ErrLeaseLost
// and changes nothing.
type Lease interface {
	// Record is the task as it was claimed. It must not be changed. Once Finish is
	// called, its ID, Type, Attempt and what is not of the embedded Task may still be
	// read: of the rest the store may make the task of the end.
	Record() *Record
	// OnRevoke names the function that is told to stop the task: with a
	// *Cancellation, or ErrLeaseLost. It is called at once if that has
	// happened, and again when a cancel is repeated with Force. It must not block.
	OnRevoke(func(cause error))
	// Started publishes EventStarted. PID 0 is none.
	Started(pid int) error
	// Progress records and publishes the newest progress.
	Progress(p schema.Progress) error
	// Write appends to a stream and publishes EventOutput.
	Write(stream schema.Stream, p []byte) error
	// Finish makes the task final. It may return before that is recorded. The store
	// calls recorded once: with nil when the end is recorded, with ErrLeaseLost, or
	// with the error with which it gave up. A store that cannot write keeps the
	// outcome and tries again until it is closed. recorded may be called before
	// Finish returns. It must not block, and must not call the store.
	Finish(o Outcome, recorded func(error))
	// Retry ends the attempt and queues the task again, in one step: it may run from a.At on,
	// and is Queued until then. It is like Finish in all else, but where a cancel was asked for
	// the task ends as Cancelled, and recorded is called with ErrCancelRequested. Nobody
	// changes what a points to.
	Retry(a *NextAttempt, recorded func(error))
	// Release says that the task's code has really ended. It is called once,
	// after Finish or Retry, or without either.
	Release()
}

// Watcher is a queue of events. It gets the events of tasks that were submitted
// with its ID as Owner, as far as their masks ask for them; those that its
// subscriptions select; and those of tasks that it follows. It gets each event once.
//
// While its reader is slow, the queue drops events as their Delivery allows: of
// Coalesced progress and output the newest are kept, Lossless output is all kept,
// and for Droppable events an EventLag may come. Its size is so bounded by the
// number of tasks. Its methods may be called at once from many goroutines.
type Watcher interface {
	ID() WatcherID
	// Subscribe adds all events from now on that the selector selects. It
	// answers the sequence number of the latest event before those.
	Subscribe(ctx context.Context, s Selector) (SubscriptionID, uint64, error)
	// Unsubscribe reports whether there was such a subscription.
	Unsubscribe(id SubscriptionID) bool
	// Follow adds one task, for the kinds of the mask. Many calls add up. Where it
	// answers an error nothing was added.
	Follow(ctx context.Context, id uuid.UUID, mask EventMask) error
	// Unfollow takes one such call back.
	Unfollow(id uuid.UUID, mask EventMask)
	// KeepOutput makes the output of a task, which the watcher owns or follows,
	// Lossless. The caller has to bound how much of it waits. Calls with true add up;
	// a call with false takes one back.
	KeepOutput(id uuid.UUID, keep bool)
	// Size is about how many bytes of memory the events take that wait, and those that
	// the latest Next has answered. Only the number of tasks bounds it.
	Size() int64
	// Barrier puts an EventBarrier behind all events that there are now. After an
	// error none comes, and neither does any other event: Next answers an error, too.
	Barrier(ctx context.Context) error
	// Next waits for events, in the order of Seq. The slice is good until the next call.
	Next(ctx context.Context) ([]Event, error)
	Close()
}
