package nats

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file has the methods of the store that write a change and wait for it, and the methods that read.

// Submit implements executor.Store.
func (s *Store) Submit(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(ctx, submissions, change{Submit: submissionsOf(submissions)})
}

// SubmitAll implements executor.Store.
func (s *Store) SubmitAll(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(ctx, submissions, change{Submit: submissionsOf(submissions), All: true})
}

// DryRun implements executor.Store.
func (s *Store) DryRun(ctx context.Context, asked []executor.Submission) ([]executor.Submitted, error) {
	return s.submit(ctx, asked, change{DryRun: submissionsOf(asked)})
}

// submit writes a change that holds the submissions. It writes nothing if there are none.
func (s *Store) submit(ctx context.Context, submissions []executor.Submission, c change) ([]executor.Submitted, error) {
	if len(submissions) == 0 {
		return nil, s.isClosed()
	}
	a, err := s.do(ctx, c)
	return a.submitted, err
}

// Cancel implements executor.Store.
func (s *Store) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	a, err := s.do(ctx, change{Cancel: &cancel{IDs: ids, Reason: c.Reason, Force: c.Force}})
	return a.cancelled, err
}

// Update implements executor.Store.
func (s *Store) Update(ctx context.Context, id uuid.UUID, u *executor.Update) (schema.Task, error) {
	a, err := s.do(ctx, change{Update: updateOf(id, u)})
	return a.task, err
}

// SetGroup implements executor.Store.
func (s *Store) SetGroup(ctx context.Context, name string, settings plan.Settings) error {
	_, err := s.do(ctx, change{Group: groupOf(name, settings)})
	return err
}

// Pause implements executor.Store.
func (s *Store) Pause(ctx context.Context, paused bool) error {
	_, err := s.do(ctx, change{Pause: &paused})
	return err
}

// SetSchedules implements executor.Store.
func (s *Store) SetSchedules(ctx context.Context, changed ...executor.ScheduleText) error {
	if len(changed) == 0 {
		return s.isClosed()
	}
	_, err := s.do(ctx, change{Schedules: schedulesOf(changed)})
	return err
}

// Get implements executor.Store.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return executor.Record{}, err
	}
	return s.machine.tasks.Get(ctx, id)
}

// List implements executor.Store.
func (s *Store) List(ctx context.Context, filter executor.Filter, page executor.PageRequest) (executor.Page, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return executor.Page{}, err
	}
	return s.machine.tasks.List(ctx, filter, page)
}

// OpenBelow implements executor.Store.
func (s *Store) OpenBelow(ctx context.Context, w *executor.TreeWalk) (uuid.UUID, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return uuid.Nil, err
	}
	return s.machine.tasks.OpenBelow(ctx, w)
}

// Counts implements executor.Store.
func (s *Store) Counts(ctx context.Context) (executor.Counts, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return executor.Counts{}, err
	}
	return s.machine.tasks.Counts(ctx)
}

// Output implements executor.Store.
func (s *Store) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, r executor.OutputRange) (executor.OutputPiece, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return executor.OutputPiece{}, err
	}
	return s.machine.tasks.Output(ctx, id, stream, r)
}

// Replay implements executor.Store.
func (s *Store) Replay(ctx context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return nil, err
	}
	return s.machine.tasks.Replay(ctx, after, through, limit)
}

// Groups implements executor.Store.
func (s *Store) Groups(ctx context.Context) (plan.Overview, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return plan.Overview{}, err
	}
	return s.machine.tasks.Groups(ctx)
}

// Schedules implements executor.Store.
func (s *Store) Schedules(ctx context.Context) ([]executor.ScheduleText, error) {
	if err := s.isClosed(); err != nil {
		return nil, err
	}
	return s.machine.tasks.Schedules(ctx)
}

// Watch implements executor.Store.
func (s *Store) Watch(ctx context.Context) (executor.Watcher, error) {
	if err := s.isClosed(); err != nil {
		return nil, err
	}
	w, err := s.machine.tasks.Watch(ctx)
	if err != nil {
		return nil, err
	}
	return watcher{w, s}, nil
}

// watcher is a watcher of the copy that waits for the process's own writes first.
type watcher struct {
	executor.Watcher
	store *Store
}

// Subscribe implements executor.Watcher. The answer's sequence number comes after everything that this process
// did before.
func (w watcher) Subscribe(ctx context.Context, selector executor.Selector) (executor.SubscriptionID, uint64, error) {
	if err := w.store.waitForOwnWrites(ctx); err != nil {
		return 0, 0, err
	}
	return w.Watcher.Subscribe(ctx, selector)
}

// Barrier implements executor.Watcher.
func (w watcher) Barrier(ctx context.Context) error {
	if err := w.store.waitForOwnWrites(ctx); err != nil {
		return err
	}
	return w.Watcher.Barrier(ctx)
}
