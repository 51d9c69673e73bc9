package kit

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file bounds the memory of events that wait for a slow reader: in a
// watcher's queue, and in a list of events that are held back.

// Bounds of a list of waiting events.
const (
	// compactFirst is the length at which a list is compacted for the first time.
	// Compacting costs its length, so it is done again only when it has doubled.
	compactFirst = 4096
	// keptRoom is up to how many events a watcher keeps the memory of its lists when few events wait.
	keptRoom = 16 << 10
	// Of the output of a stream, a compacted list has at most the newest
	// outputPieces events and the newest outputWorth bytes.
	outputPieces = 64
	outputWorth  = 1 << 20
	// Beyond crowded events, a compacted list has only the newest output of each
	// stream, and no output or progress of tasks whose end is in it.
	crowded = 16 << 10
	// heldBytes bounds the events that a list holds in full. Beyond it large ends are shortened: see Brief.
	heldBytes = 16 << 20
	// eventBytes and endBytes estimate the memory of an event, and of the task of an end or a change, without
	// texts and values.
	eventBytes = 128
	endBytes   = 384
	// briefText bounds each text of a shortened end, in bytes. An end whose texts and values together are not
	// longer is not shortened.
	briefText = 256
)

// sizeOf estimates how many bytes of memory the event takes while it waits.
func sizeOf(ev *executor.Event) int64 {
	switch ev.Kind {
	case executor.EventBarrier, executor.EventLag:
		return 0
	case executor.EventFinished:
		return eventBytes + endBytes + variable(ev.Task)
	case executor.EventRetrying:
		return eventBytes + errorBytes(ev.Next.Error)
	case executor.EventUpdated:
		return eventBytes + endBytes + variable(ev.Task) + labelBytes(ev.LabelsBefore) + conditionBytes(ev.Task.Conditions)
	}
	return eventBytes
}

// variable is how many bytes the texts and values of a final task have.
func variable(t *schema.Task) int64 {
	n := len(t.Result) + len(t.CancelReason)
	if p := t.Progress; p != nil {
		n += len(p.Unit) + len(p.Message)
	}
	return int64(n) + labelBytes(t.Labels) + errorBytes(t.Error)
}

func labelBytes(labels map[string]string) (n int64) {
	if len(labels) == 0 { // most tasks have none
		return 0
	}
	for key, value := range labels {
		n += int64(len(key) + len(value))
	}
	return n
}

// conditionBytes estimates how many bytes conditions take, which may be nil.
func conditionBytes(c *schema.Conditions) int64 {
	if c == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*c)) + int64(len(c.After))*int64(unsafe.Sizeof(schema.Dependency{})) + int64(len(c.Group)+len(c.Key))
}

// errorBytes is how many bytes the texts of an error have, which may be nil.
func errorBytes(e *schema.TaskError) int64 {
	if e == nil {
		return 0
	}
	return int64(len(e.Message) + len(e.StderrTail))
}

func sumOf(events []executor.Event) (n int64) {
	for i := range events {
		n += sizeOf(&events[i])
	}
	return n
}

// within is the event as a list with this room holds it: a larger end is shortened.
func within(ev *executor.Event, room int64) executor.Event {
	held := *ev
	if ev.Kind == executor.EventFinished && sizeOf(ev) > room && variable(ev.Task) > briefText {
		held.Task = Brief(ev.Task)
	}
	return held
}

// Held is a list of events that are held back, with the bounds of a watcher's
// queue. The zero value is empty. It is not safe for concurrent use.
type Held struct {
	events []executor.Event
	size   int64
}

// Add appends an event. Output that continues the latest event is joined to that.
func (h *Held) Add(ev *executor.Event) { h.AddWithin(ev, heldBytes) }

// AddWithin is Add with a bound beside that of the list: an end larger than room bytes is shortened, too.
func (h *Held) AddWithin(ev *executor.Event, room int64) {
	if n := len(h.events); n > 0 && ev.Kind == executor.EventOutput && join(&h.events[n-1], ev) {
		return
	}
	if len(h.events) >= compactFirst && len(h.events) == cap(h.events) {
		h.events = compacted(h.events)
		h.size = sumOf(h.events)
	}
	h.events = append(h.events, within(ev, min(heldBytes-h.size, room)))
	h.size += sizeOf(&h.events[len(h.events)-1])
}

// AddPast is AddWithin for a start or an end that was replayed from the store. It is put before later events,
// so that the numbers rise.
func (h *Held) AddPast(ev *executor.Event, room int64) {
	h.AddWithin(ev, room)
	last := len(h.events) - 1
	place := slices.IndexFunc(h.events[:last], func(held executor.Event) bool { return held.Seq > ev.Seq })
	if place >= 0 {
		held := h.events[last]
		copy(h.events[place+1:], h.events[place:last])
		h.events[place] = held
	}
}

// Events answers the events in the order of Seq. The slice belongs to the list.
func (h *Held) Events() []executor.Event { return h.events }

// Size estimates the memory of the list, in bytes.
func (h *Held) Size() int64 { return h.size }

// EndSize estimates the memory of a final task, in bytes.
func EndSize(t *schema.Task) int64 { return endBytes + variable(t) }

// Brief is a shortened copy of a final task, marked as Incomplete: it has no
// result, labels or progress, and its texts are cut.
func Brief(t *schema.Task) *schema.Task {
	short := *t
	short.Result, short.Labels, short.Progress, short.Incomplete = nil, nil, nil, true
	short.CancelReason = strings.Clone(schema.CutBytes(t.CancelReason, briefText)) // of its own: a part of a text keeps the whole
	if t.Error != nil {
		e := *t.Error
		e.Message, e.StderrTail = strings.Clone(schema.CutBytes(e.Message, briefText)), ""
		short.Error = &e
	}
	return &short
}

// join extends the last event by output that continues it. It reports false if that is not possible.
func join(last, ev *executor.Event) bool {
	if last.Kind != executor.EventOutput || last.ID != ev.ID || last.Stream != ev.Stream || last.Wanted != ev.Wanted || last.Delivery != ev.Delivery ||
		last.End != ev.Offset || ev.End-last.Offset > executor.MaxOutputPiece {
		return false
	}
	last.End, last.Seq = ev.End, ev.Seq
	return true
}

// compacted drops progress that is not the newest of its task, and old output of each stream. A reader reads
// dropped output from the store, and sees a gap if the store no longer has it.
func compacted(events []executor.Event) []executor.Event {
	events = thinned(events, outputPieces, false)
	if len(events) > crowded {
		events = thinned(events, 1, true)
	}
	return events
}

// thinned keeps of each task the newest start, progress, change and retry, and of each stream the newest pieces
// of output. With ended it keeps of a final task only start and end: the end has the last progress, and the
// last output is read with it.
func thinned(events []executor.Event, pieces int, ended bool) []executor.Event {
	type key struct {
		id     uuid.UUID
		kind   executor.EventKind
		stream uint8
	}
	type seen struct {
		end  int64
		kept int
	}
	newest := map[key]seen{}
	keep := events[:0]
	for i := len(events) - 1; i >= 0; i-- {
		ev := &events[i]
		k := key{ev.ID, ev.Kind, uint8(ev.Stream)}
		s, later := newest[k]
		_, over := newest[key{ev.ID, executor.EventFinished, 0}]
		switch ev.Kind {
		case executor.EventProgress, executor.EventRetrying, executor.EventUpdated:
			if later || over {
				ev.Seq = 0
			}
		case executor.EventStarted:
			if later { // the task has begun again since
				ev.Seq = 0
			}
		case executor.EventOutput:
			if ev.Delivery == executor.Lossless {
				continue
			}
			if over || later && (s.end-ev.End > outputWorth || s.kept >= pieces) {
				ev.Seq = 0
			}
		case executor.EventFinished:
			if !ended {
				continue
			}
		default:
			continue
		}
		if !later {
			s.end = ev.End
		}
		s.kept++
		newest[k] = s
	}
	for i := range events {
		if events[i].Seq != 0 || events[i].Kind >= executor.EventBarrier { // a barrier before the first event has no number
			keep = append(keep, events[i])
		}
	}
	clear(events[len(keep):])
	return keep
}
