package memory

import (
	"bytes"
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// Submit implements executor.Store.
func (s *Store) Submit(_ context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(submissions, false)
}

// SubmitAll implements executor.Store.
func (s *Store) SubmitAll(_ context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(submissions, true)
}

// submit records tasks. With all it records none if one of them is refused.
func (s *Store) submit(submissions []executor.Submission, all bool) ([]executor.Submitted, error) {
	answers := make([]executor.Submitted, len(submissions))
	fresh := s.newEntries(len(submissions))
	for i := range submissions { // what can be done without the lock
		s.fill(fresh[i], &submissions[i])
	}
	s.mu.Lock()
	defer s.unlockAndRevoke()
	if s.closed {
		return nil, executor.ErrClosed
	}
	now := s.now()
	s.sweep(now)
	if all {
		if tried := s.dryRun(submissions, now); kit.Refused(tried) {
			return tried, nil
		}
	}
	added := 0
	for i, e := range fresh {
		asked := &submissions[i]
		p, err := place{}, error(executor.ErrNotFound)
		if !s.isNew(asked) {
			p, err = s.find(asked.ID)
		}
		switch err {
		case nil:
			answers[i] = s.answerKnown(p, asked)
		case executor.ErrNotFound:
			s.addUnlessDuplicate(e, asked, &answers[i], now)
		default:
			answers[i].Err = err
		}
		if answers[i].Err == nil && !answers[i].Existing {
			added++
			answers[i].WaitingFor = s.waiting(e)
			if asked.Posted {
				s.publishSent(asked, &answers[i])
			}
		}
	}
	s.claims.Wake(added)
	s.planned.Settle(now)
	return answers, nil
}

// publishSent publishes that a task has left an outbox. The caller holds mu.
func (s *Store) publishSent(asked *executor.Submission, answer *executor.Submitted) {
	r := asked.Record
	if answer.Conditions != nil {
		r.Conditions = answer.Conditions
	}
	ev := kit.Updated(&r, nil)
	ev.Sent = true
	s.feed.Publish(asked.Owner, asked.Events, ev)
}

// spareEntries bounds the entries that are kept for reuse: enough for two bursts of submits.
const spareEntries = 512

// newEntries answers n entries, reused ones first.
func (s *Store) newEntries(n int) []*entry {
	blanks := make([]*entry, n)
	s.mu.Lock()
	spare := max(len(s.spare)-n, 0)
	used := copy(blanks, s.spare[spare:])
	clear(s.spare[spare:])
	s.spare = s.spare[:spare]
	s.mu.Unlock()
	for i := used; i < n; i++ {
		blanks[i] = new(entry)
	}
	return blanks
}

// isNew reports whether it is certain that no task has the id of a submission: its id was made for it, and is
// greater than all such ids before. Such ids rise, so this is the usual case.
func (s *Store) isNew(asked *executor.Submission) bool {
	if !asked.NewID || bytes.Compare(asked.ID[:], s.latest[:]) <= 0 {
		return false
	}
	s.latest = asked.ID
	return true
}

func (s *Store) answerKnown(known place, asked *executor.Submission) executor.Submitted {
	record := s.record(known)
	if !record.Same(asked.Type, asked.Input) {
		return executor.Submitted{Err: executor.ErrIDConflict}
	}
	return executor.Submitted{Existing: true, Task: &record.Task}
}

// fullQueue is ErrQueueFull if the queue has no room for one more task after frees others have left it, or nil.
// The caller holds mu.
func (s *Store) fullQueue(frees int) error {
	if int(s.counts.Queued)-frees >= s.options.MaxQueued {
		return executor.ErrQueueFull
	}
	return nil
}

// add puts a new task into the queue.
func (s *Store) add(e *entry, now schema.Time) error { return s.addReplacing(e, 0, now) }

// addReplacing is add for a task that takes the place of frees others.
func (s *Store) addReplacing(e *entry, frees int, now schema.Time) error {
	if err := s.fullQueue(frees); err != nil {
		return err
	}
	if e.Value.planned() != nil {
		return s.addPlanned(e, now)
	}
	s.claims.Push(e, e.Value.terms.typ, e.Value.priority)
	s.enlist(e)
	return nil
}

// enlist adds a new task, which has its order number already, to the indexes.
func (s *Store) enlist(e *entry) {
	s.records.add(e)
	s.dedupes.Add(e.Value.conditions(), e.Value.id)
	s.timeline.add(e)
	s.counts.Queued++
}
