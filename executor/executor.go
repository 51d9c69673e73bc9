package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Executor admits tasks into its Store and runs them. Make one with New and
// let it Run; every other method can be called before, during and after.
type Executor struct {
	store   Store
	log     *slog.Logger
	options Options
	types   map[string]*Type // by name and by alias
	offered []string         // the names, sorted
	limits  TypeLimits
	began   time.Time
	ids     ids
	asked   atomic.Pointer[Type] // of the latest submit: the next is often of the same

	workers []worker
	stuck   atomic.Int64
	// finishesPending counts the ends that the store has yet to record, and
	// finishesLost those that it could not record: their tasks stay Running there.
	finishesPending, finishesLost atomic.Int64
	claimer                       Claimer                                          // set by Run; nil where nothing runs here
	regrouping                    sync.Mutex                                       // held while the settings of a group are read and changed
	defaultsRead                  time.Time                                        // in a shared store; regrouping protects it
	defaults                      atomic.Pointer[map[string]*schema.GroupDefaults] // by the names of groups; none is nil
	// requeued counts tasks that were interrupted and stay Running in the store, so
	// that its next process runs them again.
	requeued atomic.Int64
	// stuckRequeued counts, of the stuck tasks, those that are requeued.
	stuckRequeued atomic.Int64
	graceMax      atomic.Int64 // ns; -1 is none
	rates         rates
	stop          shutdown
	readers       outputReaders
	shared        bool // other processes use the store, too
	vault         vault
	unrun         unrun
	schedules     schedules
	connections   atomic.Int64 // that are served
	contacts      sync.Map     // by the id of the task: of running tasks that clients can reach
	stopped       atomic.Int64 // how many of them a signal has stopped
}

// New makes an executor over a store. It owns neither: close the store when
// Run has returned.
func New(store Store, o Options) (*Executor, error) {
	if store == nil {
		return nil, errors.New("the store is nil: give one, as of memory.New or sqlite.Open")
	}
	info := store.Info()
	if err := o.complete(info); err != nil {
		return nil, err
	}
	e := &Executor{
		store: store, log: o.Logger, options: o, types: map[string]*Type{},
		limits: TypeLimits{}, began: time.Now(), workers: make([]worker, o.Limit),
	}
	e.graceMax.Store(-1)
	e.rates.began = e.began
	e.stop.init()
	e.schedules.mu, e.schedules.changed = make(fairLock, 1), make(chan struct{}, 1)
	e.shared = info.Shared
	e.readers.init(int64(info.Limits.OutputBytes))
	if err := e.offer(o.Types); err != nil {
		return nil, err
	}
	e.defaults.Store(&map[string]*schema.GroupDefaults{})
	if err := e.readDefaults(); err != nil && !info.Unread {
		return nil, err
	}
	return e, nil
}

func (e *Executor) offer(types []Type) error {
	for i := range types {
		t := &types[i]
		if t.run == nil {
			return fmt.Errorf("Options.Types[%d] was not made with Define: make it with that", i)
		}
		for _, name := range append([]string{t.name}, t.aliases...) {
			if other, taken := e.types[name]; taken {
				return fmt.Errorf("the task types %q and %q both have the name %q", other.name, t.name, name)
			}
			e.types[name] = t
		}
		if t.limit > 0 {
			e.limits[t.name] = t.limit
		}
	}
	return e.allow()
}

func (e *Executor) allow() error {
	allowed := map[string]bool{}
	for _, name := range e.options.Allow {
		t, ok := e.types[name]
		if !ok {
			return &UnknownTypeError{Name: name, Suggestions: schema.Suggest(name, slices.Collect(maps.Keys(e.types)))}
		}
		allowed[t.name] = true
	}
	for name, t := range e.types {
		if name == t.name && (len(allowed) == 0 || allowed[name]) {
			e.offered = append(e.offered, name)
		}
	}
	slices.Sort(e.offered)
	return nil
}

// MaxQueued is how many tasks may wait to run.
func (e *Executor) MaxQueued() int { return e.store.Info().Limits.QueuedTasks }

// Types describes what is offered, sorted by name.
func (e *Executor) Types() []schema.TypeInfo {
	infos := make([]schema.TypeInfo, len(e.offered))
	for i, name := range e.offered {
		infos[i] = e.types[name].Info()
	}
	return infos
}

// runnable are the names under which the store may have tasks of the offered
// types: what is an alias now may have been the name of the type.
func (e *Executor) runnable() []string {
	names := []string{}
	for name, t := range e.types {
		if _, offered := slices.BinarySearch(e.offered, t.name); offered {
			names = append(names, name)
		}
	}
	return names
}

// Offers reports whether a name or alias can be submitted.
func (e *Executor) Offers(name string) bool {
	_, err := e.lookup(name)
	return err == nil
}

// lookup finds an offered type by its name or an alias.
func (e *Executor) lookup(name string) (*Type, error) {
	t, ok := e.types[name]
	if !ok {
		return nil, &UnknownTypeError{Name: name, Suggestions: schema.Suggest(name, e.offered)}
	}
	if len(e.options.Allow) > 0 {
		if _, ok := slices.BinarySearch(e.offered, t.name); !ok {
			return nil, &NotPermittedError{t.name}
		}
	}
	return t, nil
}

// Submit records prepared tasks, in order, and answers each in its place. Where the store is an
// Outbox it may keep them for later. The error is of all: nothing was recorded.
func (e *Executor) Submit(ctx context.Context, submissions []Submission) ([]Submitted, error) {
	submit := e.store.Submit
	if o, keeps := e.store.(Outbox); keeps {
		submit = o.Post
	}
	return e.submitBy(ctx, submissions, submit)
}

// submitBy is Submit by a method of the store.
func (e *Executor) submitBy(ctx context.Context, submissions []Submission, submit submitter) ([]Submitted, error) {
	if !e.stop.admit() {
		return nil, ErrShuttingDown
	}
	defer e.stop.admitted()
	if hasSecrets(submissions) {
		submit = e.withSecrets(submit)
	}
	answers, err := submit(ctx, submissions)
	if err == nil {
		e.rates.submitted(accepted(answers))
	}
	return answers, err
}

// submitter is Store.Submit, or is used like it.
type submitter func(context.Context, []Submission) ([]Submitted, error)

// accepted counts the answers that made a new task.
func accepted(answers []Submitted) int {
	n := 0
	for i := range answers {
		if answers[i].Err == nil && !answers[i].Existing {
			n++
		}
	}
	return n
}

// Task is the task with the id, with its input. What it waits for is what its conditions
// say; Status says more.
func (e *Executor) Task(ctx context.Context, id uuid.UUID) (schema.Task, error) {
	r, err := e.store.Get(ctx, id)
	e.showStopped(&r.Task)
	return r.Task, err
}

// List is a page of the tasks that match.
func (e *Executor) List(ctx context.Context, f Filter, p PageRequest) (Page, error) {
	f.Types = slices.Clone(f.Types)
	for i, name := range f.Types {
		if t, ok := e.types[name]; ok {
			f.Types[i] = t.name
		}
	}
	page, err := e.store.List(ctx, f, p)
	for i := range page.Tasks {
		e.showStopped(&page.Tasks[i])
	}
	return page, err
}

// Cancel asks for a task to stop. It never waits for the task.
func (e *Executor) Cancel(ctx context.Context, id uuid.UUID, c Cancellation) (schema.CancelOutcome, schema.Task, error) {
	answers, err := e.CancelAll(ctx, []uuid.UUID{id}, c)
	if err != nil {
		return "", schema.Task{}, err
	}
	return answers[0].Outcome, answers[0].Task, answers[0].Err
}

// CancelAll asks for tasks to stop, and answers each in its place. Where the tasks are
// large, it may answer only the first ids, at least one, and has not touched the others.
func (e *Executor) CancelAll(ctx context.Context, ids []uuid.UUID, c Cancellation) ([]CancelAnswer, error) {
	e.stop.enter()
	defer e.stop.leave()
	c.Reason = clean(c.Reason)
	return e.cancelTasks(ctx, ids, c)
}

// cancelTasks cancels tasks, and counts those that have ended by it.
func (e *Executor) cancelTasks(ctx context.Context, ids []uuid.UUID, c Cancellation) ([]CancelAnswer, error) {
	answers, err := e.store.Cancel(ctx, ids, c)
	for i := range answers {
		if answers[i].Outcome == schema.OutcomeCancelled {
			e.vault.end(ids[i])
			e.rates.ended(schema.Cancelled)
		}
	}
	return answers, err
}

// Connected counts a connection, for Stats, until the function that it answers is
// called.
func (e *Executor) Connected() (disconnected func()) {
	e.connections.Add(1)
	return func() { e.connections.Add(-1) }
}

// Output reads what a task has written.
func (e *Executor) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, r OutputRange) (OutputPiece, error) {
	return e.store.Output(ctx, id, stream, r)
}

// Watch follows the events of tasks.
func (e *Executor) Watch(ctx context.Context) (Watcher, error) { return e.store.Watch(ctx) }

// Replay answers what became of tasks since an event, as Store.Replay.
func (e *Executor) Replay(ctx context.Context, after, through uint64, limit int) ([]Event, error) {
	return e.store.Replay(ctx, after, through, limit)
}

// Durable reports whether tasks outlive the process.
func (e *Executor) Durable() bool { return e.store.Info().Durable }

// Containment is how the processes of tasks are kept together, as
// schema.StatsResult.Containment, or "" where no type starts any. The first call
// can take milliseconds, because it makes what the first command would make.
func (e *Executor) Containment() string {
	for _, t := range e.types {
		if t.containment != nil {
			return t.containment()
		}
	}
	return ""
}

// checkResult says what is wrong with a result, or nil.
func (e *Executor) checkResult(t *Type, result jsontext.Value) error {
	if len(result) > e.options.MaxResult {
		return &Failure{schema.TaskError{Kind: schema.KindInvalidResult, Message: (&TooLargeError{
			What: "the bytes of the result", Size: int64(len(result)), Limit: int64(e.options.MaxResult),
		}).Error()}}
	}
	if v := t.checkResult(result); v != nil {
		return &Failure{schema.TaskError{
			Kind: schema.KindInvalidResult, Message: (&InputError{What: "the result", Violations: v}).Error(),
		}}
	}
	return nil
}

// graceOf is the task's grace, or less while the executor is in a hurry.
func (e *Executor) graceOf(r *Record) time.Duration {
	if most := e.graceMax.Load(); most >= 0 {
		return min(r.Grace, time.Duration(most))
	}
	return r.Grace
}
