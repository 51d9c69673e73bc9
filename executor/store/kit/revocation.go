package kit

import (
	"errors"
	"sync"

	"github.com/jobline/jobline/executor"
)

// Revocation implements Lease.OnRevoke. It is safe for concurrent use. The zero value is ready.
type Revocation struct {
	mu     sync.Mutex
	listen func(error)
	missed error // the cause of a Revoke that came before OnRevoke
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

// Revoke tells the task to stop. The caller must not hold the store's lock, because the task may call the store
// at once.
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

// sooner combines two causes of Revoke that OnRevoke has missed. Of two cancellations it keeps the first
// reason, and Force if either has it; otherwise the later cause counts.
func sooner(first, second error) error {
	c, ok := errors.AsType[*executor.Cancellation](first)
	if again, is := errors.AsType[*executor.Cancellation](second); ok && is {
		return &executor.Cancellation{Reason: c.Reason, Force: c.Force || again.Force}
	}
	return second
}
