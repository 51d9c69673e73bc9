package rpc

import (
	"context"
	"errors"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// submitExisting handles a submit of an id that exists: the client follows the task from now on, and gets the
// task as it is. It follows before it reads the task, so that no end is missed in between. The caller holds mu.
func (s *session) submitExisting(ctx context.Context, r *executor.Submission, known *schema.Task, all *losslessOutput) (*schema.Task, error) {
	if known.State.Final() || r.Events == 0 {
		all.leave()
		return known, nil
	}
	if h := s.held[r.ID]; all != nil && h != nil && h.hasLateReply {
		all.leave()
		return nil, wire.NewError(schema.CodeInvalidRequest,
			"the task is of a batch with wait, shutdown or exit that is not answered yet: it would have to wait for that reply; submit it again behind it")
	}
	before, again := s.follows[r.ID]
	add := withFinished(r.Events)
	if again {
		add &^= withFinished(before)
	}
	if add != 0 {
		if err := s.watcher.Follow(ctx, r.ID, add); err != nil {
			all.leave()
			return nil, err
		}
	}
	s.follows[r.ID] = before | r.Events
	task, err := s.executor.Task(ctx, r.ID)
	over := err == nil && task.State.Final() || errors.Is(err, executor.ErrNotFound)
	if !over {
		s.followOutput(ctx, r, all)
		if err != nil { // known is true, though it may be out of date
			return known, nil
		}
		return &task, nil
	}
	all.leave()
	if !again { // the task has ended: no event follows the answer
		delete(s.follows, r.ID)
		s.watcher.Unfollow(r.ID, add)
	}
	if err != nil {
		err = executor.ErrTaskGone
	}
	return &task, taskError(err, r.ID)
}

// followOutput begins to send the output of a task that may be running. The caller holds mu.
func (s *session) followOutput(ctx context.Context, r *executor.Submission, all *losslessOutput) {
	at := s.cursors[r.ID]
	if at == nil && r.Events.Has(executor.EventOutput) {
		if _, own := s.cursors[r.ID]; own { // followed since its submit, and nothing sent yet
			at = &cursors{task: identity(r)}
		} else if at = s.subscribedOutput[r.ID]; at == nil {
			at = lateCursors(identity(r))
		}
		s.cursors[r.ID] = at
	}
	if all == nil {
		return
	}
	if at.all != nil { // the task waits for this client already
		all.leave()
		return
	}
	at.all = all
	if err := s.executor.Join(ctx, all.reader); err != nil {
		all.leave()
	}
}

// identity copies what never changes of the task of a submission, because the submission's memory is reused.
func identity(r *executor.Submission) *schema.Task {
	var shown kit.Shown
	return shown.Live(&r.Task)
}

// withFinished adds the end to the events that a client follows a task for: the end also ends the output, and
// the following.
func withFinished(mask executor.EventMask) executor.EventMask {
	return mask.With(executor.EventFinished)
}
