package executor

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
)

// This file drops the hidden values of tasks that the store ends by itself, because of their
// conditions. No worker has such a task, so only the store's events tell of the end.

// unrun follows the tasks with conditions that have hidden values.
type unrun struct {
	mu      sync.Mutex
	watcher Watcher     // nil before Run
	early   []uuid.UUID // submitted before that
}

const unrunEvents = EventMask(1 << EventFinished)

// watchUnrun follows such tasks until the function that it answers is called.
func (e *Executor) watchUnrun(ctx context.Context) (stop func(), err error) {
	w, err := e.store.Watch(ctx)
	if err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			events, err := w.Next(ctx)
			if err != nil {
				return // it is closed
			}
			for i := range events {
				if events[i].Kind == EventFinished {
					e.vault.end(events[i].ID)
					w.Unfollow(events[i].ID, unrunEvents) // where it has ended while it was looked up
				}
			}
		}
	})
	u := &e.unrun
	u.mu.Lock()
	u.watcher = w
	early := u.early
	u.early = nil
	u.mu.Unlock()
	for _, id := range early {
		e.followUnrun(ctx, id)
	}
	return func() {
		w.Close()
		reading.Wait()
	}, nil
}

// followUnrun follows a task with conditions that has hidden values.
func (e *Executor) followUnrun(ctx context.Context, id uuid.UUID) {
	u := &e.unrun
	u.mu.Lock()
	w := u.watcher
	if w == nil {
		u.early = append(u.early, id)
	}
	u.mu.Unlock()
	if w == nil || w.Follow(ctx, id, unrunEvents) != nil {
		return
	}
	r, err := e.store.Get(ctx, id) // it may have ended before
	if errors.Is(err, ErrNotFound) || err == nil && r.State.Final() {
		e.vault.end(id)
		w.Unfollow(id, unrunEvents)
	}
}

// mayEndUnrun reports whether the store may end the task of a submission by itself.
func (s *Submission) mayEndUnrun() bool {
	c := s.Conditions
	return c != nil && (!c.ExpiresAt.IsZero() || len(c.After) > 0 || c.Dedupe != nil || c.Parent != uuid.Nil)
}
