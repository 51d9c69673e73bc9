package memory

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// place is where a task is: an entry if it is not final, or else a number among the finals.
type place struct {
	entry  *entry // nil of a final task
	number uint64
}

// find finds a task by id. The error is ErrNotFound, or ErrTaskGone if the task is not kept but its id is
// known, if only because tasks below it are kept. The caller holds mu.
func (s *Store) find(id uuid.UUID) (place, error) {
	if e := s.records.get(id); e != nil {
		return place{entry: e}, nil
	}
	number, known := s.known.find(id, s.finals.first)
	switch {
	case !known && !s.trees.Has(id):
		return place{}, executor.ErrNotFound
	case !known, number < s.finals.first:
		return place{}, executor.ErrTaskGone
	}
	return place{number: number}, nil
}

// findKept is find for callers that need the task itself: its only error is ErrNotFound. The caller holds mu.
func (s *Store) findKept(id uuid.UUID) (place, error) {
	p, err := s.find(id)
	if err != nil {
		return place{}, executor.ErrNotFound
	}
	return p, nil
}

// task is a task as it is now, with its input. The caller holds mu.
func (s *Store) task(p place) schema.Task {
	if p.entry != nil {
		t := p.entry.Value.task()
		if t.State == schema.Running && t.Progress == nil {
			t.Progress = s.trees.Progress(t.ID)
		}
		return t
	}
	t := s.finals.task(p.number)
	t.ID = s.known.idOf(p.number)
	return t
}

// record is a task as Get answers it. The caller holds mu.
func (s *Store) record(p place) executor.Record {
	terms := s.termsOf(p)
	r := executor.Record{Task: s.task(p), Timeout: terms.timeout, Grace: terms.grace, Rerun: terms.rerun}
	if x := s.extra(p); x != nil {
		r.History = x.history
	}
	return r
}

// termsOf are the terms of a task. The caller holds mu.
func (s *Store) termsOf(p place) *terms {
	if p.entry != nil {
		return p.entry.Value.terms
	}
	return s.finals.terms(p.number)
}

// extra is what few tasks have, or nil. The caller holds mu.
func (s *Store) extra(p place) *extra {
	if p.entry != nil {
		return p.entry.Value.extra()
	}
	return s.finals.restOf(p.number).extra
}

// matches reports whether a filter selects the task. It builds only what a filter looks at, because List looks
// at many tasks. The caller holds mu.
func (s *Store) matches(p place, filter *executor.Filter) bool {
	terms := s.termsOf(p)
	t := schema.Task{Type: terms.typ, Labels: terms.labels}
	if p.entry != nil {
		r := &p.entry.Value
		t.ID, t.State, t.CreatedAt, t.Conditions = r.id, r.state, r.created, r.conditions()
		if l := r.lease(); l != nil {
			t.RunsOn = l.as
		}
	} else {
		_, f := s.finals.at(p.number)
		t.ID, t.State, t.CreatedAt = s.known.idOf(p.number), f.state, f.created
		t.Conditions, t.RanOn = s.finals.restOf(p.number).conditions, s.finals.ranOn(p.number)
	}
	return filter.Match(&t)
}
