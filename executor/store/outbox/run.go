package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// This file opens the namespace, and then sends what waits.

// Run sends what waits, until ctx ends or Close is called. It can be called once.
func (s *Store) Run(ctx context.Context) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	over := make(chan struct{})
	defer close(over)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.stop, s.over = stop, over
	s.mu.Unlock()
	var tending sync.WaitGroup
	tending.Go(func() { s.tend(ctx) })
	tending.Go(func() { s.expireAll(ctx) })
	defer tending.Wait()
	in := s.open(ctx)
	if in == nil {
		return
	}
	s.attach(in)
	s.sendAll(ctx, in)
}

// open opens the namespace, or answers nil when ctx has ended.
func (s *Store) open(ctx context.Context) Namespace {
	type outcome struct {
		in  Namespace
		err error
	}
	for pause, said := openPause, ""; ; pause = min(2*pause, mostOpenPause) {
		opened := make(chan outcome)
		go func() { // ends with the try, which has a bound of its own
			in, err := s.options.Open(ctx)
			select {
			case opened <- outcome{in, err}:
			case <-ctx.Done():
				if err == nil {
					_ = in.Close() // nobody has used it
				}
			}
		}()
		var o outcome
		select {
		case o = <-opened:
		case <-ctx.Done():
			return nil
		}
		select {
		case s.tried <- o.err:
		default:
		}
		if o.err == nil {
			return o.in
		}
		s.mu.Lock()
		s.unreached = o.err
		s.mu.Unlock()
		if text := o.err.Error(); text != said {
			s.log.Warn("the namespace cannot be reached; submits wait in the outbox", "outbox", s.file.Path(), "error", o.err)
			said = text
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// attach begins to use the namespace. Tasks that an earlier process may have sent are asked for by their ids.
func (s *Store) attach(in Namespace) {
	s.writing.Lock()
	defer s.writing.Unlock()
	type end struct {
		executor.Event
		k *kept
	}
	var over []end
	gone := map[int64]bool{}
	var numbers []int64
	in.Attach(s.feed, func(get func(uuid.UUID) (executor.Record, error)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, k := range s.entries {
			if !k.uncertain() {
				continue
			}
			r, err := get(k.Record.ID)
			if err != nil && !errors.Is(err, executor.ErrTaskGone) {
				continue // it is sent
			}
			gone[k.Number] = true
			numbers = append(numbers, k.Number)
			if err == nil && r.State.Final() {
				r.Input = nil
				over = append(over, end{executor.Event{ID: r.ID, Kind: executor.EventFinished, Task: &r.Task}, k})
			}
		}
		s.remove(gone)
	})
	s.namespace.Store(&in)
	close(s.reached)
	for _, e := range over { // nothing else happens to them
		s.feed.Tell(e.k.owner, e.k.events, e.Event)
	}
	if len(numbers) > 0 {
		s.log.Info("submits of the outbox had been sent before", "tasks", len(numbers))
		s.writeLater(Change{Remove: numbers})
	}
}

// sendAll sends what waits, until ctx ends.
func (s *Store) sendAll(ctx context.Context, in Namespace) {
	failed, dismissed := in.Failed(), in.Dismissed()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-failed:
			failed = nil
			s.failed <- err
		case <-dismissed:
			dismissed = nil
			close(s.dismissed)
		case <-s.wake:
		case <-look.C:
		}
		for ctx.Err() == nil && in.Reached() && s.sendNext(ctx, in) {
		}
		if s.State().Waiting > 0 {
			look.Reset(lookPause)
		}
	}
}

// sendNext sends a batch. It reports false where there is none, or where it is not known what became of it.
func (s *Store) sendNext(ctx context.Context, in Namespace) bool {
	batch := s.take()
	if len(batch) == 0 {
		return false
	}
	submissions := make([]executor.Submission, len(batch))
	for i, k := range batch {
		submissions[i] = executor.Submission{Record: k.Record, Owner: k.owner, Events: k.events, Posted: true}
	}
	sending, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	answers, err := in.Submit(sending, submissions)
	switch {
	case err != nil && !errors.Is(err, executor.ErrNotPermitted): // it is sent again
		if known := errors.Is(err, executor.ErrStoreUnavailable) || errors.Is(err, executor.ErrClosed) || sending.Err() != nil; !known && err.Error() != s.unsent {
			s.unsent = err.Error()
			s.log.Error("submits of the outbox cannot be sent; it is tried again", "tasks", len(batch), "error", err)
		}
		return false
	case err != nil: // the role may not submit
		answers = make([]executor.Submitted, len(batch))
		for i := range answers {
			answers[i].Err = err
		}
	}
	s.settle(batch, answers)
	return true
}

// take takes the first entries that wait. That they may be sent is on the disk when it returns.
func (s *Store) take() (batch []*kept) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.faultNow() == nil && !s.endExpired() {
		return nil
	}
	var c Change
	s.mu.Lock()
	bytes := int64(0)
	for _, k := range s.entries {
		if k.Refused != "" {
			continue
		}
		if len(batch) == batchEntries || len(batch) > 0 && bytes+SizeOf(&k.Record) > batchBytes {
			break
		}
		bytes += SizeOf(&k.Record)
		batch = append(batch, k)
		if !k.Tried {
			e := k.Entry
			e.Tried = true
			c.Set = append(c.Set, e)
		}
	}
	fault := s.fault
	s.mu.Unlock()
	if len(c.Set) > 0 && (fault != nil || s.write(c) != nil) {
		return nil // it is sent when that can be noted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range batch {
		k.Tried = true
	}
	return batch
}
