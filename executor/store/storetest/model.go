package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// runModel compares the store with a model that is simple enough to be
// obviously right: a map, and a slice in the order of submission.
func runModel(t *testing.T, o Options) {
	rapid.Check(t, func(rt *rapid.T) {
		if o.RealTime {
			checkModel(t, rt, o)
		} else {
			rapid.SyncTest(rt, func(rt *rapid.T) { checkModel(t, rt, o) })
		}
	})
}

func checkModel(t *testing.T, rt *rapid.T, o Options) {
	m := newModel(t, rt, o)
	defer m.close()
	actions := rapid.StateMachineActions(m)
	if o.Reopen == nil {
		delete(actions, "Reopen")
	}
	if o.Crash == nil {
		delete(actions, "Crash")
	}
	rt.Repeat(actions)
	m.settle(rt)
}

const (
	modelQueue = 6
	modelIDs   = 24
)

// modelTask is what the model knows of a task.
type modelTask struct {
	executor.Submission
	lease    executor.Lease // of this process
	released bool
	asked    bool // a cancel was asked for
	written  [len(schema.StreamNames)]string
	// lost is how much of the end of each stream a crash has taken.
	lost    [len(schema.StreamNames)]int
	revoked []executor.Cancellation
	retries int    // attempts that another one followed
	seq     uint64 // of its latest start or end
}

type model struct {
	clock
	t        *testing.T
	options  Options
	store    executor.Store
	ids      []uuid.UUID
	tasks    map[uuid.UUID]*modelTask
	order    []*modelTask
	claimers claimers
	views
}

func newModel(t *testing.T, rt *rapid.T, o Options) *model {
	m := &model{clock: clock{o.RealTime}, t: t, options: o, store: o.Open(t, Limits{MaxQueued: modelQueue}), tasks: map[uuid.UUID]*modelTask{}}
	for n := range modelIDs {
		m.ids = append(m.ids, uuid.UUID{15: byte(n + 1)})
	}
	m.watch(rt)
	return m
}

// close leaves nothing in the bubble, also when a check has failed.
func (m *model) close() {
	m.all.Close()
	m.some.Close()
	_ = m.store.Close()
}

// Check compares the counts and the events after each step.
func (m *model) Check(rt *rapid.T) {
	var want schema.TaskCounts
	for _, t := range m.order {
		*[]*int64{&want.Queued, &want.Running, &want.Completed, &want.Failed, &want.Cancelled}[t.State]++
	}
	m.checkEvents(rt)
	got, err := m.store.Counts(context.Background())
	require.NoError(rt, err)
	require.Equal(rt, executor.Counts{TaskCounts: want}, got)
}

// Submit sends a batch in which ids, types and inputs come again.
func (m *model) Submit(rt *rapid.T) {
	batch := rapid.SliceOfN(rapid.Custom(m.drawRecord), 1, 4).Draw(rt, "batch")
	answers, err := m.store.Submit(context.Background(), batch)
	require.NoError(rt, err)
	for i, a := range answers {
		known := m.tasks[batch[i].ID]
		switch {
		case known == nil && len(m.queued()) >= modelQueue:
			require.ErrorIs(rt, a.Err, executor.ErrQueueFull)
		case known == nil:
			require.NoError(rt, a.Err)
			require.False(rt, a.Existing)
			m.add(batch[i])
		case known.Type == batch[i].Type && (known.Input[1] == '}') == (batch[i].Input[1] == '}'):
			require.NoError(rt, a.Err)
			require.True(rt, a.Existing)
			require.Equal(rt, known.State, a.Task.State)
		default:
			require.ErrorIs(rt, a.Err, executor.ErrIDConflict)
		}
	}
}

func (m *model) add(r executor.Submission) {
	t := &modelTask{Submission: r}
	m.tasks[t.ID] = t
	m.order = append(m.order, t)
}

func (m *model) drawRecord(rt *rapid.T) executor.Submission {
	r := task(
		ofType(rapid.SampledFrom([]string{"plain", "plain", "narrow", "wide"}).Draw(rt, "type")),
		withPriority(rapid.SampledFrom([]int8{-100, -1, 0, 0, 1, 100}).Draw(rt, "priority")),
		withInput(rapid.SampledFrom([]string{`{}`, `{}`, `{}`, `{"n":1}`, `{ "n": 1.0 }`}).Draw(rt, "input")),
		withRerun(rapid.Bool().Draw(rt, "rerun")),
		withLabels(rapid.SampledFrom(modelLabels).Draw(rt, "labels")),
	)
	if r.Events = 0; rapid.Bool().Draw(rt, "owned") {
		ownedBy(m.some, drawMask(rt))(&r)
	}
	r.ID = m.drawID(rt)
	return r
}

var modelLabels = []map[string]string{nil, {"k": "1"}, {"k": "2", "l": "x"}}

func (m *model) drawID(rt *rapid.T) uuid.UUID { return rapid.SampledFrom(m.ids).Draw(rt, "id") }

// queued are the tasks that wait, the best first.
func (m *model) queued() []*modelTask {
	var waiting []*modelTask
	for _, t := range m.order {
		if t.State == schema.Queued {
			waiting = append(waiting, t)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *modelTask) int { return cmp.Compare(b.Priority, a.Priority) })
	return waiting
}

// next is the task that a claim must answer, or nil.
func (m *model) next() *modelTask {
	held := map[string]int{}
	for _, t := range m.order {
		if t.lease != nil && !t.released {
			held[t.Type]++
		}
	}
	for _, t := range m.queued() {
		if most, limited := limits[t.Type]; !limited || held[t.Type] < most {
			return t
		}
	}
	return nil
}

// Claim takes the best task.
func (m *model) Claim(rt *rapid.T) {
	want := m.next()
	if want == nil {
		rt.Skip("a claim would wait")
	}
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	lease, err := m.claimers.claim(ctx, m.store, limits)
	require.NoError(rt, err)
	require.Equal(rt, want.ID, lease.Record().ID)
	want.lease, want.released, want.State = lease, false, schema.Running
	want.Attempt++
	require.Equal(rt, want.Attempt, lease.Record().Attempt)
	lease.OnRevoke(func(cause error) {
		var c *executor.Cancellation
		require.ErrorAs(rt, cause, &c)
		want.revoked = append(want.revoked, *c)
	})
	require.NoError(rt, lease.Started(0))
	m.expect(want, executor.EventStarted)
}

// drawLease picks a task that has been claimed, final or not.
func (m *model) drawLease(rt *rapid.T) *modelTask {
	var claimed []*modelTask
	for _, t := range m.order {
		if t.lease != nil {
			claimed = append(claimed, t)
		}
	}
	if len(claimed) == 0 {
		rt.Skip("nothing was claimed yet")
	}
	return rapid.SampledFrom(claimed).Draw(rt, "lease")
}

// fenced checks the answer of a lease, and whether it was taken.
func (t *modelTask) fenced(rt *rapid.T, err error) bool {
	if t.State.Final() {
		require.ErrorIs(rt, err, executor.ErrLeaseLost)
		return false
	}
	require.NoError(rt, err)
	return true
}

// Progress reports through a lease.
func (m *model) Progress(rt *rapid.T) {
	t := m.drawLease(rt)
	p := schema.Progress{Value: rapid.Float64Range(0, 100).Draw(rt, "value")}
	if t.fenced(rt, t.lease.Progress(p)) {
		t.Task.Progress = &p
		m.expect(t, executor.EventProgress)
	}
}

// Write writes through a lease.
func (m *model) Write(rt *rapid.T) {
	t := m.drawLease(rt)
	s := schema.Stream(rapid.IntRange(0, len(t.written)-1).Draw(rt, "stream"))
	text := rapid.StringN(1, 20, 100).Draw(rt, "text")
	if t.fenced(rt, t.lease.Write(s, []byte(text))) {
		t.written[s] += text
		m.expect(t, executor.EventOutput)
	}
}

// Finish ends a task through its lease.
func (m *model) Finish(rt *rapid.T) {
	t := m.drawLease(rt)
	o := drawOutcome(rt)
	if t.fenced(rt, finished(t.lease, o)) {
		t.State, t.Result = o.State, o.Result
		m.expect(t, executor.EventFinished)
	}
}

// Retry ends an attempt, and another one may follow at once.
func (m *model) Retry(rt *rapid.T) {
	t := m.drawLease(rt)
	err := queuedAgain(t.lease, failedOnce(0))
	switch {
	case t.State == schema.Running && t.asked:
		require.ErrorIs(rt, err, executor.ErrCancelRequested)
		t.State = schema.Cancelled
		m.expect(t, executor.EventFinished)
	case t.fenced(rt, err):
		t.lease.Release()
		t.lease, t.revoked, t.Task.Progress, t.State = nil, nil, nil, schema.Queued
		t.retries++
		m.expect(t, executor.EventRetrying)
	}
}

func drawOutcome(rt *rapid.T) executor.Outcome {
	o := executor.Outcome{State: rapid.SampledFrom([]schema.State{schema.Completed, schema.Failed, schema.Cancelled}).Draw(rt, "state")}
	if o.State == schema.Completed {
		o.Result = []byte(`{"done":true}`)
	}
	return o
}

// Release ends the code of a task.
func (m *model) Release(rt *rapid.T) {
	t := m.drawLease(rt)
	if t.released || !t.State.Final() {
		rt.Skip("it runs, or has been released")
	}
	t.lease.Release()
	t.released = true
}

// Cancel cancels any task, known or not.
func (m *model) Cancel(rt *rapid.T) {
	id := m.drawID(rt)
	c := executor.Cancellation{Reason: rapid.SampledFrom([]string{"", "why"}).Draw(rt, "reason"), Force: rapid.Bool().Draw(rt, "force")}
	answers, err := m.store.Cancel(context.Background(), []uuid.UUID{id}, c)
	require.NoError(rt, err)
	t := m.tasks[id]
	if t == nil {
		require.ErrorIs(rt, answers[0].Err, executor.ErrNotFound)
		return
	}
	require.NoError(rt, answers[0].Err)
	if !t.State.Final() && !t.asked {
		t.asked, t.CancelReason = true, c.Reason
	}
	switch t.State {
	case schema.Queued:
		require.Equal(rt, schema.OutcomeCancelled, answers[0].Outcome)
		t.State = schema.Cancelled
		m.expect(t, executor.EventFinished)
	case schema.Running:
		require.Equal(rt, schema.OutcomeCancelling, answers[0].Outcome)
		require.NotEmpty(rt, t.revoked)
		require.True(rt, !c.Force || t.revoked[len(t.revoked)-1].Force, "a forced cancel is always told")
	default:
		require.Equal(rt, schema.OutcomeAlreadyFinished, answers[0].Outcome)
	}
	require.Equal(rt, t.State, answers[0].Task.State)
}
