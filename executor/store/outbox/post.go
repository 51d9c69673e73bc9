package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file takes submits.

// errSlow is the cause when a submit waits for the namespace no longer.
var errSlow = fmt.Errorf("the namespace has not answered within %v", directPatience)

// Post implements executor.Outbox.
func (s *Store) Post(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	sent := false
	if in := s.canReach(); in != nil && !s.goesBehind(submissions) {
		waiting, cancel := context.WithTimeoutCause(ctx, directPatience, errSlow)
		answers, err := in.Submit(waiting, submissions)
		cancel()
		if !errors.Is(err, executor.ErrStoreUnavailable) || ctx.Err() != nil {
			return answers, err
		}
		sent = errors.Is(err, executor.ErrOutcomeUnknown)
	}
	return s.keep(ctx, submissions, sent)
}

// goesBehind reports whether submissions have to wait behind others, or are of tasks that the outbox knows.
func (s *Store) goesBehind(submissions []executor.Submission) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) > s.refused {
		return true
	}
	for i := range submissions {
		if _, known := s.known(submissions[i].ID); known || s.damagedAt(submissions[i].ID) >= 0 {
			return true // a damaged entry is replaced by a whole one
		}
	}
	return false
}

// known is the task with an id that waits here, or was cancelled here. It needs mu.
func (s *Store) known(id uuid.UUID) (executor.Record, bool) {
	if k := s.byID[id]; k != nil {
		return k.record(s.file.Path()), true
	}
	return s.ended.get(id)
}

// keep writes submissions to the file. sent says that the namespace may have them.
func (s *Store) keep(ctx context.Context, submissions []executor.Submission, sent bool) ([]executor.Submitted, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	answers := make([]executor.Submitted, len(submissions))
	fresh := map[uuid.UUID]*kept{}
	var order []*kept
	var c Change
	bytes := int64(0)
	for i := range submissions {
		asked := &submissions[i]
		if r, known := s.find(ctx, asked, fresh, sent); known {
			answers[i] = answerKnown(&r, asked)
			continue
		}
		bytes += SizeOf(&asked.Record)
		if answers[i].Err = s.room(len(order)+1, bytes); answers[i].Err != nil {
			bytes -= SizeOf(&asked.Record)
			continue
		}
		tried := sent || s.isDamaged(asked.ID) // which may have been sent
		k := &kept{Entry: Entry{Number: s.last + int64(len(order)) + 1, Record: asked.Record, Tried: tried}, owner: asked.Owner, events: asked.Events}
		fresh[asked.ID] = k
		order, c.Add = append(order, k), append(c.Add, k.Entry)
		answers[i].WaitingFor = k.record(s.file.Path()).WaitingFor
	}
	if len(order) == 0 {
		return answers, nil
	}
	s.last += int64(len(order)) // also after an error: the file may have the numbers
	if err := s.write(c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	for _, k := range order {
		s.forgetDamaged(k.Record.ID)
		s.put(k)
	}
	s.mu.Unlock()
	s.log.Info("submits wait in the outbox, until the namespace takes them", "tasks", len(order), "outbox", s.file.Path())
	notify(s.wake)
	return answers, nil
}

// find is the task with the id of a submission: among those that are just added, in the outbox, or in what
// is known of the namespace. It needs writing.
func (s *Store) find(ctx context.Context, asked *executor.Submission, fresh map[uuid.UUID]*kept, sent bool) (executor.Record, bool) {
	if k := fresh[asked.ID]; k != nil {
		return k.record(s.file.Path()), true
	}
	s.mu.Lock()
	r, known := s.known(asked.ID)
	s.mu.Unlock()
	if known || asked.NewID || sent {
		return r, known
	}
	in, err := s.behind()
	if err != nil {
		return r, false
	}
	r, err = in.Get(ctx, asked.ID)
	return r, err == nil
}

func answerKnown(r *executor.Record, asked *executor.Submission) executor.Submitted {
	if !r.Same(asked.Type, asked.Input) {
		return executor.Submitted{Err: executor.ErrIDConflict}
	}
	return executor.Submitted{Existing: true, Task: &r.Task}
}

// room says which limit so many more entries with so many bytes pass, or nil.
func (s *Store) room(more int, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	const cure = "the namespace must be reached, or cancel some that wait or were refused"
	switch {
	case len(s.entries)+more > MaxEntries:
		return &executor.FullError{What: "the number of submits in the outbox " + s.file.Path(), Limit: MaxEntries, Cure: cure}
	case s.bytes+bytes > MaxBytes:
		return &executor.FullError{What: "the bytes of the submits in the outbox " + s.file.Path(), Limit: MaxBytes, Cure: cure}
	}
	return nil
}

// State implements executor.Outbox.
func (s *Store) State() schema.OutboxState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return schema.OutboxState{File: s.file.Path(), Waiting: len(s.entries) - s.refused, Refused: s.refused, Damaged: len(s.damaged)}
}
