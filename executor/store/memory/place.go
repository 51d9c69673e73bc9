package memory

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// place is where a task is: one that is not final has an entry, and a final one that is
// kept has a number.
type place struct {
	entry  *entry // nil of a final task
	number uint64
}

// find is where the task with the id is. The error is ErrNotFound, or ErrTaskGone where
// the task is not kept but its id is, if only by the tasks below it. It needs the lock.
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

// findKept is find where an id alone is of no use. It needs the lock.
func (s *Store) findKept(id uuid.UUID) (place, error) {
	p, err := s.find(id)
	if err != nil {
		return place{}, executor.ErrNotFound
	}
	return p, nil
}

// task is a task as it is now, with its input. It needs the lock.
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

// record is a task as the contract of stores has it. It needs the lock.
func (s *Store) record(p place) executor.Record {
	terms := s.termsOf(p)
	r := executor.Record{Task: s.task(p), Timeout: terms.timeout, Grace: terms.grace, Rerun: terms.rerun}
	if x := s.extra(p); x != nil {
		r.History = x.history
	}
	return r
}

// termsOf are the terms of a task. It needs the lock.
func (s *Store) termsOf(p place) *terms {
	if p.entry != nil {
		return p.entry.Value.terms
	}
	return s.finals.terms(p.number)
}

// extra is what few tasks have, or nil. It needs the lock.
func (s *Store) extra(p place) *extra {
	if p.entry != nil {
		return p.entry.Value.extra()
	}
	return s.finals.restOf(p.number).extra
}

// matches reports whether a filter selects the task. List looks at many, so no whole
// task is made of each. It needs the lock.
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
