package outbox

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file passes on what the namespace does. Before that was reached, an error says so.

// behind calls a method of the namespace that answers something.
func behind[T any](s *Store, f func(Namespace) (T, error)) (T, error) {
	in, err := s.behind()
	if err != nil {
		return *new(T), err
	}
	return f(in)
}

// change calls a method of the namespace that answers nothing.
func (s *Store) change(f func(Namespace) error) error {
	in, err := s.behind()
	if err != nil {
		return err
	}
	return f(in)
}

// Submit implements executor.Store. It waits for the namespace, and keeps nothing: that is Post.
func (s *Store) Submit(ctx context.Context, all []executor.Submission) ([]executor.Submitted, error) {
	return behind(s, func(in Namespace) ([]executor.Submitted, error) { return in.Submit(ctx, all) })
}

// SubmitAll implements executor.Store.
func (s *Store) SubmitAll(ctx context.Context, all []executor.Submission) ([]executor.Submitted, error) {
	return behind(s, func(in Namespace) ([]executor.Submitted, error) { return in.SubmitAll(ctx, all) })
}

// DryRun implements executor.Store.
func (s *Store) DryRun(ctx context.Context, all []executor.Submission) ([]executor.Submitted, error) {
	return behind(s, func(in Namespace) ([]executor.Submitted, error) { return in.DryRun(ctx, all) })
}

// OpenBelow implements executor.Store.
func (s *Store) OpenBelow(ctx context.Context, w *executor.TreeWalk) (uuid.UUID, error) {
	return behind(s, func(in Namespace) (uuid.UUID, error) { return in.OpenBelow(ctx, w) })
}

// Update implements executor.Store.
func (s *Store) Update(ctx context.Context, id uuid.UUID, u *executor.Update) (schema.Task, error) {
	if state, here := s.stateHere(id); here && state.Final() {
		return schema.Task{}, &executor.NotQueuedError{State: state}
	} else if here {
		return schema.Task{}, fmt.Errorf("%w: the task waits in the outbox %s, and can be changed when it was sent", executor.ErrStoreUnavailable, s.file.Path())
	}
	return behind(s, func(in Namespace) (schema.Task, error) { return in.Update(ctx, id, u) })
}

// Output implements executor.Store.
func (s *Store) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, r executor.OutputRange) (executor.OutputPiece, error) {
	if state, here := s.stateHere(id); here { // it has not run
		return executor.OutputPiece{Final: state.Final()}, nil
	}
	return behind(s, func(in Namespace) (executor.OutputPiece, error) { return in.Output(ctx, id, stream, r) })
}

// Replay implements executor.Store.
func (s *Store) Replay(ctx context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	return behind(s, func(in Namespace) ([]executor.Event, error) { return in.Replay(ctx, after, through, limit) })
}

// stateHere is the state of a task that the namespace surely does not know, because it is here.
func (s *Store) stateHere(id uuid.UUID) (schema.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.byID[id]; k != nil && k.uncertain() {
		return 0, false
	}
	r, here := s.known(id)
	return r.State, here
}

// SetGroup implements executor.Store.
func (s *Store) SetGroup(ctx context.Context, name string, settings plan.Settings) error {
	return s.change(func(in Namespace) error { return in.SetGroup(ctx, name, settings) })
}

// Groups implements executor.Store.
func (s *Store) Groups(ctx context.Context) (plan.Overview, error) {
	return behind(s, func(in Namespace) (plan.Overview, error) { return in.Groups(ctx) })
}

// Pause implements executor.Store.
func (s *Store) Pause(ctx context.Context, paused bool) error {
	return s.change(func(in Namespace) error { return in.Pause(ctx, paused) })
}

// SetSchedules implements executor.Store.
func (s *Store) SetSchedules(ctx context.Context, changed ...executor.ScheduleText) error {
	return s.change(func(in Namespace) error { return in.SetSchedules(ctx, changed...) })
}

// Schedules implements executor.Store.
func (s *Store) Schedules(ctx context.Context) ([]executor.ScheduleText, error) {
	return behind(s, func(in Namespace) ([]executor.ScheduleText, error) { return in.Schedules(ctx) })
}

// Executors implements executor.Directory.
func (s *Store) Executors(ctx context.Context) ([]schema.ExecutorInfo, error) {
	return behind(s, func(in Namespace) ([]schema.ExecutorInfo, error) { return in.Executors(ctx) })
}

// Drain implements executor.Drainer.
func (s *Store) Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error) {
	return behind(s, func(in Namespace) (schema.ExecutorInfo, error) { return in.Drain(ctx, p) })
}

// Draining implements executor.Drainer.
func (s *Store) Draining() bool {
	in := s.namespace.Load()
	return in != nil && (*in).Draining()
}

// Dismissed implements executor.Drainer.
func (s *Store) Dismissed() <-chan struct{} { return s.dismissed }
