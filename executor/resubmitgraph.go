package executor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file finds what depends on tasks that are submitted again, and on what they depend.

// tries says of the known tasks which of them are further runs of others, and which failed because
// of others.
type tries struct {
	byCause map[uuid.UUID][]uuid.UUID // the tasks that failed because of one
	next    map[uuid.UUID]uuid.UUID   // the newest of the further runs of a task
	retryOf map[uuid.UUID]uuid.UUID
}

// loadTries looks at every known task once.
func (r *Resubmission) loadTries(ctx context.Context) (*tries, error) {
	k := &tries{map[uuid.UUID][]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}}
	return k, r.eachKnown(ctx, k.add)
}

// eachKnown looks at every known task once, the newest first.
func (r *Resubmission) eachKnown(ctx context.Context, look func(*schema.Task)) error {
	if !r.mayLook {
		return errNeedsSearch
	}
	for page := (PageRequest{Limit: triesPage}); ; {
		found, err := r.executor.store.List(ctx, Filter{}, page)
		if err != nil {
			return err
		}
		for i := range found.Tasks {
			look(&found.Tasks[i])
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return nil
		}
	}
}

// add adds a task. The newest task is added first.
func (k *tries) add(t *schema.Task) {
	if failedByOther(t) {
		k.byCause[t.Error.Cause] = append(k.byCause[t.Error.Cause], t.ID)
	}
	if t.Conditions == nil || t.Conditions.RetryOf == uuid.Nil {
		return
	}
	old := t.Conditions.RetryOf
	k.retryOf[t.ID] = old
	if _, newer := k.next[old]; !newer {
		k.next[old] = t.ID
	}
}

// newest is the newest run of a task, which may be itself.
func (k *tries) newest(id uuid.UUID) uuid.UUID {
	for {
		next, again := k.next[id]
		if !again {
			return id
		}
		id = next
	}
}

// dependents are the tasks that failed because of a task, or of one of which it is another run. Those
// that were submitted again meanwhile are left out.
func (k *tries) dependents(id uuid.UUID) (found []uuid.UUID) {
	for known := true; known; id, known = k.retryOf[id] {
		for _, d := range k.byCause[id] {
			if _, newer := k.next[d]; !newer {
				found = append(found, d)
			}
		}
	}
	return found
}

// failedByOther reports whether a task failed because another one did not end as it must.
func failedByOther(t *schema.Task) bool {
	return t.Error != nil && t.Error.Kind == schema.KindDependency
}

// findOthers adds the dependents of the tasks that were found, where the params want them. It
// refuses a task that failed because of another one which would not run again.
func (r *Resubmission) findOthers(ctx context.Context) (err error) {
	named := len(r.olds)
	wanted := r.params.Dependents
	for i := range r.olds {
		wanted = wanted || failedByOther(&r.olds[i].Task)
	}
	if !wanted {
		return nil
	}
	if r.known, err = r.loadTries(ctx); err != nil {
		return err
	}
	if r.params.Dependents {
		if err := r.findDependents(ctx); err != nil {
			return err
		}
	}
	if r.params.Force {
		return nil
	}
	for i := range r.olds[:named] {
		if err := r.checkCause(ctx, &r.olds[i].Task); err != nil {
			return err
		}
	}
	return nil
}

// findDependents adds those that have failed because of the tasks that were found, and so on.
func (r *Resubmission) findDependents(ctx context.Context) error {
	for i := 0; i < len(r.olds) && len(r.olds) <= MaxResubmitted; i++ {
		for _, id := range r.known.dependents(r.olds[i].ID) {
			old, err := r.executor.store.Get(ctx, id)
			switch {
			case errors.Is(err, ErrNotFound): // it is no longer kept
				continue
			case err != nil:
				return fmt.Errorf("%s: %w", id, err)
			}
			r.add(old)
		}
	}
	return nil
}

// checkCause refuses a task that failed because of another one, unless that one is submitted again, too,
// or was already and has not failed since.
func (r *Resubmission) checkCause(ctx context.Context, t *schema.Task) error {
	if !failedByOther(t) {
		return nil
	}
	if _, again := r.places[t.Error.Cause]; again {
		return nil
	}
	if t.BranchNotTaken() {
		return r.refused(t.ID, "%v runs only where %v fails, which has completed; leave it out, or give force", t.ID, t.Error.Cause)
	}
	root, err := r.root(ctx, t)
	if err != nil || root == t.ID {
		return err
	}
	return r.refused(t.ID, "%v has failed because of %v; retry %[2]v with dependents, or %[1]v alone with force", t.ID, root)
}

// root is the task that must run again before one that failed because of others can run. It is the task
// itself where the others have been submitted again, and have not failed since.
func (r *Resubmission) root(ctx context.Context, t *schema.Task) (uuid.UUID, error) {
	root := t.ID
	for failedByOther(t) {
		cause := r.known.newest(t.Error.Cause)
		record, err := r.executor.store.Get(ctx, cause)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged): // it cannot run again
			return t.Error.Cause, nil
		case err != nil:
			return uuid.Nil, fmt.Errorf("%s: %w", cause, err)
		case !record.State.Final(), record.State == schema.Completed:
			return root, nil
		}
		root, t = cause, &record.Task
	}
	return root, nil
}

// refused is the error of a task that is not submitted again.
func (r *Resubmission) refused(id uuid.UUID, format string, args ...any) error {
	pointer := "/id"
	for i := range r.params.IDs {
		if r.params.IDs[i] == id {
			pointer = "/ids/" + strconv.Itoa(i)
			break
		}
	}
	return &InputError{Violations: []schema.Violation{{Pointer: pointer, Message: fmt.Sprintf(format, args...)}}}
}
