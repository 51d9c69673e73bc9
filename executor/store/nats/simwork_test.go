package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file has what the processes of a simulation are asked for.

// claimAll runs one task after another. Some claims are given up before they have got one.
func (s *simulation) claimAll(one *Store, c executor.Claimer, chance *simChance) {
	for {
		ctx, end := context.WithCancel(s.stop)
		if chance.intN(3) == 0 {
			ctx, end = context.WithTimeout(s.stop, time.Duration(chance.intN(500))*time.Millisecond)
		}
		l, err := c.Claim(ctx, executor.Ended{})
		waited := ctx.Err() != nil
		end()
		switch {
		case errors.Is(err, executor.ErrClosed) || s.stop.Err() != nil:
			return
		case err == nil:
			s.work(one, l, chance)
		case !waited:
			time.Sleep(time.Second)
		}
	}
}

// work runs a task: it writes lines, and ends. Some take longer than a lease.
func (s *simulation) work(one *Store, l executor.Lease, chance *simChance) {
	r := l.Record()
	run := &simRun{by: one, began: time.Now(), attempt: r.Attempt, lines: chance.intN(4)}
	s.mu.Lock()
	s.runs[r.ID] = append(s.runs[r.ID], run)
	s.mu.Unlock()
	told := make(chan error, 8)
	l.OnRevoke(func(err error) { told <- err })
	_ = l.Started(1)
	outcome := executor.Outcome{State: schema.Completed, Result: fmt.Appendf(nil, "%d", r.Attempt)}
	for i := 0; i < run.lines; i++ {
		_ = l.Write(schema.Stdout, fmt.Appendf(nil, "%d.%d\n", r.Attempt, i))
		most := 200
		if chance.intN(5) == 0 {
			most = int(3 * simLease.Milliseconds())
		}
		select {
		case <-time.After(time.Duration(chance.intN(most)) * time.Millisecond):
			continue
		case err := <-told:
			outcome = executor.Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled, Message: err.Error()}}
			run.lost, run.lines = errors.Is(err, executor.ErrLeaseLost), i+1
		}
	}
	over := time.Now()
	said := make(chan error, 1)
	l.Finish(outcome, func(err error) { said <- err })
	l.Release()
	s.mu.Lock()
	run.over = over
	s.mu.Unlock()
	select {
	case err := <-said:
		s.mu.Lock()
		run.end, run.ended = err, true
		s.mu.Unlock()
	case <-one.stopped: // the process is dead
	}
}

// submitAll submits the tasks of a process, and cancels some.
func (s *simulation) submitAll(n int) {
	chance := s.log.chance(waySubmits + uint64(n))
	for range simTasks {
		task := &simTask{Submission: newTask()}
		for i := range task.ID {
			task.ID[i] = byte(chance.intN(256))
		}
		task.Rerun = chance.intN(2) == 0
		if chance.intN(4) == 0 {
			task.Conditions = &schema.Conditions{Key: "k"}
		}
		s.mu.Lock()
		s.tasks = append(s.tasks, task)
		s.mu.Unlock()
		for s.submit(s.store(n), task, chance) {
		}
		if chance.intN(5) == 0 {
			s.cancel(s.store(n), task)
		}
		time.Sleep(time.Duration(chance.intN(300)) * time.Millisecond)
	}
}

// submit submits a task, with more or less patience. It reports whether to do so again.
func (s *simulation) submit(one *Store, task *simTask, chance *simChance) bool {
	ctx, end := context.WithTimeout(s.stop, []time.Duration{50 * time.Millisecond, time.Second, time.Minute}[chance.intN(3)])
	defer end()
	answers, err := one.Submit(ctx, []executor.Submission{task.Submission})
	switch {
	case errors.Is(err, executor.ErrOutcomeUnknown), errors.Is(err, executor.ErrClosed): // the latter of a process that died
		task.unknown = true
		return chance.intN(2) == 0
	case err != nil:
		assert.ErrorIs(s, err, executor.ErrStoreUnavailable)
		task.refused = !task.unknown && !task.there
		return false
	}
	assert.NoError(s, answers[0].Err)
	task.there = true
	if !answers[0].Existing {
		task.made++
	}
	return chance.intN(10) == 0
}

func (s *simulation) cancel(one *Store, task *simTask) {
	answers, err := one.Cancel(s.stop, []uuid.UUID{task.ID}, executor.Cancellation{})
	if err == nil && answers[0].Err == nil && answers[0].Outcome == schema.OutcomeCancelled {
		task.cancelled = true
	}
}
