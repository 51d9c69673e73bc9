package executor

import (
	"bytes"
	"context"
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
	// MaxAgain is how many tasks are submitted again at once.
	MaxAgain = 10_000
	// triesPage is how many of the known tasks are looked at together.
	triesPage = 1000
)

// rerun is tasks that are to be submitted again, in the order in which they were submitted.
type rerun struct {
	executor *Executor
	params   *schema.RetryParams
	olds     []Record
	places   map[uuid.UUID]int // of the olds
	news     []uuid.UUID       // their new ids
	now      schema.Time
	known    *tries // nil where nothing depends on how other tasks ended
}

// SubmitAgain submits tasks that have ended as new tasks, and answers these, each after those that
// it comes after. A task that comes after another one of them comes after the new one. It submits none
// where a check finds anything wrong with one. What changes between that check and the submit, as a
// queue that others fill, can refuse some of them: the error is then of the first that is missing.
func (e *Executor) SubmitAgain(ctx context.Context, p *schema.RetryParams) ([]schema.Task, error) {
	r := &rerun{executor: e, params: p, places: map[uuid.UUID]int{}, now: schema.Now()}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	submissions, err := r.submissions(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	if room := int64(e.MaxQueued()) - counts.Queued; int64(len(submissions)) > room {
		return nil, ErrQueueFull
	}
	answers, err := e.Submit(ctx, submissions)
	if err != nil {
		return nil, err
	}
	tasks := make([]schema.Task, len(answers))
	for i := range answers {
		if answers[i].Err != nil {
			return nil, fmt.Errorf("%s, another run of %s, was not submitted: %w", submissions[i].ID, r.olds[i].ID, answers[i].Err)
		}
		tasks[i] = submissions[i].Task
		tasks[i].Input = nil
	}
	return tasks, nil
}

// find finds the tasks to submit again.
func (r *rerun) find(ctx context.Context) error {
	p := r.params
	ids, single := p.IDs, p.ID != uuid.Nil
	if single == (len(ids) > 0) {
		return &InputError{Violations: []schema.Violation{{Message: "give either id or ids"}}}
	}
	if single {
		ids = []uuid.UUID{p.ID}
	}
	for _, id := range ids {
		old, err := r.executor.store.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		switch {
		case !old.State.Final():
			return r.refused(id, "%v has not ended, it is %v; cancel it, or wait for its end", id, old.State)
		case old.State == schema.Completed && !single && !p.Force:
			return r.refused(id, "%v has completed; leave it out, or give force", id)
		}
		r.add(old)
	}
	if err := r.findOthers(ctx); err != nil {
		return err
	}
	if len(r.olds) > MaxAgain {
		return &TooLargeError{What: "the number of tasks to submit again", Size: int64(len(r.olds)), Limit: MaxAgain, Cure: "name fewer"}
	}
	r.sort()
	return nil
}

func (r *rerun) add(old Record) {
	if _, twice := r.places[old.ID]; !twice {
		r.places[old.ID] = len(r.olds)
		r.olds = append(r.olds, old)
	}
}

// sort brings the tasks into an order in which each comes after those that it waits for.
func (r *rerun) sort() {
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

// submissions are the new tasks.
func (r *rerun) submissions(ctx context.Context) ([]Submission, error) {
	for range r.olds {
		r.news = append(r.news, r.executor.ids.next(r.now))
	}
	all := make([]Submission, len(r.olds))
	for i := range r.olds {
		var err error
		if all[i], err = r.submission(ctx, i); err != nil {
			return nil, fmt.Errorf("%s: %w", r.olds[i].ID, err)
		}
	}
	return all, nil
}

// submission is the new task for one of the old ones.
func (r *rerun) submission(ctx context.Context, i int) (s Submission, err error) {
	old := &r.olds[i]
	p := schema.SubmitParams{
		Type: old.Type, ID: r.news[i], Priority: new(int(old.Priority)), Events: []string{}, Rerun: &old.Rerun,
		Labels: maps.Clone(old.Labels),
	}
	if p.Input, err = r.revealed(old); err != nil {
		return s, err
	}
	if c := old.Conditions; c != nil {
		p.Group, p.Key, p.Needs, p.Retry = c.Group, c.Key, c.Needs, c.Retry
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
	s.NewID, s.Labels, s.Timeout, s.Grace = true, own, old.Timeout, old.Grace
	c := new(schema.Conditions)
	if s.Conditions != nil {
		c = s.Conditions
	}
	c.RetryOf = old.ID
	s.Conditions = c
	return s, nil
}

// after are the tasks that a new task comes after: the new ones in the place of old ones, and of the
// others those that have not ended. Where the old task failed because of another one, the newest
// runs of the others count.
func (r *rerun) after(ctx context.Context, old *Record) (after []schema.Dependency, err error) {
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
func (r *rerun) parent(ctx context.Context, old uuid.UUID) (uuid.UUID, error) {
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
func (r *rerun) revealed(old *Record) (jsontext.Value, error) {
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
