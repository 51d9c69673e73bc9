package kit

import (
	"errors"
	"sync"

	"github.com/jobline/jobline/executor"
)

// Revocation implements Lease.OnRevoke. The zero value is ready. Its methods may be
// called at once from many goroutines.
type Revocation struct {
	mu     sync.Mutex
	listen func(error)
	missed error // a Revoke that came before OnRevoke
}

// OnRevoke implements Lease.
func (r *Revocation) OnRevoke(f func(error)) {
	r.mu.Lock()
	r.listen = f
	missed := r.missed
	r.mu.Unlock()
	if missed != nil {
		f(missed)
	}
}

// Revoke tells the task to stop. The caller holds no lock of the store, because the
// task may call the store at once.
func (r *Revocation) Revoke(cause error) {
	r.mu.Lock()
	f := r.listen
	if f == nil {
		r.missed = sooner(r.missed, cause)
	}
	r.mu.Unlock()
	if f != nil {
		f(cause)
	}
}

// sooner is the cause that counts of two: the first, with Force if either has it.
func sooner(first, second error) error {
	c, ok := errors.AsType[*executor.Cancellation](first)
	if again, is := errors.AsType[*executor.Cancellation](second); ok && is {
		return &executor.Cancellation{Reason: c.Reason, Force: c.Force || again.Force}
	}
	return second
}
