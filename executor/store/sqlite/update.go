package sqlite

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file changes a task that waits.

// updating is the entry of an Update. While it is in the log, the task is neither in the queue nor
// in the planner, so that no claim takes it as it was.
type updating struct {
	record *record
	from   map[string]string // the labels before
	to     executor.Record   // the task as it is to be
	answer schema.Task
	err    error
	ready  chan struct{}
}

// Update implements executor.Store. If ctx ends first, the change may still come. The error then
// says so, and wraps executor.ErrStoreUnavailable and the cause.
func (s *Store) Update(ctx context.Context, id uuid.UUID, u *executor.Update) (schema.Task, error) {
	for {
		s.mu.Lock()
		known := s.updates
		s.mu.Unlock()
		absent, _, err := s.readAbsent(ctx, []uuid.UUID{id})
		if err != nil {
			return schema.Task{}, err
		}
		e, stale, err := s.beginUpdate(id, u, absent[id], known)
		switch {
		case stale: // what was read of the task may have changed since
			continue
		case err != nil:
			return schema.Task{}, err
		case e == nil:
			return schema.Task{}, s.refuseUpdate(ctx, id)
		}
		if err := s.await(ctx, e.ready, "update the task again"); err != nil {
			return schema.Task{}, err
		}
		return e.answer, e.err
	}
}

// beginUpdate puts the change of a task into the log. read is what was read of it where it is in the
// backlog, when there had been so many updates. It answers nil where no such task waits.
func (s *Store) beginUpdate(id uuid.UUID, u *executor.Update, read *record, known uint64) (e *updating, stale bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuses(); err != nil {
		return nil, false, err
	}
	r, live := s.live[id]
	if !live {
		if r = s.recalled(read, false); r == nil {
			return nil, false, nil
		}
		if known != s.updates {
			return nil, true, nil
		}
	}
	if err := r.refusesUpdate(); err != nil {
		return nil, false, err
	}
	e = &updating{record: r, from: r.Labels, to: r.Record, ready: make(chan struct{})}
	if before := r.updating; before != nil {
		e.from, e.to = before.to.Labels, before.to
	}
	if err := u.Apply(&e.to); err != nil {
		return nil, false, err
	}
	switch {
	case !live:
		s.recalled(r, true)
	case r.updating != nil: // it was taken out before
	case r.planned != nil:
		s.unplan(r)
	default:
		s.claims.Remove(r)
	}
	delete(s.permits.given, r.ord) // it may wait for long now
	r.updating = e
	s.append(e)
	return e, false, nil
}

// refusesUpdate says why a task that is not final cannot be changed, or nil. It needs the lock.
func (r *record) refusesUpdate() error {
	switch {
	case r.lease != nil:
		return &executor.NotQueuedError{State: schema.Running}
	case r.cancelling && !r.cancelRequest.at.IsZero():
		return &executor.NotQueuedError{State: schema.Cancelled}
	case r.cancelling, r.updating == nil && r.planned != nil && !r.planned.Waits(): // it ends because of its conditions
		return &executor.NotQueuedError{State: schema.Failed}
	}
	return nil
}

// refuseUpdate says why a task cannot be changed that is not among those that wait.
func (s *Store) refuseUpdate(ctx context.Context, id uuid.UUID) error {
	r, err := s.readFinal(ctx, id)
	if err != nil {
		return err
	}
	return &executor.NotQueuedError{State: r.State}
}

func (e *updating) weight() (int, int) { return 2, len(e.to.Input) }

func (e *updating) write(t *transaction) error {
	if err := t.rewrite(e.record.ord, &e.to, e.from); err != nil {
		return err
	}
	if err := t.number(1); err != nil {
		return err
	}
	return t.writeActive(e.record, file.Active{Attempt: e.to.Attempt, Again: e.to.History != nil}) // without a permit
}

// rewrite records a task that waits in place of what the file has of it. It may have the labels
// before.
func (t *transaction) rewrite(ord int64, to *executor.Record, before map[string]string) error {
	c, err := t.writer()
	if err != nil {
		return err
	}
	typ, err := t.typeNumber(to.Type)
	if err != nil {
		return err
	}
	if err := file.ReplaceTask(c, file.TaskRow{Ord: ord, Type: typ, Record: to}, before); err != nil {
		return err
	}
	if to.History == nil {
		return nil
	}
	return file.WriteHistory(c, ord, to.History)
}

func (e *updating) apply(s *Store) {
	r := e.record
	s.updates++
	before := r.Labels
	r.Priority, r.Labels, r.Conditions, r.History = e.to.Priority, e.to.Labels, e.to.Conditions, e.to.History
	r.shown = kit.Shown{} // it has the old labels
	s.feed.Publish(r.Owner, r.Events, kit.Updated(&e.to, before))
	switch {
	case r.planned != nil:
		kit.Replan(r.planned, &r.Record)
	case r.Conditions != nil:
		s.plansAgain(r)
		s.planned.Submit(r.planned, schema.Now(), nil)
		s.planned.Suspend(r.planned) // giveBack resumes it
	}
	e.giveBack(s)
	e.answer = s.seen(r)
}

// giveBack lets the task wait again, unless another entry of the log has it. It needs the lock.
func (e *updating) giveBack(s *Store) {
	r := e.record
	if r.updating != e {
		return
	}
	r.updating = nil
	if !r.cancelling {
		s.committer.returned = append(s.committer.returned, r)
		s.requeue()
	}
}

func (e *updating) fail(s *Store, err error) entry {
	e.err = err
	s.committer.undo = append(s.committer.undo, undo{record: e.record, updated: e})
	if r := e.record; r.updating == e {
		r.updating = nil
		if !r.cancelling {
			s.committer.returned = append(s.committer.returned, r)
		}
	}
	return nil
}

func (e *updating) done() { close(e.ready) }
