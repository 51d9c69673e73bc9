package kit

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file bounds what events cost that wait for somebody who does not take
// them: a watcher's queue, and any other list of events that are held back.

// Bounds of a list of events. A pass over it costs its length, so the next one
// comes only when it has doubled.
const (
	compactFirst = 4096
	// Per stream, a list holds at most outputPieces events, and none further back
	// than outputWorth bytes.
	outputPieces = 64
	outputWorth  = 1 << 20
	// crowded is from how many events on a list holds only the newest output of
	// each stream, and no output or progress of tasks whose end is in it.
	crowded = 16 << 10
	// heldBytes is how many bytes of events a list holds with all that they
	// tell; beyond it the large ones are kept in brief.
	heldBytes = 16 << 20
	// eventBytes and endBytes are about what an event, and the task of an end,
	// cost without what is of variable length.
	eventBytes = 128
	endBytes   = 384
	// briefText is the longest text that is kept in brief, in bytes, and the most
	// that all of variable length in an end may have for it to be kept whole.
	briefText = 256
)

// sizeOf is about how many bytes of memory the event costs while it waits.
func sizeOf(ev *executor.Event) int64 {
	switch ev.Kind {
	case executor.EventBarrier, executor.EventLag:
		return 0
	case executor.EventFinished:
		return eventBytes + endBytes + variable(ev.Task)
	}
	return eventBytes
}

// variable is how many bytes of a final task have no fixed length.
func variable(t *schema.Task) int64 {
	n := len(t.Result) + len(t.CancelReason)
	if e := t.Error; e != nil {
		n += len(e.Message) + len(e.StderrTail)
	}
	if p := t.Progress; p != nil {
		n += len(p.Unit) + len(p.Message)
	}
	for key, value := range t.Labels {
		n += len(key) + len(value)
	}
	return int64(n)
}

func sumOf(events []executor.Event) (n int64) {
	for i := range events {
		n += sizeOf(&events[i])
	}
	return n
}

// within is the event as it is held where there is room for so many bytes: an
// end that is larger is held in brief.
func within(ev *executor.Event, room int64) executor.Event {
	held := *ev
	if ev.Kind == executor.EventFinished && sizeOf(ev) > room && variable(ev.Task) > briefText {
		held.Task = brief(ev.Task)
	}
	return held
}

// brief is a final task without its result and labels, and with its texts cut.
func brief(t *schema.Task) *schema.Task {
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

// Held is a list of events that somebody holds back, as a watcher does while
// its reader is slow. The zero value is empty.
type Held struct {
	events []executor.Event
	size   int64
}

// Add appends an event, or makes it one with the latest.
func (h *Held) Add(ev *executor.Event) { h.AddWithin(ev, heldBytes) }

// AddWithin is Add where there is room for so many bytes more. A large end is
// held in brief also where that is less than such a list may have by itself.
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

// AddPast is AddWithin for a start or an end that is read from the store: it has
// its place among the later events that are held already, so that the numbers rise.
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

// Events are those that are held. The slice is the list's own.
func (h *Held) Events() []executor.Event { return h.events }

// Size is about how many bytes of memory the list costs.
func (h *Held) Size() int64 { return h.size }

// EndSize is about how many bytes of memory a final task costs that is held for
// somebody, as an event of its end does.
func EndSize(t *schema.Task) int64 { return endBytes + variable(t) }

// Brief is a final task as it is held where there is no room for all of it:
// incomplete, without its result and labels, and with its texts cut.
func Brief(t *schema.Task) *schema.Task { return brief(t) }

// join makes one event of two that follow each other in the same stream.
func join(last, ev *executor.Event) bool {
	if last.Kind != executor.EventOutput || last.ID != ev.ID || last.Stream != ev.Stream || last.Wanted != ev.Wanted || last.Delivery != ev.Delivery ||
		last.End != ev.Offset || ev.End-last.Offset > executor.MaxOutputPiece {
		return false
	}
	last.End, last.Seq = ev.End, ev.Seq
	return true
}

// compacted drops progress that a newer one of the same task has replaced,
// and all but the newest output of each stream: a reader reads from the store
// what is still there, and sees what is not as a gap.
func compacted(events []executor.Event) []executor.Event {
	events = thinned(events, outputPieces, false)
	if len(events) > crowded {
		events = thinned(events, 1, true)
	}
	return events
}

// thinned keeps so many pieces of output of each stream. Where ended is set,
// nothing but the start is kept before an end: that tells the last progress, and
// whoever sends it sends the last output with it.
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
		case executor.EventProgress:
			if later || over {
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
