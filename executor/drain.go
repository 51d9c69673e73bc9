package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobline/jobline/schema"
)

// Drainer is a Directory that can also tell its executors to begin no more tasks.
type Drainer interface {
	// Drain sets whether an executor begins tasks, and whether its process ends when its last task has
	// ended. It answers ErrUnknownExecutor for a name that none has.
	Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error)
	// Draining reports whether this process has been told to begin no task.
	Draining() bool
	// Dismissed is closed when this process has been told to end.
	Dismissed() <-chan struct{}
}

// ErrUnknownExecutor says that no executor has a name.
var ErrUnknownExecutor = errors.New("no executor has this name")

// Drain lets an executor of the store begin no task any more, or begin tasks again. What runs on it
// goes on, and what waits goes to others. It is an InputError for a name that none has, and
// ErrNotPermitted where the store has one executor.
func (e *Executor) Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error) {
	if p.End && p.Undo {
		return schema.ExecutorInfo{}, drainError("/undo", "end and undo exclude each other; leave one out")
	}
	d, can := e.store.(Drainer)
	if !can {
		return schema.ExecutorInfo{}, fmt.Errorf("%w: this store has one executor, and no other one would run its tasks; pause lets none begin, and shutdown ends it", ErrNotPermitted)
	}
	drained, err := d.Drain(ctx, p)
	if !errors.Is(err, ErrUnknownExecutor) {
		return drained, err
	}
	all, err := e.Executors(ctx)
	if err != nil {
		return drained, err
	}
	var names []string
	for i := range all {
		names = append(names, all[i].Name)
	}
	return drained, drainError("/executor", fmt.Sprintf("no executor has the name %q; there are: %q", p.Executor, names))
}

func drainError(pointer, message string) error {
	return &InputError{What: "params", Violations: []schema.Violation{{Pointer: pointer, Message: message}}}
}

// whenDismissed begins a shutdown when the process is told to end by another one, until the function
// that it answers is called.
func (e *Executor) whenDismissed() (stop func()) {
	d, can := e.store.(Drainer)
	if !can {
		return func() {}
	}
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-d.Dismissed():
			e.BeginBecause(schema.ShutdownFinish, "another server has told it to drain and to end")
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-watched
	}
}

// leavesToOthers reports whether nothing that waits begins here.
func (e *Executor) leavesToOthers() bool {
	d, can := e.store.(Drainer)
	return e.drives() || can && d.Draining()
}
