package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// FaultyStore is a wrapper of a store. Chosen calls fail with
// executor.ErrStoreUnavailable and do not reach the wrapped store. It can also be
// made unable to write. Make one with Faulty.
type FaultyStore struct {
	executor.Store

	mu     sync.Mutex
	calls  map[string]int
	faults map[string][]int
	broken map[string]bool
	stall  stall
}

// Faulty wraps a store. Without a fault it changes nothing.
func Faulty(s executor.Store) *FaultyStore {
	return &FaultyStore{Store: s, calls: map[string]int{}, faults: map[string][]int{}, broken: map[string]bool{}}
}

// Fail makes the given calls, counted from 1, of a method fail. The method is
// named as in executor.Store or executor.Lease: "Submit", "Finish". If a Finish
// fails, the store gives up the outcome.
func (s *FaultyStore) Fail(method string, calls ...int) *FaultyStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], calls...)
	return s
}

// Break makes all calls of a method fail from now on.
func (s *FaultyStore) Break(method string) *FaultyStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[method] = true
	return s
}

// Mend ends what Break has begun.
func (s *FaultyStore) Mend(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.broken, method)
}

// Calls is how often a method was called.
func (s *FaultyStore) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *FaultyStore) fault(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	if n := s.calls[method]; s.broken[method] || slices.Contains(s.faults[method], n) {
		return fmt.Errorf("%w: call %d of %s", executor.ErrStoreUnavailable, n, method)
	}
	return nil
}

// Submit implements executor.Store.
func (s *FaultyStore) Submit(ctx context.Context, records []executor.Submission) ([]executor.Submitted, error) {
	if err := s.fault("Submit"); err != nil {
		return nil, err
	}
	if err := s.stalled(); err != nil {
		return nil, err
	}
	return s.Store.Submit(ctx, records)
}

// Update implements executor.Store.
func (s *FaultyStore) Update(ctx context.Context, id uuid.UUID, u *executor.Update) (schema.Task, error) {
	if err := s.fault("Update"); err != nil {
		return schema.Task{}, err
	}
	return s.Store.Update(ctx, id, u)
}

// SetSchedules implements executor.Store.
func (s *FaultyStore) SetSchedules(ctx context.Context, changed ...executor.ScheduleText) error {
	if err := s.fault("SetSchedules"); err != nil {
		return err
	}
	return s.Store.SetSchedules(ctx, changed...)
}

// Get implements executor.Store.
func (s *FaultyStore) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	if err := s.fault("Get"); err != nil {
		return executor.Record{}, err
	}
	return s.Store.Get(ctx, id)
}

// List implements executor.Store.
func (s *FaultyStore) List(ctx context.Context, f executor.Filter, p executor.PageRequest) (executor.Page, error) {
	if err := s.fault("List"); err != nil {
		return executor.Page{}, err
	}
	return s.Store.List(ctx, f, p)
}

// Cancel implements executor.Store.
func (s *FaultyStore) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	if err := s.fault("Cancel"); err != nil {
		return nil, err
	}
	if err := s.stalled(); err != nil {
		return s.cancelStalled(ctx, ids, c, err)
	}
	return s.Store.Cancel(ctx, ids, c)
}

// Join implements executor.Store. The claimer is as faulty as the store.
func (s *FaultyStore) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	if err := s.fault("Join"); err != nil {
		return nil, err
	}
	c, err := s.Store.Join(ctx, o)
	if err != nil {
		return nil, err
	}
	return faultyClaimer{c, s}, nil
}

type faultyClaimer struct {
	executor.Claimer
	store *FaultyStore
}

// Claim implements executor.Claimer. The lease is as faulty as the store.
func (c faultyClaimer) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	ended.Finish()
	if err := c.store.fault("Claim"); err != nil {
		return nil, err
	}
	if err := c.store.writable(ctx); err != nil {
		return nil, err
	}
	lease, err := c.Claimer.Claim(ctx, executor.Ended{})
	if err != nil {
		return nil, err
	}
	return faultyLease{lease, c.store}, nil
}

// Output implements executor.Store.
func (s *FaultyStore) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, r executor.OutputRange) (executor.OutputPiece, error) {
	if err := s.fault("Output"); err != nil {
		return executor.OutputPiece{}, err
	}
	return s.Store.Output(ctx, id, stream, r)
}

// Watch implements executor.Store.
func (s *FaultyStore) Watch(ctx context.Context) (executor.Watcher, error) {
	if err := s.fault("Watch"); err != nil {
		return nil, err
	}
	return s.Store.Watch(ctx)
}

// Replay implements executor.Store.
func (s *FaultyStore) Replay(ctx context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	if err := s.fault("Replay"); err != nil {
		return nil, err
	}
	return s.Store.Replay(ctx, after, through, limit)
}

// Counts implements executor.Store.
func (s *FaultyStore) Counts(ctx context.Context) (executor.Counts, error) {
	if err := s.fault("Counts"); err != nil {
		return executor.Counts{}, err
	}
	return s.Store.Counts(ctx)
}

type faultyLease struct {
	executor.Lease
	store *FaultyStore
}

func (l faultyLease) Started(pid int) error {
	if err := l.store.fault("Started"); err != nil {
		return err
	}
	return l.Lease.Started(pid)
}

func (l faultyLease) Progress(p schema.Progress) error {
	if err := l.store.fault("Progress"); err != nil {
		return err
	}
	return l.Lease.Progress(p)
}

func (l faultyLease) Write(stream schema.Stream, p []byte) error {
	if err := l.store.fault("Write"); err != nil {
		return err
	}
	return l.Lease.Write(stream, p)
}

func (l faultyLease) Retry(a *executor.NextAttempt, recorded func(error)) {
	if err := l.store.fault("Retry"); err != nil {
		recorded(err)
		return
	}
	l.Lease.Retry(a, recorded)
}

func (l faultyLease) Finish(o executor.Outcome, recorded func(error)) {
	if err := l.store.fault("Finish"); err != nil {
		recorded(err)
		return
	}
	if !l.store.keeps(l.Lease, o, recorded) {
		l.Lease.Finish(o, recorded)
	}
}
