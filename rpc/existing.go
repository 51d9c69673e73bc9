package rpc

import (
	"context"
	"errors"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// submitExisting lets a client hear of a task that it, or one before it, has
// submitted already, and answers the task as it is by then: it follows first and
// looks then, so that no end falls between the two. It needs mu.
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
	s.follows[r.ID] = before | r.Events
	add := withFinished(r.Events)
	if again {
		add &^= withFinished(before)
	}
	if add != 0 {
		s.watcher.Follow(r.ID, add)
	}
	task, err := s.executor.Status(ctx, r.ID)
	over := err == nil && task.State.Final() || errors.Is(err, executor.ErrNotFound)
	if !over {
		s.followOutput(ctx, r, all)
		if err != nil { // what is known is true, if not the newest
			return known, nil
		}
		return &task, nil
	}
	all.leave()
	if !again { // nothing comes after the answer
		delete(s.follows, r.ID)
		s.watcher.Unfollow(r.ID, add)
	}
	if err != nil {
		err = executor.ErrTaskGone
	}
	return &task, taskError(err, r.ID)
}

// followOutput begins to send the output of a task that may run already. It needs mu.
func (s *session) followOutput(ctx context.Context, r *executor.Submission, all *losslessOutput) {
	at := s.cursors[r.ID]
	if at == nil && r.Events.Has(executor.EventOutput) {
		if _, own := s.cursors[r.ID]; own { // from its submit on
			at = &cursors{task: identity(r)}
		} else if at = s.subscribedOutput[r.ID]; at == nil {
			at = lateCursors(identity(r))
		}
		s.cursors[r.ID] = at
	}
	if all == nil {
		return
	}
	if at.all != nil { // it is waited for already
		all.leave()
		return
	}
	at.all = all
	if err := s.executor.Join(ctx, all.reader); err != nil {
		all.leave()
	}
}

// identity is what never changes of the task of a record, which is one of many that
// were gathered, and is used again.
func identity(r *executor.Submission) *schema.Task {
	var shown kit.Shown
	return shown.Live(&r.Task)
}

// withFinished is what a task is followed for: its end is also that of its output,
// and of the following.
func withFinished(mask executor.EventMask) executor.EventMask {
	return mask.With(executor.EventFinished)
}
