package storetest

import (
	"context"
	"slices"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file compares the store with the model of conditions, and has its changes and its restarts.

// Update changes a task, which may not wait.
func (m *planModel) Update(rt *rapid.T) {
	t := m.some(rt, known)
	u := &executor.Update{}
	if rapid.Bool().Draw(rt, "priority") {
		u.Priority = new(rapid.SampledFrom([]int8{-1, 0, 1}).Draw(rt, "to"))
	}
	if rapid.Bool().Draw(rt, "group") {
		u.Group = new(rapid.SampledFrom([]string{"", "g", "h"}).Draw(rt, "to"))
	}
	if rapid.Bool().Draw(rt, "time") {
		u.RunAt = new(rapid.SampledFrom([]schema.Time{0, soon(3), soon(12)}).Draw(rt, "to"))
	}
	changed := t.Record
	if t.fails > 0 {
		changed.History = &executor.History{DueAt: t.due}
	}
	got, err := m.store.Update(context.Background(), t.ID, u)
	if t.State != schema.Queued {
		var not *executor.NotQueuedError
		require.ErrorAs(rt, err, &not)
		require.Equal(rt, t.State, not.State)
		return
	}
	if want := u.Apply(&changed); want != nil {
		require.Equal(rt, want, err)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, schema.Queued, got.State)
	if t.fails > 0 {
		t.due = changed.History.DueAt
	}
	changed.History = nil
	t.Record = changed
}

// Reopen closes the store, and opens it again. What was running did not survive.
func (m *planModel) Reopen(rt *rapid.T) {
	m.store = m.options.Reopen(m.t, m.store)
	m.restarted()
}

// Crash ends the store when all that it was told is recorded.
func (m *planModel) Crash(rt *rapid.T) {
	m.store = m.options.Crash(m.t, m.store)
	m.restarted()
}

func (m *planModel) restarted() {
	for _, t := range m.all {
		t.lease = nil
		if t.State != schema.Running {
			continue
		}
		p, now := t.terms().Retry, schema.Now()
		survives := p != nil && slices.Contains(p.On, schema.KindInterrupted)
		switch {
		case !t.CancelRequestedAt.IsZero():
			m.end(t, schema.Cancelled)
		case survives && t.Attempt-t.free < p.MaxAttempts:
			t.State, t.due = schema.Queued, now+schema.Time(*p.DelayMs*1000)
			t.fails++
		case !survives && t.Rerun:
			t.State, t.due = schema.Queued, now
			t.free++
			t.fails++
		default:
			m.end(t, schema.Failed)
		}
	}
}

// settle ends what must end because of its conditions.
func (m *planModel) settle() {
	for again := true; again; {
		again = false
		for _, t := range m.all {
			if t.State == schema.Queued && t.Attempt == 0 && (m.doomed(t) || m.expired(t)) {
				m.end(t, schema.Failed)
				again = true
			}
		}
	}
}

func (m *planModel) doomed(t *planTask) bool {
	return slices.ContainsFunc(t.after, func(d schema.Dependency) bool {
		is := m.find(d.ID).State
		return is.Final() && !d.On.Met(is)
	})
}

func (m *planModel) expired(t *planTask) bool {
	at := t.terms().ExpiresAt
	return !at.IsZero() && at <= schema.Now()
}

// Check compares all tasks after each step.
func (m *planModel) Check(rt *rapid.T) {
	synctest.Wait()
	m.settle()
	var want schema.TaskCounts
	for _, t := range m.all {
		m.adopt(rt, t)
	}
	for _, t := range m.all {
		*want.Of(t.State)++
		m.checkTask(rt, t)
	}
	got, err := m.store.Counts(context.Background())
	require.NoError(rt, err)
	require.Equal(rt, want, got.TaskCounts)
	texts, err := m.store.Schedules(context.Background())
	require.NoError(rt, err)
	require.Len(rt, texts, len(m.schedules))
	for _, s := range texts {
		require.Equal(rt, m.schedules[s.Name], string(s.Text))
	}
}

// adopt takes over how a task below a cancelled one has ended that comes after another one of
// those: it may have failed because of that one before it was its turn to be cancelled.
func (m *planModel) adopt(rt *rapid.T, t *planTask) {
	if t.State != schema.Cancelled || t.checked || t.Attempt > 0 || !m.doomed(t) {
		return
	}
	got, err := m.store.Get(context.Background(), t.ID)
	require.NoError(rt, err)
	if got.State == schema.Failed {
		t.State, t.CancelRequestedAt, t.CancelReason = schema.Failed, 0, ""
	}
}

func (m *planModel) checkTask(rt *rapid.T, t *planTask) {
	got, err := m.store.Get(context.Background(), t.ID)
	require.NoError(rt, err)
	require.Equal(rt, t.State.String(), got.State.String(), "%v", t.ID)
	require.Equal(rt, t.Attempt, got.Attempt)
	require.Equal(rt, t.Priority, got.Priority)
	require.Equal(rt, t.CancelReason, got.CancelReason)
	require.Equal(rt, !t.CancelRequestedAt.IsZero(), !got.CancelRequestedAt.IsZero())
	require.Equal(rt, t.told, t.heard[:min(len(t.heard), 1)], "it is told, and why; a cancel that is repeated may be told, too")
	m.checkTerms(rt, t, &got)
	if t.State == schema.Failed && t.Attempt == 0 {
		m.checkUnrun(rt, t, got.Error)
	}
	if t.State == schema.Queued && got.Conditions != nil && !m.paused {
		require.Equal(rt, m.eligible(t) && m.turn(t), got.WaitingFor == nil, "%v waits for %v", t.ID, got.WaitingFor)
	}
	m.checkChildren(rt, t, &got)
	attempts := 0
	if got.History != nil {
		attempts = len(got.History.Attempts)
		if t.State == schema.Queued {
			require.InDelta(rt, int64(t.due), int64(got.History.DueAt), float64(step.Microseconds())/4)
		}
	}
	require.Equal(rt, t.fails, attempts)
	if t.State.Final() {
		t.FinishedAt, t.checked = got.FinishedAt, true
	}
}

// checkTerms compares the conditions of a task, but for what the store has added.
func (m *planModel) checkTerms(rt *rapid.T, t *planTask, got *executor.Record) {
	want, is := t.terms(), (&planTask{Record: *got}).terms()
	for _, d := range want.After {
		require.Contains(rt, is.After, d)
	}
	for _, d := range is.After {
		if !slices.Contains(want.After, d) { // the task replaces that one
			require.Equal(rt, schema.OnFinish, d.On)
			require.Equal(rt, want.Dedupe.Key, m.find(d.ID).terms().Dedupe.Key)
			require.Less(rt, m.find(d.ID).order, t.order)
		}
	}
	want.After, is.After = nil, nil
	require.Equal(rt, want, is)
}

// checkUnrun compares why a task has ended that has never run.
func (m *planModel) checkUnrun(rt *rapid.T, t *planTask, e *schema.TaskError) {
	if e.Kind == schema.KindExpired {
		require.True(rt, m.expired(t))
		return
	}
	require.Equal(rt, schema.KindDependency, e.Kind)
	require.True(rt, slices.ContainsFunc(t.after, func(d schema.Dependency) bool { return d.ID == e.Cause && !d.On.Met(m.find(d.ID).State) }))
}

// checkChildren compares the counts of the parts of a task.
func (m *planModel) checkChildren(rt *rapid.T, t *planTask, got *executor.Record) {
	var want *schema.TaskCounts
	for _, child := range m.all {
		if child.terms().Parent == t.ID {
			if want == nil {
				want = new(schema.TaskCounts)
			}
			*want.Of(child.State)++
		}
	}
	require.Equal(rt, want, got.Children)
}
