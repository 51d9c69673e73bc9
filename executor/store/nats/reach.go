package nats

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// This file has what an outbox needs, which keeps submits while the servers cannot be reached.

// ErrUnreachable says that Open did not reach the servers, or that they could not answer at that time. Open may
// be tried again with the same options.
var ErrUnreachable = errors.New("the servers cannot be reached")

// unreachable wraps an error so that it is ErrUnreachable, and keeps its text.
func unreachable(err error) error { return &unreachableError{err} }

type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

func (e *unreachableError) Is(target error) bool { return target == ErrUnreachable }

// Reached reports whether there is a connection, and no write of this process has been waiting for long. It
// does not block.
func (s *Store) Reached() bool {
	return (s.conn == nil || s.conn.IsConnected()) && s.isClosed() == nil && s.Info().Fault == ""
}

// Settle waits until reads show everything that this process has written before, or ctx ends. After five
// seconds it gives up without an error.
func (s *Store) Settle(ctx context.Context) error { return s.waitForOwnWrites(ctx) }

// Attach publishes all further events to the watchers of feed, in place of the store's own watchers. Before
// that it calls first with a function that reads a task; no task changes between the calls of that function and
// the first event.
func (s *Store) Attach(feed *kit.Feed, first func(get func(uuid.UUID) (executor.Record, error))) {
	s.applying.Lock()
	defer s.applying.Unlock()
	first(func(id uuid.UUID) (executor.Record, error) { return s.machine.tasks.Get(context.Background(), id) })
	s.machine.tasks.PublishTo(feed)
}
