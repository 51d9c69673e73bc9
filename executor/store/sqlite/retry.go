package sqlite

import (
	"math/rand/v2"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// retrial is the entry of a Lease.Retry: the end of an attempt that another one follows.
type retrial struct {
	lease    *lease
	again    *executor.NextAttempt
	history  *executor.History
	recorded func(error)
	err      error
}

// Retry implements executor.Lease.
func (l *lease) Retry(a *executor.NextAttempt, recorded func(error)) {
	s, r := l.store, l.record
	s.mu.Lock()
	if err := l.lostBy(); err != nil {
		s.mu.Unlock()
		recorded(err)
		return
	}
	if request := r.cancelRequest; !request.at.IsZero() {
		s.mu.Unlock()
		l.Finish((&executor.Cancellation{Reason: request.reason}).Outcome(), func(err error) {
			if err == nil {
				err = executor.ErrCancelRequested
			}
			recorded(err)
		})
		return
	}
	l.finishing, l.retrying = true, true
	s.permits.leases--
	s.ahead++
	s.append(&retrial{lease: l, again: a, history: kit.Followed(&l.claimed, a, r.out.bytes(), clock()), recorded: recorded})
	s.mu.Unlock()
}

// queuedAgain is the task as it will be seen when the end of an attempt is recorded that another
// one follows.
func (l *lease) queuedAgain() schema.Task {
	t := l.claimed.Task
	t.State, t.StartedAt, t.Progress = schema.Queued, 0, nil
	return t
}

func (e *retrial) weight() (int, int) { return 2, 0 }

func (e *retrial) write(t *transaction) error {
	c, err := t.writer()
	if err != nil {
		return err
	}
	if err := t.number(1); err != nil {
		return err
	}
	r := e.lease.record
	if err := t.writeActive(r, file.Active{Attempt: e.lease.claimed.Attempt, Again: true}); err != nil {
		return err
	}
	if err := file.WriteHistory(c, r.ord, e.history); err != nil {
		return err
	}
	return t.writeRest(r)
}

func (e *retrial) apply(s *Store) {
	r := e.lease.record
	s.ahead--
	delete(s.running, r)
	s.counts.Running--
	s.counts.Queued++
	r.Task, r.History, r.lease, r.seq = e.lease.queuedAgain(), e.history, nil, 0
	s.trees.Again(r.ID)
	s.trees.Move(r.Conditions, r.ID, schema.Queued)
	s.feed.Publish(r.Owner, r.Events, kit.Retrying(&r.Record, e.again, r.shown.Live(&r.Task)))
	s.plansAgain(r)
	s.planned.Submit(r.planned, schema.Now(), nil)
	if r.cancelling { // its end is in the log
		s.planned.Suspend(r.planned)
	}
}

// plansAgain makes the task of a record for the planner.
func (s *Store) plansAgain(r *record) {
	r.planned = new(kit.NewTask(&r.Record))
	r.planned.Order, r.planned.Value = uint64(r.ord), r
}

func (e *retrial) fail(s *Store, _ error) entry {
	s.committer.undo = append(s.committer.undo, undo{record: e.lease.record, retried: true})
	return e
}

func (e *retrial) done() { e.recorded(e.err) }

// tried is a task that ran when the last process died, and that runs again.
type tried struct {
	record *record
	ran    executor.Record // with the start of the attempt
	again  *executor.NextAttempt
}

// triedAgain answers what follows the attempt that ran when the last process died.
func triedAgain(r *record, began schema.Time) tried {
	t := tried{record: r, ran: r.Record}
	t.ran.StartedAt = began
	t.again = r.AfterInterruption(kit.Interrupted(began, nil), clock(), rand.Uint32())
	return t
}

// tryAgain queues such a task.
func (s *Store) tryAgain(t *transaction, d tried) error {
	r := d.record
	if err := s.restoreOutput(t.conn, r); err != nil {
		return err
	}
	r.History = kit.Followed(&d.ran, d.again, r.out.bytes(), clock())
	s.enqueue(r)
	if err := t.writeActive(r, file.Active{Attempt: r.Attempt, Again: true}); err != nil {
		return err
	}
	return file.WriteHistory(t.conn, r.ord, r.History)
}
