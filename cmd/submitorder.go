package cmd

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"
)

const (
	// mostHeld is how many lines of one submit wait at most for lines behind them.
	mostHeld = 100_000
	// mostOfCycle is how many tasks of a cycle an error names.
	mostOfCycle = 10
)

// lineOrder sorts lines so that each comes after those of its dependencies and of its parent. A line that names
// a task which is not known yet waits for that task's line, or for the end of the input.
type lineOrder struct {
	knows func(context.Context, uuid.UUID) bool // whether the server has a task
	yield func(sourcedTask) bool
	seen  map[uuid.UUID]bool        // tasks of earlier lines, and others that the server has
	held  map[uuid.UUID][]*heldLine // by the first task of each that is not known
	ids   map[uuid.UUID]*heldLine   // by their own ids
	lines []*heldLine               // all that have waited, the first of them first
}

// heldLine is a line that waits.
type heldLine struct {
	task   sourcedTask
	waited bool
	sent   bool
}

// inOrder yields the tasks of a source in such an order.
func inOrder(source taskSource, knows func(context.Context, uuid.UUID) bool) taskSource {
	return func(ctx context.Context) iter.Seq[sourcedTask] {
		return func(yield func(sourcedTask) bool) {
			o := &lineOrder{knows: knows, yield: yield, seen: map[uuid.UUID]bool{}, held: map[uuid.UUID][]*heldLine{}, ids: map[uuid.UUID]*heldLine{}}
			for t := range source(ctx) {
				if !o.take(ctx, &heldLine{task: t}) {
					return
				}
			}
			o.rest(ctx)
		}
	}
}

// take sends a line, and those that have waited for it, or lets it wait. It answers false where
// no more are wanted.
func (o *lineOrder) take(ctx context.Context, line *heldLine) bool {
	for ready := []*heldLine{line}; len(ready) > 0; {
		next := ready[0]
		ready = ready[1:]
		if missing, found := o.missing(ctx, next); found {
			if !o.hold(next, missing) {
				return false
			}
			continue
		}
		next.sent = true
		if !o.yield(next.task) {
			return false
		}
		if id := next.task.params.ID; id != uuid.Nil {
			o.seen[id] = true
			ready = append(ready, o.held[id]...)
			delete(o.held, id)
		}
	}
	return true
}

// missing is the first task that a line names and that is not known.
func (o *lineOrder) missing(ctx context.Context, line *heldLine) (id uuid.UUID, found bool) {
	if line.task.err != nil {
		return uuid.Nil, false
	}
	for id := range line.names {
		switch {
		case o.seen[id] || id == line.task.params.ID: // the server refuses that
		case o.knows(ctx, id):
			o.seen[id] = true
		default:
			return id, true
		}
	}
	return uuid.Nil, false
}

// names are the tasks that the task of a line comes after, or is a part of.
func (l *heldLine) names(yield func(uuid.UUID) bool) {
	if parent := l.task.params.Parent; parent != uuid.Nil && !yield(parent) {
		return
	}
	for _, d := range l.task.params.After {
		if !yield(d.ID) {
			return
		}
	}
}

// hold lets a line wait. It answers false where no more are wanted.
func (o *lineOrder) hold(line *heldLine, missing uuid.UUID) bool {
	if len(o.lines) >= mostHeld && !line.waited {
		line.task.err = fmt.Errorf("it names %v, which is not known, and %d lines have waited for others already; let it stand behind that one's line", missing, mostHeld)
		line.sent = true
		return o.yield(line.task)
	}
	o.held[missing] = append(o.held[missing], line)
	if id := line.task.params.ID; id != uuid.Nil && o.ids[id] == nil {
		o.ids[id] = line
	}
	if !line.waited {
		line.waited = true
		o.lines = append(o.lines, line)
	}
	return true
}

// rest sends the lines that still wait at the end: the server says which task they name that it
// does not know. Those that wait for each other are refused here.
func (o *lineOrder) rest(ctx context.Context) {
	for _, line := range o.lines {
		if line.sent {
			continue
		}
		line.task.err = o.cycleOf(line)
		if !o.yield(line.task) {
			return
		}
	}
}

// cycleOf says that the task of a line would come after itself, or answers nil.
func (o *lineOrder) cycleOf(line *heldLine) error {
	path, found := o.way(line, line.task.params.ID, map[*heldLine]bool{})
	if !found {
		return nil
	}
	var text strings.Builder
	for i, id := range path[:min(len(path), mostOfCycle)] {
		fmt.Fprintf(&text, "%s%v", [...]string{"", ", which comes after "}[min(i, 1)], id)
	}
	if more := len(path) - mostOfCycle; more > 0 {
		fmt.Fprintf(&text, ", and so on over %d more", more)
	}
	return fmt.Errorf("its task comes after %s, which comes after this one: none of them could ever run", text.String())
}

// way answers the tasks between a line and a task that it names by way of other lines.
func (o *lineOrder) way(line *heldLine, to uuid.UUID, tried map[*heldLine]bool) (path []uuid.UUID, found bool) {
	tried[line] = true
	for id := range line.names {
		if id == to && to != uuid.Nil {
			return nil, true
		}
		if next := o.ids[id]; next != nil && !next.sent && !tried[next] {
			if path, found = o.way(next, to, tried); found {
				return append([]uuid.UUID{id}, path...), true
			}
		}
	}
	return nil, false
}
