package executor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/schema"
)

// This file decides what becomes of due times: a round is of schedules that are due together.

// round is what is made of the schedules that are due together. Their tasks are one submit. If the
// process dies before it is recorded that they are decided, the next one submits the same again:
// the ids are the same.
type round struct {
	now         schema.Time
	turns       []*turn
	submissions []Submission
}

// turn is what a round makes of a schedule.
type turn struct {
	*scheduled                // as it is recorded
	after      storedSchedule // as it is when the turn is recorded
	times      schedule.Due
	steps      []dueStep
	err        error       // why it is to be tried again, from failedAt on
	failedAt   schema.Time // the due time that could not be decided
}

// dueStep is what becomes of a due time.
type dueStep struct {
	at      schema.Time
	id      uuid.UUID // of its task
	place   int       // of the submit in the round, or -1 for none
	skipped string    // why there is no task, or ""
}

func newTurn(s *scheduled, now schema.Time) *turn {
	return &turn{scheduled: s, after: s.storedSchedule, times: s.due.At(now, s.Decided, s.Missed)}
}

// run submits what is due. It needs the lock of schedules.
func (r *round) run(ctx context.Context, e *Executor) {
	for _, t := range r.turns {
		r.plan(ctx, e, t)
	}
	var answers []Submitted
	var err error
	if len(r.submissions) > 0 {
		answers, err = e.submitBy(ctx, r.submissions, e.store.Submit) // an outbox would send what others have submitted meanwhile
	}
	for _, t := range r.turns {
		t.settle(answers, err)
	}
}

// fail lets all turns be tried again.
func (r *round) fail(err error) {
	for _, t := range r.turns {
		t.err = err
	}
}

// plan says what is to become of each due time of a turn, as far as it can.
func (r *round) plan(ctx context.Context, e *Executor, t *turn) {
	if t.times.Decided == t.Decided {
		return
	}
	if t.err = e.findLast(ctx, &t.after, t.due.Passed(t.times, t.Decided)); t.err != nil {
		return
	}
	last := t.after
	for _, at := range t.times.Run {
		step, err := r.planAt(ctx, e, t, &last, at)
		if err != nil {
			t.err, t.failedAt = err, at
			return
		}
		if step.skipped == "" {
			last.LastTask = step.id
		}
		t.steps = append(t.steps, step)
	}
}

// planAt says what is to become of a due time. last is the schedule with the last task as it will
// be then. It answers an error only if it is to be tried again.
func (r *round) planAt(ctx context.Context, e *Executor, t *turn, last *storedSchedule, at schema.Time) (dueStep, error) {
	step := dueStep{at: at, id: schedule.TaskID(t.Name, t.Generation, at), place: -1}
	known, err := e.isKept(ctx, step.id)
	if known || err != nil { // a process has submitted it, and died before it could record that
		return step, err
	}
	var after []schema.Dependency
	if t.submits(last.LastTask) { // several are due, which the schedule queues
		after = []schema.Dependency{{ID: last.LastTask, On: schema.OnFinish}}
	} else {
		var skipped bool
		if after, skipped, err = e.overlap(ctx, last); err != nil {
			return step, err
		}
		if skipped {
			step.skipped = "the task before had not ended"
			return step, nil
		}
	}
	submission, err := e.prepareAt(&t.after, step.id, at, r.now, after)
	if err != nil {
		e.log.Warn("the task of a schedule is refused", "schedule", t.Name, "error", err)
		step.skipped = err.Error()
		return step, nil
	}
	step.place = len(r.submissions)
	r.submissions = append(r.submissions, submission)
	return step, nil
}

// submits reports whether the turn submits a task.
func (t *turn) submits(id uuid.UUID) bool {
	return slices.ContainsFunc(t.steps, func(s dueStep) bool { return s.place >= 0 && s.id == id })
}

// settle takes over what has become of the due times. answers are those of the submit of the round,
// or err is.
func (t *turn) settle(answers []Submitted, err error) {
	for _, step := range t.steps {
		if step.place >= 0 {
			failed := err
			if failed == nil {
				failed = answers[step.place].Err
			}
			switch {
			case failed == nil, errors.Is(failed, ErrTaskGone):
			case errors.Is(failed, ErrIDConflict), errors.Is(failed, ErrDamaged), refusedForGood(failed):
				step.skipped = failed.Error()
			default:
				t.err, t.failedAt = failed, step.at
				return
			}
		}
		if step.skipped != "" {
			t.after.skip(step.at, step.skipped)
		} else {
			t.after.LastDue, t.after.LastTask = step.at, step.id
		}
		t.after.Decided = step.at
	}
	if t.err != nil {
		return
	}
	if t.times.Missed != 0 && t.after.LastDue != t.times.Missed {
		t.after.skip(t.times.Missed, "it was missed: nothing could be submitted then")
	}
	t.after.Decided = t.times.Decided
}

// refusedForGood reports whether a submit is refused however often it is tried, because of what is in it.
func refusedForGood(err error) bool {
	_, input := errors.AsType[*InputError](err)
	_, large := errors.AsType[*TooLargeError](err)
	return input || large
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

// maxSkipReason bounds why there is no task for a due time, in bytes.
const maxSkipReason = 4 << 10

func (s *storedSchedule) skip(due schema.Time, reason string) {
	s.Skipped = &schema.SkippedTime{DueAt: due, Reason: schema.CutBytes(reason, maxSkipReason)}
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

// overlap looks at the last task of a schedule that was recorded. It answers the task after whose
// end the next one is to run, if any, or that there is to be none.
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
