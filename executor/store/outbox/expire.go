package outbox

import (
	"context"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file ends tasks that expire while they wait. One that the namespace may have expires there.

// expiryPause is how long it waits at most until it looks at the clock again, while something is to expire: a timer stands
// still while the machine is suspended.
const expiryPause = time.Minute

// expireAll ends tasks when they expire, until ctx ends.
func (s *Store) expireAll(ctx context.Context) {
	for {
		var due <-chan time.Time
		if at := s.nextExpiry(); !at.IsZero() {
			due = time.After(min(time.Until(at.Time())+time.Millisecond, expiryPause))
		}
		select {
		case <-ctx.Done():
			return
		case <-s.dated:
			continue
		case <-due:
		}
		s.writing.Lock()
		done := s.endExpired()
		s.writing.Unlock()
		if !done {
			select {
			case <-ctx.Done():
				return
			case <-time.After(mostWritePause):
			}
		}
	}
}

// nextExpiry is when the next task expires; zero where none does.
func (s *Store) nextExpiry() (next schema.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.entries {
		if at := k.expiresAt(); !at.IsZero() && (next.IsZero() || at < next) {
			next = at
		}
	}
	return next
}

// expiresAt is when the task expires here; zero is never.
func (k *kept) expiresAt() schema.Time {
	if k.Record.Conditions == nil || k.Refused != "" || k.uncertain() {
		return 0
	}
	return k.Record.Conditions.ExpiresAt
}

// endExpired ends the tasks that have expired. It reports false where that cannot be written. It needs writing.
func (s *Store) endExpired() bool {
	var over []*kept
	var c Change
	now := schema.Now()
	s.mu.Lock()
	for _, k := range s.entries {
		if at := k.expiresAt(); !at.IsZero() && at <= now {
			over, c.Remove = append(over, k), append(c.Remove, k.Number)
		}
	}
	s.mu.Unlock()
	if len(over) == 0 {
		return true
	}
	if s.write(c) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(over, func(k *kept) executor.Record {
		r := k.Record
		r.State, r.FinishedAt = schema.Failed, now
		r.Error = plan.Ending{Task: &plan.Task{Conditions: r.Conditions}}.Error()
		return r
	})
	return true
}
