package kit

import (
	"errors"
	"sync"

	"github.com/jobline/jobline/executor"
)

// Revocation is the part of Lease.OnRevoke that is the same in every store.
// The zero value is ready.
type Revocation struct {
	mu     sync.Mutex
	listen func(error)
	missed error // came before there was anybody to listen
}

// OnRevoke is that of Lease.
func (r *Revocation) OnRevoke(f func(error)) {
	r.mu.Lock()
	r.listen = f
	missed := r.missed
	r.mu.Unlock()
	if missed != nil {
		f(missed)
	}
}

// Revoke tells the task to stop. A store holds no lock then: what is told may
// call back.
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

// sooner joins two causes: the first counts, and Force where either has it.
func sooner(first, second error) error {
	c, ok := errors.AsType[*executor.Cancellation](first)
	if again, is := errors.AsType[*executor.Cancellation](second); ok && is {
		return &executor.Cancellation{Reason: c.Reason, Force: c.Force || again.Force}
	}
	return second
}
