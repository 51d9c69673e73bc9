package executor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file submits tasks again that have ended.

const (
	// MaxResubmitted is how many tasks are submitted again at once.
	MaxResubmitted = 10_000
	// triesPage is how many of the known tasks are looked at together.
	triesPage = 1000
)

// errNeedsSearch is the error where all known tasks have to be looked at.
var errNeedsSearch = errors.New("all known tasks have to be looked at")

// NeedsSearch reports whether FindResubmission would have had to look at all known tasks.
func NeedsSearch(err error) bool { return errors.Is(err, errNeedsSearch) }

// Resubmission is tasks that are to be submitted again, in the order in which they were submitted. Its methods
// are for one goroutine.
type Resubmission struct {
	executor    *Executor
	params      *schema.RetryParams
	mayLook     bool // at all known tasks
	olds        []Record
	places      map[uuid.UUID]int // of the olds
	news        []uuid.UUID       // their new ids
	now         schema.Time
	known       *tries // nil where nothing depends on how other tasks ended
	submissions []Submission
	existing    []schema.Task // the new tasks, where the same request has made them before
}

// Resubmit is FindResubmission and Submit.
func (e *Executor) Resubmit(ctx context.Context, p *schema.RetryParams) (schema.RetryResult, error) {
	r, err := e.FindResubmission(ctx, p, true)
	if err != nil {
		return schema.RetryResult{}, err
	}
	return r.Submit(ctx)
}

// FindResubmission finds the tasks that a request to submit tasks again is about, and records nothing. Where it
// would have to look at all known tasks, and may not, the error is one of NeedsSearch.
func (e *Executor) FindResubmission(ctx context.Context, p *schema.RetryParams, mayLook bool) (*Resubmission, error) {
	r := &Resubmission{executor: e, params: p, mayLook: mayLook, places: map[uuid.UUID]int{}, now: schema.Now()}
	if (p.ID != uuid.Nil) == (len(p.IDs) > 0) {
		return nil, &InputError{Violations: []schema.Violation{{Message: "give either id or ids"}}}
	}
	if found, err := r.findExisting(ctx); found || err != nil {
		return r, err
	}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	return r, r.prepare(ctx)
}

// Submit submits tasks that have ended as new tasks, and answers these, each after those that
// it comes after. A task that comes after another one of them comes after the new one. It submits all of
// them, or none.
func (r *Resubmission) Submit(ctx context.Context) (result schema.RetryResult, err error) {
	if r.existing != nil {
		return schema.RetryResult{Tasks: r.existing, Existing: true}, nil
	}
	answers, err := r.executor.submitAll(ctx, r.submissions)
	if err != nil {
		return result, err
	}
	result.Tasks, result.Existing = make([]schema.Task, len(answers)), true
	for i := range answers {
		a := &answers[i]
		switch {
		case errors.Is(a.Err, errNotAll):
			continue
		case errors.Is(a.Err, ErrQueueFull):
			return result, ErrQueueFull
		case a.Err != nil:
			return result, fmt.Errorf("%s, another run of %s, is not submitted, and none of the others: %w", r.submissions[i].ID, r.olds[i].ID, a.Err)
		case a.Existing: // the same request was handled meanwhile
			result.Tasks[i] = *a.Task
		default:
			result.Tasks[i], result.Existing = r.submissions[i].Task, false
		}
		result.Tasks[i].Input, result.Tasks[i].WaitingFor = nil, nil
	}
	return result, nil
}

// named are the ids of the request.
func (r *Resubmission) named() []uuid.UUID {
	if r.params.ID != uuid.Nil {
		return []uuid.UUID{r.params.ID}
	}
	return r.params.IDs
}

// newID is the id of a new task. Where the request has an id of its own, it is the same each time that
// the request is sent.
func (r *Resubmission) newID(old uuid.UUID) uuid.UUID {
	if r.params.RequestID == uuid.Nil {
		return r.executor.ids.next(r.now)
	}
	return uuid.NewHash(sha256.New(), r.params.RequestID, old[:], 8)
}

// findExisting finds the tasks that the same request has made, if it was sent before.
func (r *Resubmission) findExisting(ctx context.Context) (sent bool, err error) {
	if r.params.RequestID == uuid.Nil {
		return false, nil
	}
	var first schema.Task
	var missing []uuid.UUID
	named, known := r.named(), 0
	for _, old := range named {
		again, err := r.executor.store.Get(ctx, r.newID(old))
		switch {
		case errors.Is(err, ErrNotFound):
			missing = append(missing, old)
		case err != nil:
			return false, err
		default:
			first = again.Task
			known++
		}
	}
	if known == 0 {
		return false, nil
	}
	if err := r.checkForgotten(ctx, missing); err != nil {
		return false, err
	}
	if len(named) == 1 && !r.params.Dependents {
		r.addExisting(first)
		return true, nil
	}
	err = r.eachKnown(ctx, func(t *schema.Task) {
		if c := t.Conditions; c != nil && c.RetryOf != uuid.Nil && r.newID(c.RetryOf) == t.ID {
			r.addExisting(*t)
		}
	})
	slices.Reverse(r.existing)
	return true, err
}

// addExisting adds a task to the answer, with the members that the first answer had: all of their
// results can be too much for one answer.
func (r *Resubmission) addExisting(t schema.Task) {
	t.Input, t.Result, t.WaitingFor = nil, nil, nil
	r.existing = append(r.existing, t)
}

// checkForgotten refuses a request of which only some of the new tasks are known, unless the others are
// forgotten: then the old ones are, too, because they ended before. Else it is another request.
func (r *Resubmission) checkForgotten(ctx context.Context, olds []uuid.UUID) error {
	for _, id := range olds {
		_, err := r.executor.store.Get(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		default:
			return &InputError{Violations: []schema.Violation{{
				Pointer: "/requestId", Message: fmt.Sprintf("a request with this id was sent before, and not for %v; give each request an id of its own", id),
			}}}
		}
	}
	return nil
}

// find finds the tasks to submit again.
func (r *Resubmission) find(ctx context.Context) error {
	p := r.params
	for _, id := range r.named() {
		old, err := r.executor.store.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		switch {
		case !old.State.Final():
			return r.refused(id, "%v has not ended, it is %v; cancel it, or wait for its end", id, old.State)
		case old.State == schema.Completed && p.ID == uuid.Nil && !p.Force:
			return r.refused(id, "%v has completed; leave it out, or give force", id)
		}
		r.add(old)
	}
	if err := r.findOthers(ctx); err != nil {
		return err
	}
	if len(r.olds) > MaxResubmitted {
		return &TooLargeError{What: "the number of tasks to submit again", Size: int64(len(r.olds)), Limit: MaxResubmitted, Cure: "name fewer"}
	}
	r.sort()
	return nil
}

func (r *Resubmission) add(old Record) {
	if _, twice := r.places[old.ID]; !twice {
		r.places[old.ID] = len(r.olds)
		r.olds = append(r.olds, old)
	}
}

// sort brings the tasks into an order in which each comes after those that it waits for.
func (r *Resubmission) sort() {
	var sorted []Record
	visited := make([]bool, len(r.olds))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, d := range afterOf(&r.olds[i]) {
			if before, found := r.places[d.ID]; found {
				visit(before)
			}
		}
		sorted = append(sorted, r.olds[i])
	}
	for i := range r.olds {
		visit(i)
	}
	r.olds = sorted
	for i := range sorted {
		r.places[sorted[i].ID] = i
	}
}

func afterOf(r *Record) []schema.Dependency {
	if r.Conditions == nil {
		return nil
	}
	return r.Conditions.After
}

// prepare prepares the new tasks.
func (r *Resubmission) prepare(ctx context.Context) error {
	for i := range r.olds {
		r.news = append(r.news, r.newID(r.olds[i].ID))
	}
	r.submissions = make([]Submission, len(r.olds))
	for i := range r.olds {
		var err error
		if r.submissions[i], err = r.submission(ctx, i); err != nil {
			return fmt.Errorf("%s: %w", r.olds[i].ID, err)
		}
	}
	return nil
}

// submission is the new task for one of the old ones.
func (r *Resubmission) submission(ctx context.Context, i int) (s Submission, err error) {
	old := &r.olds[i]
	p := schema.SubmitParams{
		Type: old.Type, ID: r.news[i], Priority: new(int(old.Priority)), Events: []string{}, Rerun: &old.Rerun,
		Labels: maps.Clone(old.Labels),
	}
	if p.Input, err = r.revealed(old); err != nil {
		return s, err
	}
	if c := old.Conditions; c != nil {
		p.Group, p.Key, p.Needs, p.On, p.Retry = c.Group, c.Key, c.Needs, c.On, c.Retry
		if c.Group != "" { // else the group would give again what the submit or an update has taken away
			p.Needs, p.On = orEmpty(p.Needs), orEmpty(p.On)
		}
		if p.After, err = r.after(ctx, old); err != nil {
			return s, err
		}
		if p.Parent, err = r.parent(ctx, c.Parent); err != nil {
			return s, err
		}
	}
	own := p.Labels
	if len(own) > MaxLabels { // the server has added one, and no submit may have so many
		p.Labels = nil
	}
	if s, err = r.executor.PrepareAt(&p, r.now); err != nil {
		return s, err
	}
	s.NewID, s.Labels, s.Timeout, s.Grace = r.params.RequestID == uuid.Nil, own, old.Timeout, old.Grace
	c := new(schema.Conditions)
	if s.Conditions != nil {
		c = s.Conditions
	}
	c.RetryOf = old.ID
	s.Conditions = c
	return s, nil
}

// orEmpty is a map that is not nil.
func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// after are the tasks that a new task comes after: the new ones in the place of old ones, and of the
// others those that have not ended. Where the old task failed because of another one, the newest
// runs of the others count.
func (r *Resubmission) after(ctx context.Context, old *Record) (after []schema.Dependency, err error) {
	for _, d := range old.Conditions.After {
		if i, again := r.places[d.ID]; again {
			after = append(after, schema.Dependency{ID: r.news[i], On: d.On})
			continue
		}
		if failedByOther(&old.Task) {
			d.ID = r.known.newest(d.ID)
		}
		t, err := r.executor.store.Get(ctx, d.ID)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		case err != nil:
			return nil, err
		case !t.State.Final():
			after = append(after, d)
		}
	}
	return after, nil
}

// parent is the parent of a new task: that of the old one, where it can still have a part.
func (r *Resubmission) parent(ctx context.Context, old uuid.UUID) (uuid.UUID, error) {
	if old == uuid.Nil {
		return old, nil
	}
	t, err := r.executor.store.Get(ctx, old)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return uuid.Nil, nil
	case err != nil:
		return uuid.Nil, fmt.Errorf("%s: %w", old, err)
	case t.State.Final(), !t.CancelRequestedAt.IsZero():
		return uuid.Nil, nil
	}
	return old, nil
}

// revealed is the input of a task with its hidden values.
func (r *Resubmission) revealed(old *Record) (jsontext.Value, error) {
	t, err := r.executor.lookup(old.Type)
	if err != nil || t.secrets == nil {
		return old.Input, err
	}
	var values [][]byte
	var missing []string
	err = t.secretPlaces(old.Input, func(p secretPlace) {
		if !p.masked {
			return
		}
		value, given := r.params.Hidden[p.name]
		if !given {
			missing = append(missing, p.name)
		}
		quoted, _ := jsontext.AppendQuote(nil, value) // the params are valid UTF-8
		values = append(values, quoted)
	})
	if err != nil {
		return nil, err
	}
	if missing != nil {
		slices.Sort(missing)
		var v violations
		for _, name := range slices.Compact(missing) {
			v = append(v, schema.Violation{
				Pointer: string(jsontext.Pointer("/hidden").AppendToken(name)), Message: "it is hidden in the input, and kept nowhere; give the value",
			})
		}
		return nil, &InputError{Violations: v}
	}
	return t.reveal(bytes.Clone(old.Input), values)
}
