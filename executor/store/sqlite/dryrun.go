package sqlite

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// trial is what a submission knows of its tasks while it only finds out what becomes of them.
type trial struct {
	dry      bool              // nothing is recorded
	members  *kit.Trial        // nil where the tasks are recorded
	admitted map[int]bool      // the places of those that would be new
	twins    map[int]uuid.UUID // by the places of submits: those of the members that they name, or of which they are duplicates
}

// DryRun implements executor.Store. It goes through the log, so that it knows of all submits before
// it; but it writes nothing.
func (s *Store) DryRun(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	e := s.submissionOf(submissions)
	e.dry = true
	return s.submit(ctx, e)
}

// try finds out whether all tasks can be recorded. The answers are those of the submit where one
// cannot.
func (e *submission) try(t *transaction) (refused bool, err error) {
	e.dry = true
	err = e.writeTasks(t)
	e.dry = false
	e.admitted, e.twins = nil, nil
	for i, r := range e.known {
		if from := &e.tasks[i]; r != nil && !r.Same(from.Type, from.Input) {
			e.answers[i].Err = executor.ErrIDConflict
		}
	}
	return kit.Refused(e.answers), err
}

// beginTrial begins the trial anew, if it is one.
func (e *submission) beginTrial() {
	e.members, e.admitted, e.twins = nil, nil, nil
	if e.dry {
		e.members, e.admitted, e.twins = new(kit.Trial), map[int]bool{}, map[int]uuid.UUID{}
	}
}

// isTwin answers a submit with the id of a task that would be new, or answers false.
func (e *submission) isTwin(i int) bool {
	asked := &e.tasks[i].Record
	if !e.members.Has(asked.ID) {
		return false
	}
	if e.members.Same(asked) {
		e.twins[i] = asked.ID
	} else {
		e.answers[i].Err = executor.ErrIDConflict
	}
	return true
}

// isDuplicate answers a submit of the dedupe key of a task that would be new, or answers false.
func (e *submission) isDuplicate(by *schema.Dedupe, i int) bool {
	twin := e.members.Newest(by.Key)
	if twin == uuid.Nil {
		return false
	}
	if by.On == schema.DedupeReject {
		e.answers[i].Err = &executor.DuplicateError{Key: by.Key, ID: twin}
	} else {
		e.twins[i] = twin
	}
	return true
}

// admit notes a task that would be new.
func (e *submission) admit(t *transaction, i int) {
	r := &e.tasks[i].Record
	depth := 0
	if parent := executor.ParentOf(r.Conditions); parent != uuid.Nil {
		depth = e.depth(t, parent) + 1
	}
	e.members.Add(r, depth)
	e.admitted[i] = true
}

// depth is how many tasks are above one.
func (e *submission) depth(t *transaction, id uuid.UUID) int {
	if e.members.Has(id) {
		return e.members.Depth(id)
	}
	return t.births.depth(e.store, id)
}

// showTrial answers with the tasks as they would be. It needs the lock.
func (e *submission) showTrial() {
	s := e.store
	for i := range e.tasks {
		if e.admitted[i] {
			r := &e.tasks[i].Record
			task := s.planned.Would(r, schema.Now(), e.beforeAll(r.Conditions, e.after[i]))
			e.members.Becomes(task)
			e.answers[i].Task = task
		}
		if id, is := e.twins[i]; is {
			e.answers[i] = executor.Submitted{Existing: true, Task: e.members.Task(id)}
		}
	}
}

// beforeAll are the tasks that one with these conditions comes after. It needs the lock.
func (e *submission) beforeAll(c *schema.Conditions, after []awaited) []kit.Before {
	before := e.store.beforeAll(c, after)
	for n := range after {
		if id := c.After[n].ID; e.members.Has(id) {
			before[n] = e.members.Before(id)
		}
	}
	return before
}
