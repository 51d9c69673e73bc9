package sqlite

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// start is the entry of a claim.
type start struct {
	lease *lease
	ready chan error // has room for one; nil where nobody waits
	err   error
	over  bool // it was recorded, or has failed
	// permitted is set where the task began by a permit.
	permitted bool
	left      bool // the caller stopped waiting before it was over
	// cancel is a request to cancel the task that came after the caller left.
	cancel *executor.Cancellation
}

// begin puts the start of an attempt into the log; it needs the lock.
func (s *Store) begin(m *kit.Member, r *record) *start {
	l := &lease{store: s, member: m, record: r, planned: r.planned, claimed: r.Record}
	l.claimed.State = schema.Running
	l.claimed.Attempt++
	l.claimed.StartedAt = clock(r.CreatedAt)
	r.lease = l
	s.permits.leases++
	s.permits.claims++
	e := &start{lease: l, permitted: s.usePermit(r, l.claimed.StartedAt)}
	if r.Rerun || e.permitted {
		s.ahead++
	} else {
		e.ready = make(chan error, 1)
	}
	s.append(e)
	return e
}

// leave gives up waiting for a start. It answers false if the start is already over.
func (s *Store) leave(e *start) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.left = !e.over
	return e.left
}

func (e *start) weight() (int, int) {
	if e.lease.finishing { // its end is in the log, and says it all where one transaction writes both
		return 0, 0
	}
	return 1, 0
}

func (e *start) write(t *transaction) error {
	l := e.lease
	if l.ends == t { // the end, which this transaction writes too, says it all
		return nil
	}
	return t.writeActive(l.record, file.Active{Attempt: l.claimed.Attempt, Started: l.claimed.StartedAt})
}

func (e *start) apply(s *Store) {
	r := e.lease.record
	e.over = true
	if e.ready == nil {
		s.ahead--
	}
	if e.permitted {
		s.permits.begun.Forget(r.ord)
	}
	if e.left {
		if r.cancelRequest.at.IsZero() {
			e.giveBack(s)
			s.requeue()
			s.append(&unstart{record: r})
			return
		}
		e.cancel = &executor.Cancellation{Reason: r.cancelRequest.reason} // as it was, or will be, answered
	}
	r.State, r.Attempt, r.StartedAt = schema.Running, e.lease.claimed.Attempt, e.lease.claimed.StartedAt
	s.running[r] = struct{}{}
	s.trees.Move(r.Conditions, r.ID, schema.Running)
	s.counts.Queued--
	s.counts.Running++
}

// fail puts back a task that has not started.
func (e *start) fail(s *Store, err error) entry {
	if e.ready == nil {
		return e
	}
	e.over, e.err = true, err
	e.giveBack(s)
	s.committer.undo = append(s.committer.undo, undo{record: e.lease.record})
	return nil
}

// giveBack undoes a claim, but for the place in the queue; it needs the lock.
func (e *start) giveBack(s *Store) {
	r := e.lease.record
	r.lease = nil
	s.permits.leases--
	s.committer.returned = append(s.committer.returned, r)
	s.claims.Release(e.lease.member, r.Type)
}

func (e *start) done() {
	if e.ready != nil {
		e.ready <- e.err
	}
	if e.cancel != nil {
		e.lease.Finish(e.cancel.Outcome(), func(error) {})
		e.lease.Release()
	}
}

// unstart is the entry that undoes a start that no client was told of.
type unstart struct{ record *record }

func (e *unstart) weight() (int, int) { return 1, 0 }

func (e *unstart) write(t *transaction) error {
	return t.writeActive(e.record, file.Active{Attempt: e.record.Attempt, Again: e.record.History != nil})
}

func (e *unstart) apply(*Store) {}

func (e *unstart) fail(*Store, error) entry { return e }

func (e *unstart) done() {}
