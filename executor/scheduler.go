package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/schema"
)

// This file submits the tasks of schedules when they are due.

const (
	// clockCheck is how long at most the scheduler sleeps where a schedule has a due time to
	// come, because the clock may be set and the machine may sleep.
	clockCheck = time.Minute
	// schedulePause is how long it waits after an error before it tries again.
	schedulePause = time.Second
)

// startScheduler submits what is due until a shutdown begins, or the function that it answers is
// called, which waits for its end.
func (e *Executor) startScheduler(ctx context.Context) (stop func()) {
	ctx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		select {
		case <-e.stop.started:
			end(ErrShuttingDown)
		case <-ctx.Done():
		}
	})
	running.Go(func() {
		for ctx.Err() == nil {
			e.awaitDue(ctx, e.submitDue(ctx))
		}
	})
	return func() {
		end(ErrShuttingDown)
		running.Wait()
	}
}

// awaitDue waits for a time, or for a change of a schedule. 0 is no time.
func (e *Executor) awaitDue(ctx context.Context, at schema.Time) {
	var due <-chan time.Time
	if at != 0 {
		most := schema.Time(clockCheck.Microseconds()) // a later time may be beyond a time.Duration
		timer := time.NewTimer(time.Duration(min(max(at-schema.Now(), 0), most)) * time.Microsecond)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-e.schedules.changed:
	case <-ctx.Done():
	}
}

// submitDue submits what is due now, and answers when to look again; 0 is not before a change.
// Between two schedules those go first that wait for the lock.
func (e *Executor) submitDue(ctx context.Context) (at schema.Time) {
	e.schedules.mu.Lock()
	defer e.schedules.mu.Unlock()
	all, err := e.readSchedules(ctx)
	if err != nil {
		return e.hitch(ctx, "", err)
	}
	failed := false
	for i, s := range all {
		if i > 0 {
			e.schedules.mu.Unlock()
			e.schedules.mu.Lock()
			if s = e.schedules.known[s.Name]; s == nil { // it was removed meanwhile
				continue
			}
		}
		if next := s.next(); next != 0 && (next <= schema.Now() || s.setBack()) {
			if err := e.decide(ctx, s); err != nil {
				at, failed = earlier(at, e.hitch(ctx, s.Name, err)), true
				continue
			}
			s = e.schedules.known[s.Name]
		}
		at = earlier(at, s.next())
	}
	e.schedules.failing = failed
	e.schedules.quiet.Store(at == 0 && len(e.schedules.changed) == 0)
	return at
}

// setBack reports whether the clock was set back so far that due times count from now on.
func (s *scheduled) setBack() bool {
	return s.Decided-schema.Now() > schema.Time(schedule.MaxBack.Microseconds())
}

// earlier is the earlier of two times, of which 0 is none.
func earlier(a, b schema.Time) schema.Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// hitch logs why something could not be submitted or recorded, and answers when to try again.
func (e *Executor) hitch(ctx context.Context, name string, err error) schema.Time {
	if ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrShuttingDown) {
		return 0
	}
	if !e.schedules.failing {
		e.schedules.failing = true
		e.log.Warn("what is due cannot be submitted, and is tried again and again", "schedule", name, "error", err)
	}
	return schema.TimeOf(time.Now().Add(schedulePause))
}

// decide submits what is due of a schedule, and records that. It needs the lock of schedules. If
// the process dies in between, the next one submits the same again: the ids are the same.
func (e *Executor) decide(ctx context.Context, s *scheduled) error {
	now := schema.Now()
	due := s.due.At(now, s.Decided, s.Missed)
	if due.Decided == s.Decided {
		return nil
	}
	after := s.storedSchedule
	if err := e.findLast(ctx, &after, s.due.Passed(due, s.Decided)); err != nil {
		return err
	}
	for _, at := range due.Run {
		if err := e.submitAt(ctx, &after, at, now); err != nil {
			return err
		}
	}
	if due.Missed != 0 && after.LastDue != due.Missed {
		after.skip(due.Missed, "it was missed: nothing could be submitted then")
	}
	after.Decided = due.Decided
	if err := e.writeSchedule(ctx, &after); err != nil {
		return err
	}
	_, err := e.readSchedules(ctx)
	return err
}

// findLast finds the last task of a schedule where it is of a due time that was passed over: its
// submit could not be recorded. Without it overlap would let two run at once.
func (e *Executor) findLast(ctx context.Context, s *storedSchedule, passed []schema.Time) error {
	for _, at := range slices.Backward(passed) {
		id := schedule.TaskID(s.Name, s.Generation, at)
		known, err := e.isKept(ctx, id)
		if err != nil {
			return err
		}
		if known {
			s.LastDue, s.LastTask = at, id
			return nil
		}
	}
	return nil
}

func (s *storedSchedule) skip(due schema.Time, format string, args ...any) {
	s.Skipped = &schema.SkippedTime{DueAt: due, Reason: fmt.Sprintf(format, args...)}
}

// submitAt submits the task for a due time, where there is none yet and overlap allows it. It
// answers an error only if it is to be tried again.
func (e *Executor) submitAt(ctx context.Context, s *storedSchedule, due, now schema.Time) error {
	id := schedule.TaskID(s.Name, s.Generation, due)
	known, err := e.isKept(ctx, id)
	if err != nil {
		return err
	}
	if known { // a process has submitted it, and died before it could record that
		s.LastDue, s.LastTask = due, id
		return nil
	}
	after, skipped, err := e.overlap(ctx, s)
	switch {
	case err != nil:
		return err
	case skipped:
		s.skip(due, "the task before had not ended")
		return nil
	}
	submission, err := e.prepareAt(s, id, due, now, after)
	if err != nil {
		s.skip(due, "%v", err)
		e.log.Warn("the task of a schedule is refused", "schedule", s.Name, "error", err)
		return nil
	}
	answers, err := e.Submit(ctx, []Submission{submission})
	if err == nil {
		err = answers[0].Err
	}
	switch {
	case err == nil, errors.Is(err, ErrTaskGone):
		s.LastDue, s.LastTask = due, id
	case errors.Is(err, ErrIDConflict), errors.Is(err, ErrDamaged):
		s.skip(due, "%v", err)
	default:
		return err
	}
	return nil
}

// isKept reports whether there is a task with the id.
func (e *Executor) isKept(ctx context.Context, id uuid.UUID) (bool, error) {
	switch _, err := e.store.Get(ctx, id); {
	case err == nil, errors.Is(err, ErrDamaged):
		return true, nil
	case errors.Is(err, ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

// overlap looks at the last task of a schedule. It answers the task after whose end the next one
// is to run, if any, or that there is to be none.
func (e *Executor) overlap(ctx context.Context, s *storedSchedule) (after []schema.Dependency, skipped bool, err error) {
	if s.LastTask == uuid.Nil {
		return nil, false, nil
	}
	last, err := e.store.Get(ctx, s.LastTask)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case last.State.Final():
		after, err = e.heirOf(ctx, s, &last)
		return after, false, err
	}
	switch s.Overlap {
	case schema.OverlapReplace:
		after, err = e.replace(ctx, s, &last)
		return after, false, err
	case schema.OverlapQueue:
		return []schema.Dependency{{ID: s.LastTask, On: schema.OnFinish}}, false, nil
	}
	return nil, true, nil
}

// replace cancels the last task of a schedule, and answers the task after whose end the next one
// is to run. That is the last one, or where that had not begun what it has waited for.
func (e *Executor) replace(ctx context.Context, s *storedSchedule, last *Record) (after []schema.Dependency, err error) {
	outcome, _, err := e.Cancel(ctx, last.ID, Cancellation{Reason: "the next task of the schedule " + s.Name + " takes its place"})
	switch {
	case errors.Is(err, ErrNotFound): // it has ended meanwhile
		return nil, nil
	case err != nil:
		return nil, err
	case outcome == schema.OutcomeCancelling:
		return []schema.Dependency{{ID: last.ID, On: schema.OnFinish}}, nil
	}
	return e.heirOf(ctx, s, last)
}

// heirOf answers what the task waits for that takes the place of one that has ended: what that one
// has waited for. It is asked again where the submit has failed behind the cancel of the one before.
func (e *Executor) heirOf(ctx context.Context, s *storedSchedule, last *Record) (after []schema.Dependency, err error) {
	if s.Overlap != schema.OverlapReplace || last.Conditions == nil {
		return nil, nil
	}
	for _, d := range last.Conditions.After {
		switch before, err := e.store.Get(ctx, d.ID); {
		case err == nil && !before.State.Final():
			after = append(after, d)
		case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged):
			return nil, err
		}
	}
	return after, nil
}

// prepareAt makes the submission for a due time.
func (e *Executor) prepareAt(s *storedSchedule, id uuid.UUID, due, now schema.Time, after []schema.Dependency) (Submission, error) {
	p := s.Submit.Params()
	p.ID, p.After, p.Labels = id, after, scheduleLabels(&s.ScheduleParams)
	begin := now
	if j := schedule.Jitter(s.Name, s.Generation, due, time.Duration(s.JitterMs)*time.Millisecond); j > 0 {
		p.RunAt = due + schema.Time(j.Microseconds())
		begin = max(now, p.RunAt)
	}
	p.ExpireMs, p.ExpiresAt = 0, absolute(0, p.ExpireMs, begin)
	submission, err := e.PrepareAt(&p, now)
	if _, own := p.Labels[ownerLabel]; err == nil && !own {
		submission.Labels[ownerLabel] = scheduleOwner
	}
	return submission, err
}
