package nats

import (
	"context"
	"errors"
	"sync"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. Its changes are written without waiting, and have no effect if the log has
// taken the lease away before them.
type lease struct {
	kit.Revocation
	store  *Store
	record *executor.Record
	of     attempt
	// held ends when the lease is lost, with the reason as its cause.
	held   context.Context
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	lost error // why nothing more is written for the attempt, or nil
	// givenUp says that this process writes no end for the attempt. The task is settled by another entry: the
	// Drop of this process, or what takes the process out. A Release before that entry would hide the task from
	// it.
	givenUp bool
}

// newLease makes the lease that the log has given to this process. The goroutine that applies the log calls it.
func (s *Store) newLease(inner executor.Lease) *lease {
	r := inner.Record()
	l := &lease{store: s, record: r, of: attempt{r.ID, r.Attempt}}
	l.held, l.cancel = context.WithCancelCause(context.Background())
	s.mu.Lock()
	s.leases[l] = true
	s.mu.Unlock()
	inner.OnRevoke(l.revoked)
	return l
}

// revoked is told when the copy revokes the lease.
func (l *lease) revoked(cause error) {
	if errors.Is(cause, executor.ErrLeaseLost) {
		l.lose(cause)
		return
	}
	l.Revoke(cause)
}

// lose notes that the lease is lost, and stops the task. It reports false if the attempt already has an end.
func (l *lease) lose(cause error) bool {
	closed := l.store.isClosed()
	if closed != nil {
		cause = closed
	}
	l.mu.Lock()
	first := l.lost == nil
	if first {
		l.lost, l.givenUp = cause, true
	}
	l.mu.Unlock()
	l.cancel(cause)
	l.forget()
	if first && closed == nil { // a store that closes tells no task
		l.Revoke(cause)
	}
	return first
}

// forget takes the lease out of the store's set of leases that can be lost.
func (l *lease) forget() {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	delete(l.store.leases, l)
}

// beginEnd notes that an end is written for the attempt. It answers an error if the attempt already has one, or
// is lost.
func (l *lease) beginEnd() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	l.lost = executor.ErrLeaseLost
	return nil
}

func (l *lease) lostCause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Record implements executor.Lease.
func (l *lease) Record() *executor.Record { return l.record }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	return l.putAsync(change{Started: &started{l.of, pid}})
}

// Progress implements executor.Lease.
func (l *lease) Progress(p schema.Progress) error {
	return l.putAsync(change{Progress: &progress{l.of, p}})
}

// Write implements executor.Lease. It blocks while more than maxQueued bytes wait to be sent.
func (l *lease) Write(stream schema.Stream, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), executor.MaxOutputPiece)
		if err := l.putAsync(change{Output: &output{attempt: l.of, Stream: stream, data: append([]byte(nil), p[:n]...)}}); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// putAsync writes a change without waiting for its result.
func (l *lease) putAsync(c change) error {
	if err := l.store.waitForRoom(l.held); err != nil {
		return err
	}
	if err := l.lostCause(); err != nil {
		return err
	}
	return l.store.putAsync(c)
}

// Finish implements executor.Lease.
func (l *lease) Finish(o executor.Outcome, recorded func(error)) {
	l.end(change{Finish: &finish{attempt: l.of, State: o.State, Error: o.Error, result: o.Result}}, recorded)
}

// Retry implements executor.Lease.
func (l *lease) Retry(a *executor.NextAttempt, recorded func(error)) {
	l.end(change{Retry: retryOf(l.of, a)}, recorded)
}

func (l *lease) end(c change, recorded func(error)) {
	p, err := l.endChange(c, recorded)
	if err == nil {
		err = l.store.put(p)
	}
	if err != nil {
		recorded(err)
	}
}

// endChange makes the change that ends the attempt.
func (l *lease) endChange(c change, recorded func(error)) (*pending, error) {
	if err := l.beginEnd(); err != nil {
		return nil, err
	}
	return &pending{change: c, done: func(a answer) { recorded(a.err) }}, nil
}

// endChanges makes the changes for an Ended of this lease.
func (l *lease) endChanges(e executor.Ended) []*pending {
	c := change{Finish: &finish{attempt: l.of, State: e.Outcome.State, Error: e.Outcome.Error, result: e.Outcome.Result}}
	if e.Next != nil {
		c = change{Retry: retryOf(l.of, e.Next)}
	}
	p, err := l.endChange(c, e.Recorded)
	if err != nil {
		e.Recorded(err)
		return l.releaseChanges()
	}
	return append([]*pending{p}, l.releaseChanges()...)
}

// Release implements executor.Lease.
func (l *lease) Release() { _ = l.store.put(l.releaseChanges()...) } // a closed store has no leases

// releaseChanges makes the change of a release. A lease that was given up has none.
func (l *lease) releaseChanges() []*pending {
	l.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.givenUp {
		return nil
	}
	return []*pending{{change: change{Release: &l.of}}}
}

// giveBack returns a task that has not begun to the queue.
func (l *lease) giveBack() {
	if l.beginEnd() != nil {
		return
	}
	l.forget()
	_ = l.store.put(&pending{change: change{Return: &l.of}})
}
