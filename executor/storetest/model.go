package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

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
		m := newModel(rt, o.Open(t, Limits{MaxQueued: modelQueue}))
		defer m.close()
		rt.Repeat(rapid.StateMachineActions(m))
		m.settle()
	})
}

const (
	modelQueue = 6
	modelIDs   = 24
	// modelPatience bounds the wait for events that ought to be there.
	modelPatience = 30 * time.Second
)

// modelTask is what the model knows of a task.
type modelTask struct {
	executor.Record
	lease    executor.Lease
	released bool
	written  [len(schema.StreamNames)]string
	revoked  []executor.Cancellation
}

type model struct {
	rt      *rapid.T
	store   executor.Store
	watcher executor.Watcher
	ids     []uuid.UUID
	tasks   map[uuid.UUID]*modelTask
	order   []*modelTask
}

func newModel(rt *rapid.T, s executor.Store) *model {
	m := &model{rt: rt, store: s, tasks: map[uuid.UUID]*modelTask{}}
	for n := range modelIDs {
		m.ids = append(m.ids, uuid.UUID{15: byte(n + 1)})
	}
	var err error
	m.watcher, err = s.Watch(context.Background())
	require.NoError(rt, err)
	m.watcher.Subscribe(executor.Selector{Events: executor.AllEvents})
	return m
}

func (m *model) close() {
	m.watcher.Close()
	require.NoError(m.rt, m.store.Close())
}

// Check compares the counts after each step.
func (m *model) Check(rt *rapid.T) {
	var want schema.TaskCounts
	for _, t := range m.order {
		*[]*int64{&want.Queued, &want.Running, &want.Completed, &want.Failed, &want.Cancelled}[t.State]++
	}
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
			t := &modelTask{Record: batch[i]}
			m.tasks[t.ID] = t
			m.order = append(m.order, t)
		case known.Type == batch[i].Type && (known.Input[1] == '}') == (batch[i].Input[1] == '}'):
			require.NoError(rt, a.Err)
			require.True(rt, a.Existing)
			require.Equal(rt, known.State, a.Task.State)
		default:
			require.ErrorIs(rt, a.Err, executor.ErrIDConflict)
		}
	}
}

func (m *model) drawRecord(rt *rapid.T) executor.Record {
	r := task(
		ofType(rapid.SampledFrom([]string{"plain", "plain", "narrow", "wide"}).Draw(rt, "type")),
		withPriority(rapid.SampledFrom([]int8{-100, -1, 0, 0, 1, 100}).Draw(rt, "priority")),
		withInput(rapid.SampledFrom([]string{`{}`, `{}`, `{}`, `{"n":1}`, `{ "n": 1.0 }`}).Draw(rt, "input")),
	)
	r.ID = m.drawID(rt)
	return r
}

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
	lease, err := m.store.Claim(context.Background(), limits)
	require.NoError(rt, err)
	require.Equal(rt, want.ID, lease.Record().ID)
	want.lease, want.State, want.Attempt = lease, schema.Running, 1
	lease.OnRevoke(func(cause error) {
		var c *executor.Cancellation
		require.ErrorAs(rt, cause, &c)
		want.revoked = append(want.revoked, *c)
	})
	require.NoError(rt, lease.Started(0))
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
	}
}

// Write writes through a lease.
func (m *model) Write(rt *rapid.T) {
	t := m.drawLease(rt)
	s := schema.Stream(rapid.IntRange(0, len(t.written)-1).Draw(rt, "stream"))
	text := rapid.StringN(1, 20, 100).Draw(rt, "text")
	if t.fenced(rt, t.lease.Write(s, []byte(text))) {
		t.written[s] += text
	}
}

// Finish ends a task through its lease.
func (m *model) Finish(rt *rapid.T) {
	t := m.drawLease(rt)
	o := executor.Outcome{State: rapid.SampledFrom([]schema.State{schema.Completed, schema.Failed, schema.Cancelled}).Draw(rt, "state")}
	if o.State == schema.Completed {
		o.Result = []byte(`{"done":true}`)
	}
	if t.fenced(rt, finished(t.lease, o)) {
		t.State, t.Result = o.State, o.Result
	}
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
	switch t.State {
	case schema.Queued:
		require.Equal(rt, schema.OutcomeCancelled, answers[0].Outcome)
		t.State = schema.Cancelled
	case schema.Running:
		require.Equal(rt, schema.OutcomeCancelling, answers[0].Outcome)
		require.NotEmpty(rt, t.revoked)
		require.True(rt, !c.Force || t.revoked[len(t.revoked)-1].Force, "a forced cancel is always told")
	default:
		require.Equal(rt, schema.OutcomeAlreadyFinished, answers[0].Outcome)
	}
	require.Equal(rt, t.State, answers[0].Task.State)
}

// Status reads one task in full.
func (m *model) Status(rt *rapid.T) {
	id := m.drawID(rt)
	got, err := m.store.Get(context.Background(), id)
	t := m.tasks[id]
	if t == nil {
		require.ErrorIs(rt, err, executor.ErrNotFound)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, t.State, got.State)
	require.Equal(rt, t.Type, got.Type)
	require.Equal(rt, t.Attempt, got.Attempt)
	require.Equal(rt, string(t.Result), string(got.Result))
	require.Equal(rt, t.Task.Progress, got.Task.Progress)
	for s, want := range t.written {
		p, err := m.store.Output(context.Background(), id, schema.Stream(s), tailAll)
		require.NoError(rt, err)
		require.Equal(rt, want, string(p.Data))
	}
}

// List reads all pages of a selection.
func (m *model) List(rt *rapid.T) {
	page := executor.PageRequest{Oldest: rapid.Bool().Draw(rt, "oldest"), Limit: rapid.IntRange(1, 9).Draw(rt, "limit")}
	var filter executor.Filter
	if rapid.Bool().Draw(rt, "select") {
		filter.States = []schema.State{schema.State(rapid.IntRange(0, 4).Draw(rt, "state"))}
	}
	var want, got []uuid.UUID
	for _, t := range m.order {
		if filter.Match(&t.Task) {
			want = append(want, t.ID)
		}
	}
	if !page.Oldest {
		slices.Reverse(want)
	}
	for first := true; first || page.Cursor != ""; first = false {
		found, err := m.store.List(context.Background(), filter, page)
		require.NoError(rt, err)
		for i := range found.Tasks {
			got = append(got, found.Tasks[i].ID)
		}
		page.Cursor = found.Next
	}
	require.Equal(rt, want, got)
}

// settle reads the events of all that happened.
func (m *model) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), modelPatience)
	defer cancel()
	missing := 0
	for _, t := range m.order {
		if t.State.Final() {
			missing++
		}
	}
	seen := map[uuid.UUID]executor.EventKind{}
	var seq uint64
	for missing > 0 {
		events, err := m.watcher.Next(ctx)
		require.NoError(m.rt, err, "a task/finished is missing")
		for _, ev := range events {
			require.Greater(m.rt, ev.Seq, seq)
			seq = ev.Seq
			last, begun := seen[ev.ID]
			require.False(m.rt, begun && last == executor.EventFinished, "an event after the end")
			require.Equal(m.rt, ev.Kind == executor.EventStarted, !begun && m.tasks[ev.ID].lease != nil, "started comes first, and once")
			seen[ev.ID] = ev.Kind
			if ev.Kind == executor.EventFinished {
				require.Equal(m.rt, m.tasks[ev.ID].State, ev.Task.State)
				missing--
			}
		}
	}
}
