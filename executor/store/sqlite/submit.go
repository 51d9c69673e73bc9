package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

const clockSlack = file.ClockSlack

// submission is the entry of a Submit.
type submission struct {
	store   *Store
	tasks   []executor.Submission
	answers []executor.Submitted
	known   []*record // tasks with the same id that are not final
	fresh   []*record // tasks to record; nil for those not to record
	// reused are the tasks of the same dedupe key, by the place of the duplicate.
	reused map[int]*record
	// parents are those of the tasks to record that had not ended, by the places of the tasks.
	parents map[int]*record
	// above has the ids of which the trees know tasks below. They may be in the file, or forgotten.
	above map[uuid.UUID]bool
	// after are the tasks that those to record come after, by their place in fresh.
	after map[int][]awaited
	bytes int
	all   bool // as of SubmitAll
	trial

	err   error
	ready chan struct{}
}

// Submit implements executor.Store. If ctx ends first, the tasks are not recorded,
// unless they are already being written: then they may still be recorded. The error
// says which, and wraps executor.ErrStoreUnavailable and the cause.
func (s *Store) Submit(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(ctx, s.submissionOf(submissions))
}

// SubmitAll implements executor.Store; see Submit.
func (s *Store) SubmitAll(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	e := s.submissionOf(submissions)
	e.all = true
	return s.submit(ctx, e)
}

func (s *Store) submissionOf(submissions []executor.Submission) *submission {
	return &submission{
		store: s, tasks: slices.Clone(submissions), ready: make(chan struct{}),
		answers: make([]executor.Submitted, len(submissions)), known: make([]*record, len(submissions)), fresh: make([]*record, len(submissions)),
	}
}

// submit puts a submission into the log, and waits for its answers.
func (s *Store) submit(ctx context.Context, e *submission) ([]executor.Submitted, error) {
	for i := range e.tasks {
		e.bytes += len(e.tasks[i].Input)
	}
	s.mu.Lock()
	if err := s.refuses(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.append(e)
	s.mu.Unlock()
	if err := s.await(ctx, e.ready, "submit with the same id again"); err != nil {
		if s.withdraw(e) {
			err = s.unavailable(fmt.Errorf("it was not recorded; submit again: %w", context.Cause(ctx)))
		}
		return nil, err
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.answers, nil
}

// refuses says why nothing new is taken; it needs the lock.
func (s *Store) refuses() error {
	if s.closed {
		return executor.ErrClosed
	}
	if s.fault != nil && !s.mayTry() {
		return s.unavailable(s.fault)
	}
	return nil
}

// unavailable wraps why nothing can be written.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", executor.ErrStoreUnavailable, s.path, err)
}

func (e *submission) weight() (int, int) { return len(e.tasks), e.bytes }

func (e *submission) write(t *transaction) error {
	if e.all {
		if refused, err := e.try(t); refused || err != nil {
			return err
		}
	}
	return e.writeTasks(t)
}

// writeTasks records the tasks, or finds out what becomes of them where this is a trial.
func (e *submission) writeTasks(t *transaction) error {
	room := e.look(t)
	for i := range e.tasks {
		if e.known[i] != nil || e.isTwin(i) {
			continue
		}
		from := &e.tasks[i]
		if r := t.fresh[from.ID]; r != nil {
			e.known[i] = r
			continue
		}
		switch forgotten, err := t.forgotten(from.ID); {
		case err != nil:
			return err
		case forgotten:
			e.answers[i].Err = executor.ErrTaskGone
			continue
		}
		if answered, err := e.findDuplicate(t, i); err != nil {
			return err
		} else if answered {
			continue
		}
		if room+e.frees(t, i) <= 0 {
			if err := e.existing(t.conn, i); errors.Is(err, executor.ErrNotFound) {
				e.answers[i].Err = executor.ErrQueueFull
			} else if err != nil {
				return err
			}
			continue
		}
		if err := e.insert(t, i); err != nil {
			return err
		}
		if e.fresh[i] != nil || e.admitted[i] {
			room--
		}
	}
	return nil
}

// look finds existing tasks with the submitted ids that are not final. It answers
// for how many tasks the queue has room. That can be less than 0.
func (e *submission) look(t *transaction) (room int) {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	e.above = nil
	for i := range e.tasks {
		id := e.tasks[i].ID
		e.known[i], e.fresh[i], e.answers[i] = s.live[id], nil, executor.Submitted{}
		if e.known[i] == nil && s.trees.Has(id) {
			if e.above == nil {
				e.above = map[uuid.UUID]bool{}
			}
			e.above[id] = true
		}
	}
	e.after, e.parents, e.reused = nil, nil, map[int]*record{}
	e.beginTrial()
	return s.options.MaxQueued - s.claims.Len() - s.planned.Waiting() - len(t.fresh)
}

// insert records a task, or answers with the final one that has its id.
func (e *submission) insert(t *transaction, i int) error {
	from := &e.tasks[i]
	taken, err := e.taken(t, from.ID)
	if err != nil {
		return err
	}
	if taken {
		err := e.existing(t.conn, i)
		if errors.Is(err, executor.ErrNotFound) { // it is not final, and could not be read
			e.answers[i].Err = fmt.Errorf("%w: that of the task that has the id %s; jobline store check tells more", executor.ErrDamaged, from.ID)
			return nil
		}
		return err
	}
	if e.above[from.ID] {
		e.answers[i].Err = executor.ErrTaskGone
		return nil
	}
	if from.Conditions != nil {
		e.succeed(t, i)
		if ok, err := e.await(t, i); !ok || err != nil {
			return err
		}
		if ok, err := e.admitChild(t, i); !ok || err != nil {
			return err
		}
	}
	if e.dry {
		e.admit(t, i)
		return nil
	}
	typ, err := t.typeNumber(from.Type)
	if err != nil {
		return err
	}
	r := &record{Submission: *from, ord: t.state.Ord + 1}
	r.entry.Value = r
	t.tasks = append(t.tasks, file.TaskRow{Ord: r.ord, Type: typ, Record: &r.Record})
	if err := t.tick(r); err != nil {
		return err
	}
	t.open.Add(r.ord)
	t.state.Ord++
	t.state.Active++
	t.fresh[r.ID] = r
	t.addDeduped(r)
	t.births.add(t.store, r)
	e.fresh[i] = r
	return nil
}

// taken reports whether the file has a task with the id. It begins the transaction where the task may
// be recorded.
func (e *submission) taken(t *transaction, id uuid.UUID) (bool, error) {
	if e.dry {
		return t.has(id)
	}
	if _, err := t.writer(); err != nil {
		return false, err
	}
	return t.taken(id)
}

// taken reports whether the file has a task with the id. Most ids are greater than all
// earlier ones, as with UUIDs of version 7. They need no lookup.
func (t *transaction) taken(id uuid.UUID) (found bool, err error) {
	if bytes.Compare(id[:], t.state.Greatest[:]) > 0 {
		t.state.Greatest = id
		return false, nil
	}
	return t.has(id)
}

// has looks whether the file has a task with the id.
func (t *transaction) has(id uuid.UUID) (bool, error) {
	n, err := t.conn.Number("SELECT count(*) FROM task WHERE id=?", id[:])
	return n > 0, err
}

// existing answers with the task that has the id, and no record in memory.
func (e *submission) existing(c *file.Conn, i int) error {
	found, _, err := e.store.storedWith(c, e.tasks[i].ID)
	switch {
	case err == nil:
		e.answers[i] = asExisting(&found, &e.tasks[i].Record)
	case errors.Is(err, executor.ErrDamaged): // this concerns no other task of the submit
		e.answers[i].Err = err
	default:
		return err
	}
	return nil
}

// tick notes a clock that was set back.
func (t *transaction) tick(r *record) error {
	created := int64(r.CreatedAt)
	if created >= t.state.Created-clockSlack {
		t.state.Created = max(t.state.Created, created)
		return nil
	}
	t.state.Created = created
	t.breaks = append(t.breaks, r.ord)
	return t.conn.Run("INSERT INTO clock VALUES(?)", r.ord)
}

// forgetBreaks drops the breaks of the clock that are before the first kept task.
func (t *transaction) forgetBreaks() error {
	if len(t.store.breaks) == 0 { // nobody else changes them
		return nil
	}
	first, err := t.conn.Number("SELECT coalesce(min(ord), ?) FROM task", t.state.Ord+1)
	if err == nil {
		err = t.conn.Run("DELETE FROM clock WHERE ord<=?", first)
	}
	t.first = first
	return err
}

func (e *submission) apply(s *Store) {
	e.showTrial()
	added := 0
	for i := range e.tasks {
		if r := e.known[i]; r != nil {
			e.answers[i] = asExisting(&executor.Record{Task: s.snapshot(r)}, &e.tasks[i].Record)
		}
		if r := e.reused[i]; r != nil {
			task := s.seen(r)
			e.answers[i] = executor.Submitted{Existing: true, Task: &task}
		}
		if r := e.fresh[i]; r != nil {
			s.enqueue(r)
			if r.Conditions != nil {
				s.dedupes.Add(r.Conditions, r.ID)
				s.trees.Add(r.Conditions, r.ID, uint64(r.ord))
				if p := e.parents[i]; p != nil && p.final != nil { // in this transaction, before the child came
					s.trees.End(p.ID, p.final.State)
				}
				s.planSubmitted(r, e.after[i])
				s.replaceOld(r)
				e.answers[i].WaitingFor = s.planned.Planner.Waiting(r.planned)
				s.joinParent(r)
			}
			added++
		}
	}
	s.claims.Wake(added)
}

// asExisting answers a submit whose id is known.
func asExisting(known, asked *executor.Record) executor.Submitted {
	if !known.Same(asked.Type, asked.Input) {
		return executor.Submitted{Err: executor.ErrIDConflict}
	}
	return executor.Submitted{Existing: true, Task: &known.Task}
}

func (e *submission) fail(s *Store, err error) entry {
	e.err = err
	for _, r := range e.fresh {
		if r != nil {
			s.committer.undo = append(s.committer.undo, undo{record: r, inserted: true})
		}
	}
	return nil
}

func (e *submission) done() { close(e.ready) }
