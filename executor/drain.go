package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jobline/jobline/schema"
)

// Drainer is a Directory that can also tell its executors to begin no more tasks.
type Drainer interface {
	// Drain sets whether an executor begins tasks, and whether its process ends when its last task has
	// ended. The name is that of ExecutorInfo, or the process as ProcessName has it. It answers
	// ErrUnknownExecutor where no executor has it.
	Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error)
	// Draining reports whether this process has been told to begin no task.
	Draining() bool
	// Dismissed is closed when this process has been told to end.
	Dismissed() <-chan struct{}
}

// ErrUnknownExecutor says that no executor has a name.
var ErrUnknownExecutor = errors.New("no executor has this name")

// Drain lets an executor of the store begin no task any more, or begin tasks again. What runs on it
// goes on, and what waits goes to others. It is an InputError for a name that none or several have, and
// ErrNotPermitted where the store has one executor.
func (e *Executor) Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error) {
	if p.End && p.Undo {
		return schema.ExecutorInfo{}, drainError("/undo", "end and undo exclude each other; leave one out")
	}
	d, can := e.store.(Drainer)
	if !can {
		return schema.ExecutorInfo{}, fmt.Errorf("%w: this store has one executor, and no other one would run its tasks; pause lets none begin, and shutdown ends it", ErrNotPermitted)
	}
	all, err := e.Executors(ctx)
	if err != nil {
		return schema.ExecutorInfo{}, err
	}
	one, err := oneExecutor(p.Executor, all)
	if err != nil {
		return schema.ExecutorInfo{}, err
	}
	drained, err := d.Drain(ctx, &schema.DrainParams{Executor: one, End: p.End, Undo: p.Undo})
	if errors.Is(err, ErrUnknownExecutor) {
		err = drainError("/executor", fmt.Sprintf("%s has left meanwhile", one))
	}
	return drained, err
}

// oneExecutor is the name of the only executor that a text names, or its process where others have the
// name, too.
func oneExecutor(text string, all []schema.ExecutorInfo) (string, error) {
	found := ExecutorsNamed(text, all)
	switch len(found) {
	case 0:
		there := "none runs tasks"
		if len(all) > 0 {
			there = "there are: " + executorNames(all, all)
		}
		return "", drainError("/executor", fmt.Sprintf("no executor has the name %s; %s", schema.Cut(text), there))
	case 1:
		return executorNames(found, all), nil
	}
	return "", drainError("/executor", fmt.Sprintf("%d executors are called %s: %s; name one of them, or start each with a --name of its own", len(found), schema.Cut(text), executorNames(found, all)))
}

// executorNames are the names of some of all executors. In place of a name that several have stands
// the process.
func executorNames(some, all []schema.ExecutorInfo) string {
	count := map[string]int{}
	for i := range all {
		count[all[i].Name]++
	}
	names := make([]string, len(some))
	for i := range some {
		if names[i] = some[i].Name; count[names[i]] > 1 {
			names[i] = processOf(&some[i])
		}
	}
	return strings.Join(names, ", ")
}

// drainingText says of executors that all of them are draining, and how one begins tasks again. It says
// what one of them is or has, and what several are or have.
func drainingText(all []schema.ExecutorInfo, one, several string) string {
	undone := slices.DeleteFunc(slices.Clone(all), func(i schema.ExecutorInfo) bool { return i.Ending })
	cure := "start another one"
	if len(undone) > 0 {
		cure = fmt.Sprintf("executors drain %s --undo lets it begin tasks again", executorNames(undone[:1], all))
	}
	if len(all) == 1 {
		return fmt.Sprintf("%s %s, and is draining; %s", all[0].Name, one, cure)
	}
	return fmt.Sprintf("%d executors %s, and are draining; %s", len(all), several, cure)
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
