// Package storetest is the contract of executor.Store as a suite of tests,
// for every store to pass, and a decorator that makes a store fail on demand.
package storetest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Limits are those a store is to be opened with. A zero is the store's own
// default, which must be far above what a test needs: thousands of tasks and
// a megabyte of output. A negative Keep keeps no finished task.
type Limits struct {
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	KeepIDs   int
	MaxQueued int
	MaxOutput int
}

// Options says how to make the store under test.
type Options struct {
	// Open makes an empty store. The suite closes it. Without RealTime it is called in a
	// synctest bubble, so all that the store does must be owned by that bubble.
	Open func(t *testing.T, l Limits) executor.Store
	// Reopen closes a store and opens it again with the same limits. It is nil for a
	// store that keeps nothing after Close, and so are the functions below.
	Reopen func(t *testing.T, s executor.Store) executor.Store
	// Relimit is Reopen with other limits.
	Relimit func(t *testing.T, s executor.Store, l Limits) executor.Store
	// Crash ends a store as the death of its process does, and opens what is on
	// the disk, with the same limits. The new store must have all that the old one
	// acknowledged. Calls that were in flight fail or never return. In a bubble,
	// nothing of the old store may be left.
	Crash func(t *testing.T, s executor.Store) executor.Store
	// RealTime runs the suite without bubbles, for a store that talks to another process. An
	// hour is a second then, in the limits given to Open, too. The tests of what is kept at a
	// precise age are left out. No test fails because the machine is slow. Tests of one part run beside each
	// other, each with a store of its own.
	RealTime bool
	// Parallel lets the parts run beside each other, too. It is for RealTime.
	Parallel bool
	// Parts are the names of the parts of the suite to run; nil is all.
	Parts []string
}

// contract is one promise of a store, by name.
type contract struct {
	name   string
	limits Limits
	test   func(f *fixture)
	// exact says that the test needs a clock that stands still while it looks: a bubble's.
	exact bool
}

// Run tests all that the interface promises.
func Run(t *testing.T, o Options) {
	for _, part := range []struct {
		name      string
		contracts []contract
	}{
		{"submit", submitContracts},
		{"claim", claimContracts},
		{"claim after an end", claimEndContracts},
		{"join", joinContracts},
		{"type limits", limitContracts},
		{"cancel", cancelContracts},
		{"lease", leaseContracts},
		{"finish", finishContracts},
		{"conditions", conditionContracts},
		{"dedupe", dedupeContracts},
		{"trees", slices.Concat(treeContracts, busyTreeContracts)},
		{"schedules", scheduleContracts},
		{"retry", retryContracts},
		{"update", updateContracts},
		{"dry run", dryRunContracts},
		{"texts", textContracts},
		{"close", closeContracts},
		{"events", eventContracts},
		{"follow", followContracts},
		{"subscribe", subscribeContracts},
		{"replay", replayContracts},
		{"slow watcher", slowContracts},
		{"unread watcher", unreadContracts},
		{"output", outputContracts},
		{"list", listContracts},
		{"retention", retentionContracts},
	} {
		o.run(t, part.name, func(t *testing.T) {
			for _, c := range part.contracts {
				t.Run(c.name, func(t *testing.T) { c.run(t, o) })
			}
		})
	}
	o.run(t, "reopen", func(t *testing.T) { runRestarts(t, o, o.Reopen, false) })
	o.run(t, "crash", func(t *testing.T) { runRestarts(t, o, o.Crash, true) })
	o.run(t, "other limits", func(t *testing.T) { runRelimits(t, o) })
	o.run(t, "model", func(t *testing.T) { runModel(t, o) })
	o.run(t, "model of conditions", func(t *testing.T) { runPlanModel(t, o) })
}

// run runs a part of the suite.
func (o Options) run(t *testing.T, name string, part func(*testing.T)) {
	if o.Parts != nil && !slices.Contains(o.Parts, name) {
		return
	}
	t.Run(name, func(t *testing.T) {
		if o.Parallel {
			t.Parallel()
		}
		part(t)
	})
}

func (c contract) run(t *testing.T, o Options) {
	if o.RealTime && c.exact {
		t.Skip("it needs a clock that stands still while it looks")
	}
	test := func(t *testing.T) {
		f := &fixture{T: t, clock: clock{o.RealTime}}
		c.limits.KeepFor = f.of(c.limits.KeepFor)
		f.store = o.Open(t, c.limits)
		defer func() { require.NoError(f, f.store.Close()) }()
		c.test(f)
	}
	if o.RealTime {
		t.Parallel() // most of its time is spent asleep
		test(t)
	} else {
		synctest.Test(t, test)
	}
}

// fixture is a store in a test, with the requests that cannot fail.
type fixture struct {
	*testing.T
	clock
	store executor.Store
	marks map[executor.Watcher]int // barriers that were not read yet
	// again and crashes are of a test of restarts.
	again    func(t *testing.T, s executor.Store) executor.Store
	crashes  bool
	claimers claimers
}

// claimers are the claimers of a store, one for each set of limits.
type claimers struct {
	mu     sync.Mutex
	store  executor.Store
	joined map[bool]executor.Claimer // by whether there are limits
}

// claim claims a task of any type.
func (c *claimers) claim(ctx context.Context, s executor.Store, limits executor.TypeLimits) (executor.Lease, error) {
	claimer, err := c.of(ctx, s, limits)
	if err != nil {
		return nil, err
	}
	return claimer.Claim(ctx, executor.Ended{})
}

func (c *claimers) of(ctx context.Context, s executor.Store, limits executor.TypeLimits) (executor.Claimer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.store != s {
		c.store, c.joined = s, map[bool]executor.Claimer{}
	}
	if known := c.joined[limits != nil]; known != nil {
		return known, nil
	}
	joined, err := s.Join(ctx, executor.Offer{Limits: limits})
	if err == nil {
		c.joined[limits != nil] = joined
	}
	return joined, err
}

// task makes a record as Executor.Prepare does.
func task(set ...func(*executor.Submission)) executor.Submission {
	r := executor.Submission{Record: executor.Record{Grace: time.Second}, Events: executor.DefaultEvents}
	r.ID, r.Type, r.CreatedAt, r.Input = uuid.New(), "plain", schema.Now(), jsontext.Value(`{}`)
	for _, f := range set {
		f(&r)
	}
	return r
}

func ofType(name string) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Type = name }
}

func withPriority(n int8) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Priority = n }
}

func withInput(json string) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Input = jsontext.Value(json) }
}

func withLabels(labels map[string]string) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Labels = labels }
}

// numbered makes n records.
func numbered(n int, set ...func(*executor.Submission)) []executor.Submission {
	batch := make([]executor.Submission, n)
	for i := range batch {
		batch[i] = task(set...)
	}
	return batch
}

func withRerun(yes bool) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Rerun = yes }
}

func ownedBy(w executor.Watcher, mask executor.EventMask) func(*executor.Submission) {
	return func(r *executor.Submission) { r.Owner, r.Events = w.ID(), mask }
}

func (f *fixture) submit(records ...executor.Submission) []executor.Submitted {
	f.Helper()
	answers, err := f.store.Submit(f.Context(), records)
	require.NoError(f, err)
	require.Len(f, answers, len(records))
	return answers
}

// accept submits what must be new, and answers its ids.
func (f *fixture) accept(records ...executor.Submission) []uuid.UUID {
	f.Helper()
	ids := make([]uuid.UUID, len(records))
	for i, a := range f.submit(records...) {
		require.NoError(f, a.Err)
		require.False(f, a.Existing)
		ids[i] = records[i].ID
	}
	return ids
}

// one submits one task with default settings.
func (f *fixture) one(set ...func(*executor.Submission)) uuid.UUID {
	f.Helper()
	return f.accept(task(set...))[0]
}

// claim takes the next task, which must be there.
func (f *fixture) claim() executor.Lease {
	f.Helper()
	return f.claimWithin(nil)
}

// claimWithin claims a task, and waits until that is seen.
func (f *fixture) claimWithin(limits executor.TypeLimits) executor.Lease {
	f.Helper()
	ctx, end := context.WithTimeout(f.Context(), patience)
	defer end()
	lease, err := f.claimers.claim(ctx, f.store, limits)
	require.NoError(f, err)
	f.until("the start is seen", func() bool {
		r, err := f.store.Get(f.Context(), lease.Record().ID)
		return err != nil || r.State != schema.Queued
	})
	return lease
}

var completed = executor.Outcome{State: schema.Completed, Result: []byte(`{}`)}

// finish ends what a lease is for, and waits until that is recorded.
func (f *fixture) finish(l executor.Lease, o executor.Outcome) {
	f.Helper()
	require.NoError(f, finished(l, o))
	l.Release()
}

// finished is what Finish says at last.
func finished(l executor.Lease, o executor.Outcome) error {
	said := make(chan error, 1)
	l.Finish(o, func(err error) { said <- err })
	return <-said
}

// ran submits a task and runs it to its end.
func (f *fixture) ran(set ...func(*executor.Submission)) uuid.UUID {
	f.Helper()
	id := f.one(set...)
	l := f.claim()
	require.Equal(f, id, l.Record().ID)
	require.NoError(f, l.Started(0))
	f.finish(l, completed)
	return id
}

func (f *fixture) get(id uuid.UUID) executor.Record {
	f.Helper()
	r, err := f.store.Get(f.Context(), id)
	require.NoError(f, err)
	require.Equal(f, id, r.ID)
	return r
}

// asEvent is the task as in the event of its end: without its input, which may be
// large and is in no event.
func asEvent(r executor.Record) schema.Task {
	r.Input = nil
	return r.Task
}

func (f *fixture) counts() executor.Counts {
	f.Helper()
	c, err := f.store.Counts(f.Context())
	require.NoError(f, err)
	return c
}

func (f *fixture) cancel(id uuid.UUID, c executor.Cancellation) executor.CancelAnswer {
	f.Helper()
	answers, err := f.store.Cancel(f.Context(), []uuid.UUID{id}, c)
	require.NoError(f, err)
	require.Len(f, answers, 1)
	return answers[0]
}

func (f *fixture) watch() executor.Watcher {
	f.Helper()
	w, err := f.store.Watch(f.Context())
	require.NoError(f, err)
	f.Cleanup(w.Close)
	return w
}

func (f *fixture) watchAll() executor.Watcher {
	f.Helper()
	w := f.watch()
	f.subscribe(w, executor.Selector{Events: executor.AllEvents})
	return w
}

// drain is all that the watcher has, and whether its order is right.
func (f *fixture) drain(w executor.Watcher) []executor.Event {
	f.Helper()
	events := f.unread(f, f.store, w, f.marks[w])
	delete(f.marks, w)
	require.True(f, slices.IsSortedFunc(events, func(a, b executor.Event) int { return cmp.Compare(a.Seq, b.Seq) }), "seq rises")
	return events
}

// kinds are the kinds of the events, for comparison.
func kinds(events []executor.Event) []executor.EventKind {
	var ks []executor.EventKind
	for _, ev := range events {
		ks = append(ks, ev.Kind)
	}
	return ks
}

func maskOf(ks ...executor.EventKind) executor.EventMask {
	var m executor.EventMask
	for _, k := range ks {
		m = m.With(k)
	}
	return m
}
