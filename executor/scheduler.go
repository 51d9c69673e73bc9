package executor

import (
	"context"
	"errors"
	"sync"
	"time"

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
	if at != 0 || e.shared { // of a change by another process nobody tells
		most := schema.Time(clockCheck.Microseconds()) // a later time may be beyond a time.Duration
		wait := most
		if at != 0 {
			wait = min(max(at-schema.Now(), 0), most)
		}
		timer := time.NewTimer(time.Duration(wait) * time.Microsecond)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-e.schedules.changed:
	case <-ctx.Done():
	}
}

// scheduleRound is how many schedules at most are decided together: their tasks are one submit, and
// that they are decided is recorded in one step. One with many due times counts as many.
const scheduleRound = 250

// submitDue submits what is due now, and answers when to look again; 0 is not before a change.
// Between two rounds those that wait for the lock go first.
func (e *Executor) submitDue(ctx context.Context) (at schema.Time) {
	e.schedules.mu.lock()
	defer e.schedules.mu.unlock()
	seen := map[string]error{} // each is decided once; some cannot
	for {
		all, err := e.readSchedules(ctx)
		if err != nil {
			return e.hitch(ctx, "", err)
		}
		r := newRound(all, seen)
		if len(r.turns) == 0 {
			return e.lookAgain(ctx, all, seen)
		}
		r.run(ctx, e)
		if err := e.recordDecided(ctx, r.turns); err != nil {
			r.fail(err)
		}
		for _, t := range r.turns {
			seen[t.Name] = t.err
		}
		e.schedules.mu.unlock()
		e.schedules.mu.lock()
	}
}

// newRound are the turns of the schedules that are due now, but for those that had one.
func newRound(all []*scheduled, seen map[string]error) *round {
	r := &round{now: schema.Now()}
	size := 0
	for _, s := range all {
		if _, had := seen[s.Name]; had || s.next == 0 || s.next > r.now && !s.setBack(r.now) {
			continue
		}
		t := newTurn(s, r.now)
		r.turns = append(r.turns, t)
		if size += max(len(t.times.Run), 1); size >= scheduleRound {
			break
		}
	}
	return r
}

// lookAgain answers when to look again after a look. failed are the schedules that had a turn, with
// the error of those that could not be decided.
func (e *Executor) lookAgain(ctx context.Context, all []*scheduled, failed map[string]error) (at schema.Time) {
	failing := false
	for _, s := range all {
		if err := failed[s.Name]; err != nil {
			at, failing = earlier(at, e.hitch(ctx, s.Name, err)), true
		} else {
			at = earlier(at, s.next)
		}
	}
	e.schedules.failing = failing
	e.schedules.quiet.Store(at == 0 && len(e.schedules.changed) == 0)
	return at
}

// recordDecided records what has become of turns, in one step.
func (e *Executor) recordDecided(ctx context.Context, turns []*turn) error {
	var changed []ScheduleText
	var after []*scheduled
	for _, t := range turns {
		if t.after.Decided == t.Decided {
			continue
		}
		text, err := scheduleText(&t.after)
		if err != nil {
			return err
		}
		changed = append(changed, ScheduleText{Name: t.Name, Text: text})
		after = append(after, newScheduled(t.after, text, t.due))
	}
	if changed == nil {
		return nil
	}
	if err := e.store.SetSchedules(ctx, changed...); err != nil {
		return err
	}
	for _, s := range after {
		e.schedules.known[s.Name] = s
	}
	return nil
}

// setBack reports whether the clock was set back so far that due times count from now on.
func (s *scheduled) setBack(now schema.Time) bool {
	return s.Decided-now > schema.Time(schedule.MaxBack.Microseconds())
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
