package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// runPlanModel compares what a store does with conditions with a model that looks at all tasks for
// each answer. It needs a clock that stands still.
func runPlanModel(t *testing.T, o Options) {
	if o.RealTime {
		t.Skip("it needs a clock that stands still while it looks")
	}
	rapid.Check(t, func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) {
			m := &planModel{t: t, options: o, store: o.Open(t, Limits{MaxQueued: planQueue}), groups: map[string]plan.Settings{}, schedules: map[string]string{}}
			defer func() { _ = m.store.Close() }()
			actions := rapid.StateMachineActions(m)
			if o.Reopen == nil {
				delete(actions, "Reopen")
			}
			if o.Crash == nil {
				delete(actions, "Crash")
			}
			// Trees and attempts need long histories, and tasks that run.
			actions["Claim more"], actions["Submit more"] = m.Claim, m.Submit
			rt.Repeat(actions)
			rt.Repeat(actions)
		})
	})
}

const (
	planQueue = 5
	// step is the unit of all times of the model. Those of conditions are between two of its steps,
	// so that what the store itself takes makes no difference.
	step = time.Minute
)

// planTask is what the model knows of a task.
type planTask struct {
	executor.Record
	order   int
	after   []schema.Dependency // those of the store, too, where the task replaces others
	due     schema.Time         // of its next attempt
	fails   int                 // attempts that have failed, and another followed
	free    int32               // attempts that do not count
	lease   executor.Lease      // until it is released
	told    []string            // with which reason it is to be told to stop
	checked bool                // its end was compared
	place   int                 // its place among the ends
	heard   []string            // and was
}

func (t *planTask) terms() schema.Conditions {
	if t.Conditions == nil {
		return schema.Conditions{}
	}
	return *t.Conditions
}

type planModel struct {
	t         *testing.T
	options   Options
	store     executor.Store
	claimers  claimers
	all       []*planTask // in the order of their submits
	groups    map[string]plan.Settings
	paused    bool
	schedules map[string]string
	ends      int
}

// soon is a time between two steps, after some of them.
func soon(steps int) schema.Time { return in(time.Duration(steps)*step + step/2) }

func oneIn(rt *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(rt, what) == 1 }

func (m *planModel) find(id uuid.UUID) *planTask {
	i := slices.IndexFunc(m.all, func(t *planTask) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return m.all[i]
}

// some draws one of the tasks for which is holds.
func (m *planModel) some(rt *rapid.T, is func(*planTask) bool) *planTask {
	found := slices.DeleteFunc(slices.Clone(m.all), func(t *planTask) bool { return !is(t) })
	if len(found) == 0 {
		rt.Skip("there is none")
	}
	return rapid.SampledFrom(found).Draw(rt, "task")
}

func known(*planTask) bool { return true }

func runs(t *planTask) bool { return t.State == schema.Running }

// cancelTree cancels a task, and all that is below it.
func (m *planModel) cancelTree(t *planTask, reason string) {
	m.cancelOne(t, reason)
	below := "with " + t.ID.String()
	if reason != "" {
		below += ": " + reason
	}
	m.below(t, func(child *planTask) { m.cancelOne(child, below) })
}

func (m *planModel) below(t *planTask, do func(*planTask)) {
	for _, child := range m.all {
		if child.terms().Parent == t.ID {
			do(child)
			m.below(child, do)
		}
	}
}

func (m *planModel) cancelOne(t *planTask, reason string) {
	if t.State.Final() {
		return
	}
	if t.CancelRequestedAt.IsZero() {
		t.CancelRequestedAt, t.CancelReason = schema.Now(), reason
		if t.State == schema.Running {
			t.told = append(t.told, reason)
		}
	}
	if t.State == schema.Queued {
		m.end(t, schema.Cancelled)
	}
}

func (m *planModel) end(t *planTask, as schema.State) {
	m.ends++
	t.State, t.FinishedAt, t.place = as, schema.Now(), m.ends
}

// eligible reports whether a task waits for no other task and no time.
func (m *planModel) eligible(t *planTask) bool {
	if t.State != schema.Queued {
		return false
	}
	if t.Attempt > 0 {
		return t.due <= schema.Now()
	}
	return t.terms().RunAt <= schema.Now() && !slices.ContainsFunc(t.after, func(d schema.Dependency) bool { return !m.find(d.ID).State.Final() })
}

// turn reports whether the key and the group of a task let it run.
func (m *planModel) turn(t *planTask) bool {
	c, running := t.terms(), 0
	for _, o := range m.all {
		has := o.terms()
		if c.Key != "" && has.Key == c.Key && (o.lease != nil || o.order < t.order && m.eligible(o)) {
			return false
		}
		if c.Group != "" && has.Group == c.Group && o.lease != nil {
			running++
		}
	}
	s := m.groups[c.Group]
	return c.Group == "" || !s.Paused && (s.Limit == 0 || running < s.Limit)
}

// next is the task that runs next, or nil.
func (m *planModel) next() (best *planTask) {
	if m.paused {
		return nil
	}
	for _, t := range m.all {
		if m.eligible(t) && m.turn(t) && (best == nil || cmp.Compare(t.Priority, best.Priority) > 0) {
			best = t
		}
	}
	return best
}

// Claim takes the task that runs next, or finds that there is none.
func (m *planModel) Claim(rt *rapid.T) {
	want, wait := m.next(), patience
	if want == nil {
		wait = brief
	}
	ctx, end := context.WithTimeout(context.Background(), wait)
	defer end()
	l, err := m.claimers.claim(ctx, m.store, nil)
	if want == nil {
		require.ErrorIs(rt, err, context.DeadlineExceeded)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, want.ID, l.Record().ID)
	want.State, want.lease = schema.Running, l
	want.Attempt++
	require.Equal(rt, want.Attempt, l.Record().Attempt)
	require.NoError(rt, l.Started(0))
	l.OnRevoke(func(cause error) {
		var c *executor.Cancellation
		require.ErrorAs(rt, cause, &c)
		want.heard = append(want.heard, c.Reason)
	})
}

// Finish ends a task that runs. What it has is free when it is released.
func (m *planModel) Finish(rt *rapid.T) {
	t := m.some(rt, runs)
	o := drawOutcome(rt)
	require.NoError(rt, finished(t.lease, o))
	m.end(t, o.State)
	if rapid.Bool().Draw(rt, "released") {
		m.release(t)
	}
}

func (m *planModel) release(t *planTask) {
	t.lease.Release()
	t.lease = nil
}

// Release ends the code of a task that has ended.
func (m *planModel) Release(rt *rapid.T) {
	m.release(m.some(rt, func(t *planTask) bool { return t.lease != nil && t.State.Final() }))
}

// Retry ends an attempt that another one follows.
func (m *planModel) Retry(rt *rapid.T) {
	t := m.some(rt, runs)
	again := failedOnce(time.Duration(rapid.IntRange(0, 9).Draw(rt, "delay"))*step + step/2)
	err := queuedAgain(t.lease, again)
	m.release(t)
	if !t.CancelRequestedAt.IsZero() {
		require.ErrorIs(rt, err, executor.ErrCancelRequested)
		m.end(t, schema.Cancelled)
		return
	}
	require.NoError(rt, err)
	t.State, t.due = schema.Queued, again.At
	t.fails++
}

// Cancel cancels a task, whether it has ended or not.
func (m *planModel) Cancel(rt *rapid.T) {
	t := m.some(rt, known)
	reason := rapid.SampledFrom([]string{"", "why"}).Draw(rt, "reason")
	want := map[bool]schema.CancelOutcome{false: schema.OutcomeAlreadyFinished}
	switch t.State {
	case schema.Queued:
		want[false] = schema.OutcomeCancelled
	case schema.Running:
		want[false] = schema.OutcomeCancelling
	}
	m.cancelTree(t, reason)
	answers, err := m.store.Cancel(context.Background(), []uuid.UUID{t.ID}, executor.Cancellation{Reason: reason})
	require.NoError(rt, err)
	require.NoError(rt, answers[0].Err)
	require.Equal(rt, want[false], answers[0].Outcome)
}

// Pass lets time pass.
func (m *planModel) Pass(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 20).Draw(rt, "steps")) * step)
}

// Set changes the settings of a group.
func (m *planModel) Set(rt *rapid.T) {
	name := rapid.SampledFrom([]string{"g", "h"}).Draw(rt, "group")
	s := plan.Settings{Limit: rapid.IntRange(0, 2).Draw(rt, "limit"), Paused: oneIn(rt, 4, "paused")}
	require.NoError(rt, m.store.SetGroup(context.Background(), name, s))
	m.groups[name] = s
}

// Pause pauses everything, or lets it go on.
func (m *planModel) Pause(rt *rapid.T) {
	m.paused = !m.paused && oneIn(rt, 3, "paused")
	require.NoError(rt, m.store.Pause(context.Background(), m.paused))
}

// Schedule records the texts of schedules, or removes some.
func (m *planModel) Schedule(rt *rapid.T) {
	var changed []executor.ScheduleText
	for i := range rapid.IntRange(1, 3).Draw(rt, "schedules") {
		name := fmt.Sprint("s", i+rapid.IntRange(0, 1).Draw(rt, "name"))
		if text := rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "text"); text == "" {
			changed = append(changed, executor.ScheduleText{Name: name})
			delete(m.schedules, name)
		} else {
			changed = append(changed, executor.ScheduleText{Name: name, Text: []byte(text)})
			m.schedules[name] = text
		}
	}
	require.NoError(rt, m.store.SetSchedules(context.Background(), changed...))
}
