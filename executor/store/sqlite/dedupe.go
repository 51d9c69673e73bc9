package sqlite

import (
	"errors"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file has what becomes of a submit while there is a task of the same dedupe key. It is
// decided when the submit is written, where nobody else writes.

// findDuplicate answers a submit with the task of which it is a duplicate, if its id is new.
func (e *submission) findDuplicate(t *transaction, i int) (answered bool, err error) {
	by := kit.DedupeOf(e.tasks[i].Conditions)
	if by == nil || by.On == schema.DedupeReplace {
		return false, nil
	}
	if err := e.existing(t.conn, i); !errors.Is(err, executor.ErrNotFound) {
		return true, err
	}
	if e.isDuplicate(by, i) {
		return true, nil
	}
	if newest := e.newestOf(t, by.Key); newest != nil {
		if by.On == schema.DedupeReject {
			e.answers[i].Err = &executor.DuplicateError{Key: by.Key, ID: newest.ID}
		} else {
			e.reused[i] = newest
		}
		return true, nil
	}
	return e.findCompleted(t.conn, by, i)
}

// findCompleted answers a submit with a task that has completed within its window.
func (e *submission) findCompleted(c *file.Conn, by *schema.Dedupe, i int) (answered bool, err error) {
	s := e.store
	s.mu.Lock()
	id, found := s.dedupes.Completed(by, schema.Now())
	s.mu.Unlock()
	if !found {
		return false, nil
	}
	r, _, err := s.storedWith(c, id)
	switch {
	case errors.Is(err, executor.ErrNotFound), errors.Is(err, executor.ErrDamaged):
		return false, nil
	case err != nil:
		return false, err
	case by.On == schema.DedupeReject:
		e.answers[i].Err = &executor.DuplicateError{Key: by.Key, ID: id}
	default:
		e.answers[i] = executor.Submitted{Existing: true, Task: &r.Task}
	}
	return true, nil
}

// newestOf is the newest task of a dedupe key that has not ended, or nil: of those that the
// transaction records, and of those that a client can see.
func (e *submission) newestOf(t *transaction, key string) *record {
	if burst := t.deduped[key]; len(burst) > 0 {
		return burst[len(burst)-1]
	}
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if open := s.dedupes.Open(key); len(open) > 0 {
		return s.live[open[len(open)-1]]
	}
	return nil
}

// replacedBy are the tasks after whose end a task is to run that replaces them. Those of a burst
// that others of it have replaced can no longer run, and are left out: otherwise each task of it
// would come after all before it.
func (e *submission) replacedBy(t *transaction, key string) (old []uuid.UUID) {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.dedupes.Open(key) {
		if !s.live[id].replaced {
			old = append(old, id)
		}
	}
	if burst := t.deduped[key]; len(burst) > 0 {
		old = append(old, burst[len(burst)-1].ID)
	}
	if twin := e.members.Newest(key); twin != uuid.Nil {
		old = append(old, twin)
	}
	return old
}

// frees is how many places of the queue a task makes free: those of the tasks that it replaces.
func (e *submission) frees(t *transaction, i int) (places int) {
	by := kit.DedupeOf(e.tasks[i].Conditions)
	if by == nil || by.On != schema.DedupeReplace {
		return 0
	}
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.dedupes.Open(by.Key) {
		if s.live[id].planned.Waits() {
			places++
		}
	}
	return places + len(t.deduped[by.Key]) + e.members.Replaced(by.Key)
}

// succeed lets a task that is to be recorded run after the end of those that it replaces.
func (e *submission) succeed(t *transaction, i int) {
	by := kit.DedupeOf(e.tasks[i].Conditions)
	if by == nil || by.On != schema.DedupeReplace {
		return
	}
	if old := e.replacedBy(t, by.Key); len(old) > 0 {
		e.tasks[i].Conditions = kit.Succeeding(e.tasks[i].Conditions, old)
		e.answers[i].Conditions = e.tasks[i].Conditions
	}
}

// addDeduped notes a task of a dedupe key that the transaction records.
func (t *transaction) addDeduped(r *record) {
	by := kit.DedupeOf(r.Conditions)
	if by == nil {
		return
	}
	if t.deduped == nil {
		t.deduped = map[string][]*record{}
	}
	t.deduped[by.Key] = append(t.deduped[by.Key], r)
}

// replacing is an entry that cancels tasks for the store itself: those that a new one replaces,
// and those below a task that was cancelled. Where the process dies before it is recorded, the next
// one finds out that they are to be cancelled.
type replacing struct {
	cancellation
	follows []*kit.Descent // what is below its tasks
}

// replaceOld cancels the older tasks of the dedupe key of a task that replaces them. It needs
// the lock.
func (s *Store) replaceOld(r *record) {
	by := kit.DedupeOf(r.Conditions)
	if by == nil || by.On != schema.DedupeReplace {
		return
	}
	c := kit.ReplacedBy(r.ID)
	e := &replacing{cancellation: cancellation{cancel: c, store: s}}
	for _, id := range s.dedupes.Open(by.Key) {
		if id == r.ID {
			break
		}
		old := s.live[id]
		if old.cancelling {
			continue
		}
		if st := s.plan(old, new(executor.CancelAnswer), &c); !st.again {
			old.replaced = st.outcome == schema.OutcomeCancelled
			e.steps = append(e.steps, st)
		}
		if d := s.descend(id, c); d != nil {
			e.follows = append(e.follows, d)
		}
	}
	if len(e.steps) > 0 || len(e.follows) > 0 {
		s.append(e)
	}
}

// fail keeps the entry until it can be written: the new task is recorded, and waits. It leaves
// out a task whose start has failed: that one runs to its end, and then the new one.
func (e *replacing) fail(s *Store, _ error) entry {
	kept := e.steps[:0]
	for _, st := range e.steps {
		switch {
		case st.outcome == schema.OutcomeCancelled:
			s.committer.undo = append(s.committer.undo, undo{record: st.record})
		case st.record.lease != st.lease:
			st.record.cancelRequest = cancelRequest{}
			continue
		}
		kept = append(kept, st)
	}
	if e.steps = kept; len(kept) == 0 && len(e.follows) == 0 {
		return nil
	}
	return e
}

func (e *replacing) apply(s *Store) {
	e.cancellation.apply(s)
	if e.below {
		return
	}
	for i := range e.steps {
		if e.steps[i].outcome == schema.OutcomeCancelled {
			s.counts.Replaced++
		}
	}
}

func (e *replacing) done() {
	e.tell(e.store)
	e.store.goDown(e.follows)
}

// dedupeFound finds again which tasks there are of each dedupe key, and ends what the last
// process has left to do. The tasks with conditions that have not ended are in the planner; the
// oldest are first.
func (s *Store) dedupeFound(c *file.Conn, conditioned []*record) error {
	err := file.EachDeduped(c, func(id uuid.UUID, conditions *schema.Conditions, completed schema.Time) {
		s.dedupes.End(conditions, id, schema.Completed, completed)
	})
	if err != nil {
		return err
	}
	for _, r := range conditioned {
		s.dedupes.Add(r.Conditions, r.ID)
	}
	for _, r := range conditioned {
		s.replaceOld(r)
	}
	return nil
}
