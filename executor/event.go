package executor

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// EventKind says what happened to a task.
type EventKind uint8

// The kinds of events, in the order in which a task has them.
const (
	EventStarted EventKind = iota
	EventProgress
	EventOutput
	EventFinished
	// EventBarrier is no change of a task: Watcher.Barrier has put it there.
	EventBarrier
	// EventLag is no change of a task either: here are missing the events after
	// Seq, and up to the number End, that only subscriptions want. The reader was
	// so slow that they were dropped; Store.Replay has those that end a task.
	EventLag
)

var eventNames = [...]string{
	schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventFinished,
}

func (k EventKind) String() string {
	switch k {
	case EventBarrier:
		return "mark"
	case EventLag:
		return "lag"
	}
	return eventNames[k]
}

// Delivery says what a list of waiting events may do with an event while its
// reader is slow. Starts and ends are dropped only where they are Droppable.
type Delivery uint8

const (
	// Coalesced gives way to what is newer: progress to later progress of the
	// task, output to later output of the stream.
	Coalesced Delivery = iota
	// Lossless output is kept however much it is: its reader bounds it.
	Lossless
	// Droppable is what only subscriptions want: where there is too much of it,
	// all of it is dropped, and an EventLag says so.
	Droppable
)

// EventMask is a set of kinds of events.
type EventMask uint8

// DefaultEvents is what a submit gets that does not say.
const DefaultEvents = EventMask(1<<EventStarted | 1<<EventProgress | 1<<EventFinished)

// Has reports whether the kind is in the set.
func (m EventMask) Has(k EventKind) bool { return m&(1<<k) != 0 }

// With is the set with the kind added.
func (m EventMask) With(k EventKind) EventMask { return m | 1<<k }

// AllEvents is every kind of event.
const AllEvents = DefaultEvents | EventMask(1<<EventOutput)

// EventMaskOf reads the wire names of events; nil is DefaultEvents.
func EventMaskOf(names []string) (EventMask, error) {
	if names == nil {
		return DefaultEvents, nil
	}
	var mask EventMask
next:
	for i, name := range names {
		for k, known := range eventNames {
			if name == known {
				mask = mask.With(EventKind(k))
				continue next
			}
		}
		return 0, &InputError{Violations: []schema.Violation{{
			Pointer: fmt.Sprintf("/events/%d", i),
			Message: fmt.Sprintf("%q is not an event: one of %q", name, eventNames),
		}}}
	}
	return mask, nil
}

// Event is a stored change of a task. Seq rises with every event of a store.
type Event struct {
	Seq  uint64
	ID   uuid.UUID
	Kind EventKind
	// Wanted is true where the watcher owns the task and asked for this kind
	// when it was submitted, or has a subscription that selects it; false where
	// it only follows. Who wants a task's output and not its end is told of the
	// end, too, with Wanted unset: it is the output's end.
	Wanted bool
	// Delivery says what may become of the event while it waits for its reader.
	Delivery Delivery
	// Stream, and Offset and End of the piece written to it, are of EventOutput;
	// the bytes are read with Store.Output.
	Stream      schema.Stream
	Offset, End int64
	// Attempt, StartedAt and PID are of EventStarted.
	Attempt   int32
	PID       int
	StartedAt schema.Time
	// Progress is of EventProgress. Nobody changes it.
	Progress *schema.Progress
	// Task is the task, without its input: an event must not keep more of a task
	// in memory than it tells. Of EventFinished it is final and whole, unless
	// it is Incomplete; of any other kind only what never changes may be read: ID,
	// Type, Priority, Labels and CreatedAt.
	Task *schema.Task
}

// MaxOutputPiece is the most bytes of output that one EventOutput tells of, so
// that a reader has a number of its own for every piece that it sends.
const MaxOutputPiece = 32 << 10

// SeqsPerFinish is how many sequence numbers, counted back from its own, an
// EventFinished owns. A reader that sends output in pieces of its own can use
// those before it for what is left of each stream, and still number rising.
const SeqsPerFinish = uint64(1 + len(schema.StreamNames))

// WatcherID names a Watcher within its store; 0 is none.
type WatcherID uint32

// SubscriptionID names a subscription within its Watcher.
type SubscriptionID uint32

// Selector selects events. All that is given must hold; what is empty selects
// every task, and States is of the state that the event shows: Running, but
// for EventFinished.
type Selector struct {
	IDs    map[uuid.UUID]bool
	Types  map[string]bool
	Labels map[string]string
	States []schema.State
	Events EventMask
}

// Selects reports whether the event is selected, and whether it is at least
// the end of output that is.
func (s *Selector) Selects(ev *Event) (wanted, told bool) {
	ofTask := (len(s.IDs) == 0 || s.IDs[ev.ID]) &&
		(len(s.Types) == 0 || s.Types[ev.Task.Type]) &&
		hasLabels(ev.Task.Labels, s.Labels)
	if !ofTask {
		return false, false
	}
	wanted = s.Events.Has(ev.Kind) && (len(s.States) == 0 || slices.Contains(s.States, ev.state()))
	return wanted, wanted || ev.Kind == EventFinished && s.Events.Has(EventOutput)
}

// state is the state of the task that the event shows.
func (ev *Event) state() schema.State {
	if ev.Kind == EventFinished {
		return ev.Task.State
	}
	return schema.Running
}
