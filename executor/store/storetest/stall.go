package storetest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// stall is what a store that cannot write has put off. The store's lock
// protects it.
type stall struct {
	why  string // "" is none
	over chan struct{}
	kept []outcome
}

// outcome is a Finish that was put off.
type outcome struct {
	lease    executor.Lease
	outcome  executor.Outcome
	recorded func(error)
}

// Stall makes the store as one whose disk is full, until Resume: Info says
// why, Submit fails, so does Cancel of what waits, Claim waits, and Finish
// keeps the outcomes. What runs goes on.
func (s *FaultyStore) Stall(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stall = stall{why: why, over: make(chan struct{})}
}

// Resume ends a Stall, and records the outcomes that were kept.
func (s *FaultyStore) Resume() {
	for _, o := range s.endStall() {
		o.lease.Finish(o.outcome, o.recorded)
	}
}

// Close implements executor.Store. It gives up the outcomes that were kept.
func (s *FaultyStore) Close() error {
	err := s.stalled()
	for _, o := range s.endStall() {
		o.recorded(err)
	}
	return s.Store.Close()
}

func (s *FaultyStore) endStall() []outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.stall.kept
	if s.stall.why != "" {
		close(s.stall.over)
	}
	s.stall = stall{}
	return kept
}

// Info implements executor.Store.
func (s *FaultyStore) Info() executor.StoreInfo {
	info := s.Store.Info()
	s.mu.Lock()
	defer s.mu.Unlock()
	info.Fault = s.stall.why
	return info
}

// stalled says why nothing can be written.
func (s *FaultyStore) stalled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stall.why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", executor.ErrStoreUnavailable, s.stall.why)
}

// writable waits until the store can write.
func (s *FaultyStore) writable(ctx context.Context) error {
	s.mu.Lock()
	over := s.stall.over
	s.mu.Unlock()
	if over == nil {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keeps puts a Finish off, or answers false.
func (s *FaultyStore) keeps(l executor.Lease, o executor.Outcome, recorded func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stall.why == "" {
		return false
	}
	s.stall.kept = append(s.stall.kept, outcome{l, o, recorded})
	return true
}

// cancelStalled cancels what runs; for what waits the answer is the fault.
func (s *FaultyStore) cancelStalled(ctx context.Context, ids []uuid.UUID, c executor.Cancellation, fault error) ([]executor.CancelAnswer, error) {
	answers := make([]executor.CancelAnswer, len(ids))
	for i, id := range ids {
		r, err := s.Store.Get(ctx, id)
		if err == nil && r.State == schema.Queued {
			answers[i].Err = fault
			continue
		}
		one, err := s.Store.Cancel(ctx, ids[i:i+1], c)
		if err != nil {
			return nil, err
		}
		answers[i] = one[0]
	}
	return answers, nil
}
