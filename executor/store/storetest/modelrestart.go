package storetest

import (
	"context"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Reopen closes the store and opens it again.
func (m *model) Reopen(rt *rapid.T) {
	m.store = m.options.Reopen(m.t, m.store)
	m.reconcile(rt, nil, false)
}

// Crash ends the store while some tasks end, and some are submitted.
func (m *model) Crash(rt *rapid.T) {
	fly := &flight{ends: map[uuid.UUID]*end{}}
	if rapid.Bool().Draw(rt, "ends") {
		for _, t := range m.order {
			if t.State == schema.Running && rapid.Bool().Draw(rt, "ends now") {
				e := &end{outcome: drawOutcome(rt), said: make(chan error, 1)}
				fly.ends[t.ID] = e
				t.lease.Finish(e.outcome, func(err error) { e.said <- err })
			}
		}
	}
	if rapid.Bool().Draw(rt, "submits") {
		for _, r := range rapid.SliceOfN(rapid.Custom(m.drawRecord), 1, 4).Draw(rt, "batch") {
			if m.tasks[r.ID] == nil {
				fly.batch = append(fly.batch, r)
			}
		}
		fly.submit(m.store)
	}
	for _, ev := range m.told(m.all) { // what somebody was told of is there
		require.Equal(rt, executor.EventFinished, ev.Kind)
		require.Greater(rt, ev.Seq, m.seq)
		m.seq = ev.Seq
		fly.ends[ev.ID].seen = true
	}
	m.store = m.options.Crash(m.t, m.store)
	m.reconcile(rt, fly, true)
}

// flight is what was under way when the store ended.
type flight struct {
	ends    map[uuid.UUID]*end
	batch   []executor.Submission
	answers chan []executor.Submitted
}

// end is a Finish that was under way.
type end struct {
	outcome executor.Outcome
	said    chan error
	seen    bool
}

func (fl *flight) submit(s executor.Store) {
	fl.answers = make(chan []executor.Submitted, 1)
	go func() {
		if answers, err := s.Submit(context.Background(), fl.batch); err == nil {
			fl.answers <- answers
		}
	}()
}

// recorded reports whether the end of a task must be there, as far as anybody
// was told.
func (e *end) recorded() bool {
	select {
	case err := <-e.said:
		return err == nil || e.seen
	default:
		return e.seen
	}
}

// reconcile brings the model to where the store is, if it may be there.
func (m *model) reconcile(rt *rapid.T, fly *flight, crashed bool) {
	m.idle()
	before := m.seq
	m.expected = [2][]happening{}
	m.watch(rt)
	changed := map[uuid.UUID]bool{} // that have become final
	for _, t := range m.order {
		var e *end
		if fly != nil {
			e = fly.ends[t.ID]
		}
		if t.State == schema.Running {
			changed[t.ID] = m.restarted(rt, t, e)
		}
		t.lease, t.revoked = nil, nil
		t.Owner, t.Events = 0, 0
		if crashed {
			m.loseOutput(rt, t)
		}
	}
	if fly != nil && fly.answers != nil {
		m.adopt(rt, fly)
	}
	events, err := m.store.Replay(context.Background(), 0, m.seq, len(m.order)+1)
	require.NoError(rt, err)
	for _, ev := range events {
		if t := m.tasks[ev.ID]; changed[ev.ID] {
			require.Equal(rt, executor.EventFinished, ev.Kind)
			require.Greater(rt, ev.Seq, t.seq)
			require.True(rt, ev.Seq > before || fly != nil && fly.ends[ev.ID] != nil, "it ended after all that was told")
			t.seq = ev.Seq
			m.ended[ev.ID] = true
		}
	}
	m.checkReplay(rt, events, 0, m.seq, len(m.order))
	for _, t := range m.order {
		m.checkTask(rt, t)
	}
}

// restarted says what has become of a task that ran, and whether it is final.
func (m *model) restarted(rt *rapid.T, t *modelTask, e *end) (final bool) {
	got, err := m.store.Get(context.Background(), t.ID)
	require.NoError(rt, err)
	recorded := e != nil && e.recorded()
	interrupted := got.Error != nil && (got.Error.Kind == schema.KindInterrupted || got.Error.Kind == schema.KindCancelled)
	switch {
	case e != nil && (recorded || got.State.Final() && !interrupted):
		t.State, t.Result = e.outcome.State, e.outcome.Result
		return true
	case t.asked:
		t.State = schema.Cancelled
	case t.Rerun:
		t.State = schema.Queued
		t.retries++
	default:
		t.State = schema.Failed
		require.Equal(rt, schema.KindInterrupted, got.Error.Kind)
		require.True(rt, got.Error.Retryable)
	}
	if got.Task.Progress == nil { // it need not be kept but with an end
		t.Task.Progress = nil
	}
	return t.State.Final()
}

// loseOutput finds how much of the end of what a task has written is gone. Of
// a task that runs again it is as if it had not been written.
func (m *model) loseOutput(rt *rapid.T, t *modelTask) {
	for s := range t.written {
		p, err := m.store.Output(context.Background(), t.ID, schema.Stream(s), from(0, 1<<30))
		require.NoError(rt, err)
		kept := len(p.Data)
		require.LessOrEqual(rt, kept, len(t.written[s])-t.lost[s])
		if t.State.Final() {
			t.lost[s] = len(t.written[s]) - kept
			if int(p.Total) < len(t.written[s]) && !m.ended[t.ID] { // it was interrupted
				t.written[s], t.lost[s] = t.written[s][:p.Total], int(p.Total)-kept
			}
		} else {
			t.written[s] = t.written[s][:kept]
		}
	}
}

// adopt takes up those of the tasks that were being submitted that are there.
func (m *model) adopt(rt *rapid.T, fly *flight) {
	var answers []executor.Submitted
	select {
	case answers = <-fly.answers:
	default:
	}
	for i, r := range fly.batch {
		got, err := m.store.Get(context.Background(), r.ID)
		if answers != nil && answers[i].Err == nil {
			require.NoError(rt, err, "it was acknowledged")
		}
		if err != nil {
			require.ErrorIs(rt, err, executor.ErrNotFound)
			continue
		}
		if m.tasks[r.ID] == nil && got.Same(r.Type, r.Input) {
			r.Owner, r.Events = 0, 0
			m.add(r)
		}
	}
}
