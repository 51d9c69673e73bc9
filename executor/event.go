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
	// EventRetrying says that an attempt has ended and that another one follows.
	EventRetrying
	// EventUpdated says that a task that waits was changed by Store.Update, or has left an Outbox.
	EventUpdated
	EventFinished
	// EventBarrier is no change of a task: Watcher.Barrier has put it there.
	EventBarrier
	// EventLag is no change of a task either. It stands for Droppable events with
	// numbers after Seq and up to End, which were dropped because the reader was
	// slow. Store.Replay has the ends among them.
	EventLag
)

var eventNames = [...]string{
	schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventRetrying,
	schema.EventUpdated, schema.EventFinished,
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
const DefaultEvents = EventMask(1<<EventStarted | 1<<EventProgress | 1<<EventRetrying | 1<<EventUpdated | 1<<EventFinished)

// Has reports whether the kind is in the set.
func (m EventMask) Has(k EventKind) bool { return m&(1<<k) != 0 }

// With is the set with the kind added.
func (m EventMask) With(k EventKind) EventMask { return m | 1<<k }

// tellEnd is no kind of event: see TellingEnd.
const tellEnd EventMask = 1 << 7

// TellingEnd is the set with a note that the owner of the task is told its end also
// where EventFinished is not in the set, and then with Wanted unset.
func (m EventMask) TellingEnd() EventMask { return m | tellEnd }

// Asked is the set without that note.
func (m EventMask) Asked() EventMask { return m &^ tellEnd }

// Tells reports whether the owner of a task is told an event of the kind. It is told
// the end also where it wants the output, because the end ends the output.
func (m EventMask) Tells(k EventKind) bool {
	return m.Has(k) || k == EventFinished && (m.Has(EventOutput) || m&tellEnd != 0)
}

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
	// Wanted is true if the task's submit asked for this kind and the watcher owns the
	// task, or if a subscription selects the event. It is false if the watcher only
	// follows the task. A watcher that asked for output, but not for the end, gets the
	// end with Wanted unset, because it ends the output.
	Wanted bool
	// Delivery says what may become of the event while it waits for its reader.
	Delivery Delivery
	// Stream, and Offset and End of the piece written to it, are of EventOutput;
	// the bytes are read with Store.Output.
	Stream      schema.Stream
	Offset, End int64
	// Attempt is of EventStarted and EventRetrying; StartedAt and PID are of EventStarted.
	Attempt   int32
	PID       int
	StartedAt schema.Time
	// Progress is of EventProgress. Nobody changes it.
	Progress *schema.Progress
	// Next is of EventRetrying. It is of EventUpdated, too, where the task waits for its next
	// attempt: then it has the time of that alone. Nobody changes it.
	Next *NextAttempt
	// LabelsBefore are the labels before an EventUpdated. A subscription selects the event by
	// these or by the new ones, so that it hears of tasks that lose its label. Nobody changes them.
	LabelsBefore map[string]string
	// Sent is true of an EventUpdated that says that a task has left an Outbox.
	Sent bool
	// Task is the task, without its input. Of EventFinished it is final, and complete
	// unless it is marked as Incomplete. Of any other kind it has only ID, Type, Priority,
	// Labels and CreatedAt, and of EventUpdated also Conditions. So an event keeps no more
	// of a task in memory than it tells.
	Task *schema.Task
}

// MaxOutputPiece is the most bytes of output that one EventOutput tells of, so
// that a reader has a number of its own for every piece that it sends.
const MaxOutputPiece = 32 << 10

// SeqsPerFinish is how many sequence numbers an EventFinished takes: its own, and
// one before it for each stream. A reader that sends what is left of a stream
// before the end numbers it with one of these, so that its numbers rise.
const SeqsPerFinish = uint64(1 + len(schema.StreamNames))

// WatcherID names a Watcher within its store; 0 is none.
type WatcherID uint32

// SubscriptionID names a subscription within its Watcher.
type SubscriptionID uint32

// Selector selects events. All that is given must hold; what is empty selects
// every task, and States is of the state that the event shows: Queued for
// EventRetrying and EventUpdated, Running for all others but EventFinished.
type Selector struct {
	IDs    map[uuid.UUID]bool
	Types  map[string]bool
	Labels map[string]string
	States []schema.State
	Events EventMask
}

// Selects reports whether the event is wanted, and whether it is told: an end is
// told, too, where only the output before it is wanted.
func (s *Selector) Selects(ev *Event) (wanted, told bool) {
	ofTask := (len(s.IDs) == 0 || s.IDs[ev.ID]) &&
		(len(s.Types) == 0 || s.Types[ev.Task.Type]) &&
		(hasLabels(ev.Task.Labels, s.Labels) || ev.Kind == EventUpdated && hasLabels(ev.LabelsBefore, s.Labels))
	if !ofTask {
		return false, false
	}
	wanted = s.Events.Has(ev.Kind) && (len(s.States) == 0 || slices.Contains(s.States, ev.state()))
	return wanted, wanted || ev.Kind == EventFinished && s.Events.Has(EventOutput)
}

// state is the state of the task that the event shows.
func (ev *Event) state() schema.State {
	switch ev.Kind {
	case EventFinished:
		return ev.Task.State
	case EventRetrying, EventUpdated:
		return schema.Queued
	}
	return schema.Running
}
