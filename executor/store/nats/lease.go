package nats

import (
	"context"
	"errors"
	"sync"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. What it writes is noted, and is void where the log has taken the
// lease away before.
type lease struct {
	kit.Revocation
	store  *Store
	record *executor.Record
	of     attempt
	// held ends with the cause when the lease is lost.
	held   context.Context
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	lost error // why nothing more is written, or nil
	// givenUp says that the attempt has no end of this process. What is in the log settles the task:
	// that its process has dropped its leases, or is no more. A release before that would hide it.
	givenUp bool
}

// newLease is the lease that the log has given this process. The goroutine that applies the log
// calls it.
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

// revoked is told what becomes of the lease in the log.
func (l *lease) revoked(cause error) {
	if errors.Is(cause, executor.ErrLeaseLost) {
		l.lose(cause)
		return
	}
	l.Revoke(cause)
}

// lose notes that the lease is lost, and stops the task. It reports false where the attempt has an end
// already.
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
	if first && closed == nil { // at its end a store tells nobody
		l.Revoke(cause)
	}
	return first
}

// forget takes the lease out of those that can be lost.
func (l *lease) forget() {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	delete(l.store.leases, l)
}

// beginEnd notes that the attempt ends. It answers why it is over already, if so.
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

// Write implements executor.Lease. It waits while there is much that was not sent.
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

// putAsync writes a change for which nobody waits.
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
func (l *lease) Retry(a *executor.Again, recorded func(error)) {
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

// endChange is the change that ends the attempt.
func (l *lease) endChange(c change, recorded func(error)) (*pending, error) {
	if err := l.beginEnd(); err != nil {
		return nil, err
	}
	return &pending{change: c, done: func(a answer) { recorded(a.err) }}, nil
}

// endChanges are the changes of an Ended of this lease.
func (l *lease) endChanges(e executor.Ended) []*pending {
	c := change{Finish: &finish{attempt: l.of, State: e.Outcome.State, Error: e.Outcome.Error, result: e.Outcome.Result}}
	if e.Again != nil {
		c = change{Retry: retryOf(l.of, e.Again)}
	}
	p, err := l.endChange(c, e.Recorded)
	if err != nil {
		e.Recorded(err)
		return l.releaseChanges()
	}
	return append([]*pending{p}, l.releaseChanges()...)
}

// Release implements executor.Lease.
func (l *lease) Release() { _ = l.store.put(l.releaseChanges()...) } // a store that is closed has no leases

// releaseChanges are the changes of a release, of which a lease that was given up has none.
func (l *lease) releaseChanges() []*pending {
	l.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.givenUp {
		return nil
	}
	return []*pending{{change: change{Release: &l.of}}}
}

// giveBack lets another claim have the task: it has not begun.
func (l *lease) giveBack() {
	if l.beginEnd() != nil {
		return
	}
	l.forget()
	_ = l.store.put(&pending{change: change{Return: &l.of}})
}
