package nats

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// This file has what somebody needs who keeps submits while the servers cannot be reached.

// ErrUnreachable says that Open did not come to the servers, or that they could not answer at that time. It
// may be tried again with the same options.
var ErrUnreachable = errors.New("the servers cannot be reached")

// unreachable is an error that is ErrUnreachable, with its own text.
func unreachable(err error) error { return &unreachableError{err} }

type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

func (e *unreachableError) Is(target error) bool { return target == ErrUnreachable }

// Reached reports whether there is a connection, and nothing that this process has written waits for long. It
// does not block.
func (s *Store) Reached() bool {
	return (s.conn == nil || s.conn.IsConnected()) && s.isClosed() == nil && s.Info().Fault == ""
}

// Settle waits until what this process has written before can be read.
func (s *Store) Settle(ctx context.Context) error { return s.waitForOwnWrites(ctx) }

// Attach publishes all further events to the watchers of a feed, in place of those of Watch. Before that it
// calls first with a function that answers a task, and nothing happens to any task between the two.
func (s *Store) Attach(feed *kit.Feed, first func(get func(uuid.UUID) (executor.Record, error))) {
	s.applying.Lock()
	defer s.applying.Unlock()
	first(func(id uuid.UUID) (executor.Record, error) { return s.machine.tasks.Get(context.Background(), id) })
	s.machine.tasks.PublishTo(feed)
}
