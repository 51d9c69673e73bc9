package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file has what the model of conditions submits, and what becomes of that.

// draw makes a submission.
func (m *planModel) draw(rt *rapid.T) executor.Submission {
	c := schema.Conditions{}
	if oneIn(rt, 4, "delayed") {
		c.RunAt = soon(rapid.IntRange(0, 20).Draw(rt, "delay"))
	}
	if oneIn(rt, 6, "expires") {
		c.ExpiresAt = soon(rapid.IntRange(1, 30).Draw(rt, "expiry"))
		c.RunAt = min(c.RunAt, c.ExpiresAt-schema.Time(step.Microseconds()))
	}
	if oneIn(rt, 3, "grouped") {
		c.Group = rapid.SampledFrom([]string{"g", "h"}).Draw(rt, "group")
	}
	if oneIn(rt, 4, "keyed") {
		c.Key = rapid.SampledFrom([]string{"k", "l"}).Draw(rt, "key")
	}
	if oneIn(rt, 3, "deduped") {
		c.Dedupe = m.drawDedupe(rt)
	}
	if oneIn(rt, 4, "tried again") {
		c.Retry = m.drawRetry(rt)
	}
	for i := range len(m.all) {
		if len(c.After) < 2 && oneIn(rt, 6, "after") {
			c.After = append(c.After, schema.Dependency{ID: m.all[i].ID, On: rapid.SampledFrom([]schema.On{schema.OnSuccess, schema.OnFailure, schema.OnFinish}).Draw(rt, "on")})
		}
	}
	if len(m.all) > 0 && oneIn(rt, 3, "a part") {
		c.Parent = m.drawParent(rt)
	}
	s := task(withPriority(rapid.SampledFrom([]int8{-1, 0, 0, 0, 1}).Draw(rt, "priority")), withRerun(oneIn(rt, 3, "rerun")))
	if s.ID = (uuid.UUID{14: byte(len(m.all) >> 8), 15: byte(len(m.all)), 0: 1}); !c.IsZero() {
		s.Conditions = &c
	}
	return s
}

// drawParent is a task that runs, rather than another one.
func (m *planModel) drawParent(rt *rapid.T) uuid.UUID {
	among := slices.DeleteFunc(slices.Clone(m.all), func(t *planTask) bool { return !runs(t) })
	if len(among) == 0 || oneIn(rt, 4, "of all") {
		among = m.all
	}
	return rapid.SampledFrom(among).Draw(rt, "parent").ID
}

func (m *planModel) drawDedupe(rt *rapid.T) *schema.Dedupe {
	d := &schema.Dedupe{Key: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "dedupe key"), On: rapid.SampledFrom(schema.DedupeOns[:]).Draw(rt, "on a duplicate")}
	if d.On != schema.DedupeReplace && rapid.Bool().Draw(rt, "window") {
		d.WindowMs = (time.Duration(rapid.IntRange(0, 20).Draw(rt, "for"))*step + step/2).Milliseconds()
	}
	return d
}

func (m *planModel) drawRetry(rt *rapid.T) *schema.Retry {
	on := []schema.ErrorKind{schema.KindTaskError}
	if rapid.Bool().Draw(rt, "after its process") {
		on = append(on, schema.KindInterrupted)
	}
	delay := (time.Duration(rapid.IntRange(0, 9).Draw(rt, "retry delay"))*step + step/2).Milliseconds()
	return &schema.Retry{MaxAttempts: 3, DelayMs: &delay, Factor: 1, MaxDelayMs: delay, Jitter: new(float64), On: on}
}

// Submit sends one task.
func (m *planModel) Submit(rt *rapid.T) {
	s := m.draw(rt)
	answers, err := m.store.Submit(context.Background(), []executor.Submission{s})
	require.NoError(rt, err)
	m.admit(rt, &s, &answers[0])
}

// Burst sends tasks of one dedupe key together.
func (m *planModel) Burst(rt *rapid.T) {
	var burst []executor.Submission
	for range rapid.IntRange(2, 4).Draw(rt, "many") {
		s := task(onlyIf(schema.Conditions{Dedupe: m.drawDedupe(rt)}))
		s.Conditions.Dedupe.Key = "a"
		s.ID = uuid.UUID{14: byte(len(m.all) >> 8), 15: byte(len(m.all)), 0: 1, 1: byte(len(burst))}
		burst = append(burst, s)
	}
	answers, err := m.store.Submit(context.Background(), burst)
	require.NoError(rt, err)
	for i := range burst {
		m.admit(rt, &burst[i], &answers[i])
	}
}

// admit compares the answer of a submit.
func (m *planModel) admit(rt *rapid.T, s *executor.Submission, a *executor.Submitted) {
	t := &planTask{Record: s.Record, order: len(m.all)}
	c := t.terms()
	t.after = slices.Clone(c.After)
	var old []*planTask
	if c.Dedupe != nil {
		if old = m.open(c.Dedupe.Key); c.Dedupe.On != schema.DedupeReplace {
			if twin := m.duplicate(c.Dedupe, old); twin != nil {
				m.isDuplicate(rt, c.Dedupe, twin, a)
				return
			}
			old = nil
		}
	}
	waiting := 0
	for _, o := range m.all {
		if o.State == schema.Queued && !slices.Contains(old, o) {
			waiting++
		}
	}
	switch parent := m.find(c.Parent); {
	case waiting >= planQueue:
		require.ErrorIs(rt, a.Err, executor.ErrQueueFull)
		return
	case parent != nil && parent.State.Final():
		require.ErrorContains(rt, a.Err, "has ended")
		return
	case parent != nil && !parent.CancelRequestedAt.IsZero():
		require.ErrorContains(rt, a.Err, "is being cancelled")
		return
	}
	require.NoError(rt, a.Err)
	require.False(rt, a.Existing)
	m.all = append(m.all, t)
	for _, o := range old {
		t.after = append(t.after, schema.Dependency{ID: o.ID, On: schema.OnFinish})
		m.cancelTree(o, "replaced by "+t.ID.String())
	}
}

// open are the tasks of a dedupe key that have not ended.
func (m *planModel) open(key string) (open []*planTask) {
	for _, t := range m.all {
		if d := t.terms().Dedupe; d != nil && d.Key == key && !t.State.Final() {
			open = append(open, t)
		}
	}
	return open
}

// duplicate is the task of which a submit is a duplicate, or nil.
func (m *planModel) duplicate(by *schema.Dedupe, open []*planTask) (twin *planTask) {
	if len(open) > 0 {
		return open[len(open)-1]
	}
	for _, t := range m.all {
		d := t.terms().Dedupe
		if d != nil && d.Key == by.Key && t.State == schema.Completed && (twin == nil || t.place > twin.place) {
			twin = t
		}
	}
	if twin == nil || schema.Now() >= twin.FinishedAt+schema.Time(by.WindowMs*1000) {
		return nil
	}
	return twin
}

func (m *planModel) isDuplicate(rt *rapid.T, by *schema.Dedupe, of *planTask, a *executor.Submitted) {
	if by.On == schema.DedupeReject {
		require.Equal(rt, &executor.DuplicateError{Key: by.Key, ID: of.ID}, a.Err)
		return
	}
	require.NoError(rt, a.Err)
	require.True(rt, a.Existing)
	require.Equal(rt, of.ID, a.Task.ID)
}
