package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// cancelRequest is the first request to cancel a task, whether it is visible yet or not.
type cancelRequest struct {
	at     schema.Time
	reason string
}

// cancellation is the entry of a Cancel.
type cancellation struct {
	cancel  executor.Cancellation
	answers []executor.CancelAnswer
	steps   []step
	ready   chan struct{}
	below   bool // a task above was cancelled
	// descents are to go on down from the tasks when this is recorded. left says that nobody waits
	// for that any more, and the store goes on by itself. The store's lock protects both.
	descents []*kit.Descent
	tops     []int // the places of their tasks
	left     bool
	store    *Store
}

// step is what a cancel does to one task.
type step struct {
	answer        *executor.CancelAnswer
	record        *record
	outcome       schema.CancelOutcome
	end           ending // of OutcomeCancelled
	lease         *lease // of OutcomeCancelling
	cancelRequest cancelRequest
	again         bool                   // an earlier entry already records this request
	lost          *executor.Cancellation // of a task below those that are cancelled, with this
}

// tellWithoutRecordAfter is how long a cancel waits for the disk to record the request. After
// that, the running task is told to stop anyway, because a disk may stall.
const tellWithoutRecordAfter = 100 * time.Millisecond

// Cancel implements executor.Store. If all the tasks are running, it waits for the
// disk no longer than tellWithoutRecordAfter; the requests are then recorded later, or together
// with the ends of the tasks. If ctx ends first, running tasks are still told to
// stop, and queued tasks may still be cancelled. The error then says so, and wraps
// executor.ErrStoreUnavailable and the cause.
func (s *Store) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	e := &cancellation{cancel: c, store: s}
	answers, err := s.cancelThese(ctx, ids, e)
	if err != nil {
		e.leave()
		return nil, err
	}
	return answers, s.cancelBelow(ctx, e.takeDescents(answers))
}

// cancelThese is Cancel without what is below the tasks, by an entry that it completes.
func (s *Store) cancelThese(ctx context.Context, ids []uuid.UUID, e *cancellation) ([]executor.CancelAnswer, error) {
	absent, looked, unread := s.readAbsent(ctx, ids)
	ids = ids[:looked]
	s.mu.Lock()
	err := e.begin(s, ids, absent, unread)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	answers, err := e.over(ctx, s)
	if err == nil {
		s.cancelFinal(ctx, ids, answers, absent)
	}
	return answers, err
}

// begin puts the cancel of tasks into the log. absent are those that are not live, as far as they were
// read, and unread is why others were not. It needs the lock.
func (e *cancellation) begin(s *Store, ids []uuid.UUID, absent map[uuid.UUID]*record, unread error) error {
	if s.closed {
		return executor.ErrClosed
	}
	e.answers, e.ready = make([]executor.CancelAnswer, len(ids)), make(chan struct{})
	unavailable := s.refuses()
	for i, id := range ids {
		e.descend(i, id)
		r, known := s.live[id]
		if !known {
			if r = s.recalled(absent[id], unavailable == nil); r == nil {
				e.answers[i].Err = unread
				continue
			}
		}
		if unavailable != nil && (r.lease == nil || r.lease.finishing) {
			e.answers[i].Err = unavailable
			continue
		}
		e.steps = append(e.steps, s.plan(r, &e.answers[i], &e.cancel))
	}
	if unavailable == nil {
		e.addLost(s)
	}
	switch {
	case len(e.steps) == 0:
	case unavailable != nil: // the request is kept, and the task is told at once
		if kept := e.fail(s, unavailable); kept != nil {
			s.append(kept)
		}
		close(e.ready)
	default:
		s.append(e)
	}
	return nil
}

// over waits until a cancel that has begun is over, and answers it for each of its tasks.
func (e *cancellation) over(ctx context.Context, s *Store) ([]executor.CancelAnswer, error) {
	if len(e.steps) == 0 {
		return e.answers, nil
	}
	early, err := e.await(ctx, s)
	withdrawn := (early != nil || err != nil) && e.withdraw(s)
	switch {
	case err != nil && withdrawn: // an earlier cancel goes down
		e.drop()
		return nil, err
	case err != nil:
		return nil, err
	case early != nil:
		return early, nil
	}
	return e.answers, nil
}

// recalled takes a task out of the backlog, or answers nil if it is no longer there. If take
// is false, it only looks. It needs the lock.
func (s *Store) recalled(r *record, take bool) *record {
	if r == nil || !s.inBacklog(&r.Task, r.ord) {
		return nil
	}
	if take {
		w, _ := s.claims.backlog.Remove(r.Type, r.Priority, uint64(r.ord))
		s.recall(r, w)
	}
	return r
}

// await waits until the request is recorded, and then tells the running tasks to
// stop. If recording takes longer than tellWithoutRecordAfter, it tells them first. If all the
// tasks are running, it then answers without waiting for the disk.
func (e *cancellation) await(ctx context.Context, s *Store) (early []executor.CancelAnswer, err error) {
	soon, cancel := context.WithTimeout(ctx, tellWithoutRecordAfter)
	defer cancel()
	err = s.await(soon, e.ready, "cancel again")
	e.tell(s)
	if err == nil || ctx.Err() != nil {
		return nil, err
	}
	if early = e.ahead(s); early != nil {
		return early, nil
	}
	return nil, s.await(ctx, e.ready, "cancel again")
}

// withdraw removes a cancel that nobody waits for from the log if it records nothing
// new. Otherwise a client that repeats a cancel while the disk stalls fills the memory.
func (e *cancellation) withdraw(s *Store) bool {
	for i := range e.steps {
		if !e.steps[i].again {
			return false
		}
	}
	return s.withdraw(e)
}

// ahead makes the requests to cancel running tasks visible before they are recorded.
// It answers nil if some task is not running, or has an end that is not recorded yet. A
// task that was running may have ended meanwhile, because it was told to stop.
func (e *cancellation) ahead(s *Store) []executor.CancelAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range e.steps {
		if e.steps[i].outcome != schema.OutcomeCancelling { // an end that is shown is recorded
			return nil
		}
	}
	for i := range e.steps {
		st := &e.steps[i]
		st.answer.Outcome = schema.OutcomeAlreadyFinished
		if r := st.record; r.final == nil {
			r.CancelRequestedAt, r.CancelReason = st.cancelRequest.at, st.cancelRequest.reason
			st.answer.Outcome = st.outcome
		}
		st.answer.Task = s.snapshot(st.record)
	}
	return slices.Clone(e.answers)
}

// plan takes a queued task out of the queue, or finds the lease of a running one. It
// needs the lock.
func (s *Store) plan(r *record, answer *executor.CancelAnswer, c *executor.Cancellation) step {
	st := step{answer: answer, record: r, outcome: schema.OutcomeAlreadyFinished}
	if r.cancelling || r.lease != nil && r.lease.finishing && !r.lease.retrying {
		st.again = true
		return st
	}
	if st.again = !r.cancelRequest.at.IsZero(); !st.again {
		r.cancelRequest = cancelRequest{clock(r.CreatedAt), c.Reason}
	}
	st.cancelRequest = r.cancelRequest
	if r.lease != nil && !r.lease.retrying {
		st.outcome, st.lease = schema.OutcomeCancelling, r.lease
		return st
	}
	delete(s.permits.given, r.ord)
	r.cancelling = true // before the planner is asked: it may be about to end the task otherwise
	switch {
	case r.planned != nil:
		s.unplan(r)
	case r.entry.Queued(): // otherwise it was in the backlog
		s.claims.Remove(r)
	}
	st.outcome = schema.OutcomeCancelled
	as := r.Task
	switch {
	case r.lease != nil:
		as = r.lease.queuedAgain()
	case r.updating != nil: // its end comes after that
		as = r.updating.to.Task
	}
	as.CancelRequestedAt, as.CancelReason = r.cancelRequest.at, r.cancelRequest.reason
	st.end = endOf(r, as, c.Outcome())
	return st
}

func (e *cancellation) weight() (int, int) { return len(e.steps), 0 }

func (e *cancellation) write(t *transaction) error {
	for i := range e.steps {
		st := &e.steps[i]
		var err error
		switch st.outcome {
		case schema.OutcomeCancelled:
			err = st.end.write(t)
		case schema.OutcomeCancelling:
			err = writeCancelRequest(t, st.lease, st.cancelRequest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeCancelRequest records that a running task is to stop.
func writeCancelRequest(t *transaction, l *lease, a cancelRequest) error {
	if l.ends == t || l.record.final != nil {
		return nil
	}
	return t.writeActive(l.record, file.Active{
		Attempt: l.claimed.Attempt, Started: l.claimed.StartedAt, Cancelled: a.at, Reason: a.reason,
	})
}

func (e *cancellation) apply(s *Store) {
	for i := range e.steps {
		st := &e.steps[i]
		switch st.outcome {
		case schema.OutcomeCancelled:
			if p := st.record.planned; p != nil {
				s.planned.Remove(p)
			}
			st.end.apply(s)
			if e.below || st.lost != nil {
				s.counts.Below++
			}
		case schema.OutcomeCancelling:
			st.record.CancelRequestedAt, st.record.CancelReason = st.cancelRequest.at, st.cancelRequest.reason
		}
		st.answer.Outcome, st.answer.Task = st.outcome, s.snapshot(st.record)
	}
}

// fail keeps the requests for running tasks. These tasks are still told to stop,
// because a full disk must not prevent that.
func (e *cancellation) fail(s *Store, err error) entry {
	kept := new(pendingCancels)
	for i := range e.steps {
		st := &e.steps[i]
		r := st.record
		if st.outcome == schema.OutcomeCancelling && r.lease == st.lease {
			r.CancelRequestedAt, r.CancelReason = st.cancelRequest.at, st.cancelRequest.reason
			st.answer.Outcome, st.answer.Task = st.outcome, s.snapshot(r)
			if !st.lease.cancelPending {
				st.lease.cancelPending = true
				kept.list = append(kept.list, pendingCancel{st.lease, st.cancelRequest})
			}
			continue
		}
		if st.outcome != schema.OutcomeAlreadyFinished {
			r.cancelRequest = cancelRequest{}
		}
		if st.outcome == schema.OutcomeCancelled {
			r.cancelling = false
			if r.lease == nil { // otherwise the end of its attempt is still in the log
				s.committer.returned = append(s.committer.returned, r)
			}
			s.committer.undo = append(s.committer.undo, undo{record: r})
		}
		st.answer.Err = err
		st.lease = nil
	}
	if kept.list == nil {
		return nil
	}
	return kept
}

func (e *cancellation) done() {
	close(e.ready)
	e.store.mu.Lock()
	left := e.left
	e.store.mu.Unlock()
	if left {
		e.leave()
	}
}

// tell revokes the leases of the running tasks.
func (e *cancellation) tell(s *Store) {
	var running []step
	s.mu.Lock()
	for i := range e.steps {
		if e.steps[i].lease != nil {
			running = append(running, e.steps[i])
		}
	}
	s.mu.Unlock()
	for i := range running { // without the lock, because Revoke may call back
		running[i].lease.Revoke(cmp.Or(running[i].lost, &e.cancel))
	}
}

// readFinal reads a final task.
func (s *Store) readFinal(ctx context.Context, id uuid.UUID) (r executor.Record, err error) {
	err = s.readers.with(ctx, s, func(c *file.Conn) error {
		r, _, err = s.finalWith(c, id)
		return err
	})
	return r, err
}

// cancelFinal answers for the tasks that are not live. It reads those that were not read
// before.
func (s *Store) cancelFinal(ctx context.Context, ids []uuid.UUID, answers []executor.CancelAnswer, absent map[uuid.UUID]*record) {
	for i, id := range ids {
		a := &answers[i]
		if a.Outcome != "" || a.Err != nil {
			continue
		}
		if r := absent[id]; r != nil && r.State.Final() {
			a.Outcome, a.Task = schema.OutcomeAlreadyFinished, r.Task
			continue
		}
		r, err := s.readFinal(ctx, id)
		if err != nil {
			a.Err = err
			continue
		}
		a.Outcome, a.Task = schema.OutcomeAlreadyFinished, r.Task
	}
}
