package client

import (
	"context"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// maxQueuedOutput is how many bytes of output a client holds for a program that reads
// its events slowly. Further output is dropped, and the next piece of the stream
// says so in its Gap. Output of a task that was submitted with schema.OutputLossless
// is not dropped: nothing more is read until there is room.
const maxQueuedOutput = 8 << 20

const (
	// maxQueuedEvents is how many bytes of events a client holds, without the
	// output in them. Further events are dropped, and a Lost takes their place.
	maxQueuedEvents = 64 << 20
	// queuedEventBytes is about what a queued event costs beyond its text.
	queuedEventBytes = 256
	// compactEvents is how many events a client holds before it drops progress
	// that is out of date.
	compactEvents = 1024
)

// Event is a notification, or says that some were dropped. Exactly one of its fields
// is set.
type Event struct {
	Started  *schema.StartedEvent
	Progress *schema.ProgressEvent
	Output   *schema.OutputEvent
	Retrying *schema.RetryingEvent
	Updated  *schema.UpdatedEvent
	Finished *schema.FinishedEvent
	Replayed *schema.ReplayedEvent
	// ShuttingDown says that the shared executor is about to end, because of another
	// connection or of the system. Then the connection ends.
	ShuttingDown *schema.ShuttingDownEvent
	Lost         *LostEvents
}

// LostEvents says that the client has dropped events, since the program reads them
// too slowly or has not called Events at all: a client holds at most 64 MiB of them.
// A Subscribe with After sends again how tasks have ended since.
type LostEvents struct {
	// Count is how many were dropped; ends of tasks may be among them.
	Count int
	// After is the highest seq that the client had been sent before the first of
	// them, and Through the highest when the last was dropped.
	After, Through uint64
}

// TaskID is the id of the event's task. It is the nil UUID for Replayed, ShuttingDown
// and Lost.
func (e Event) TaskID() uuid.UUID {
	switch {
	case e.Started != nil:
		return e.Started.ID
	case e.Progress != nil:
		return e.Progress.ID
	case e.Output != nil:
		return e.Output.ID
	case e.Retrying != nil:
		return e.Retrying.ID
	case e.Updated != nil:
		return e.Updated.ID
	case e.Finished != nil:
		return e.Finished.ID
	}
	return uuid.Nil
}

// Events yields the events in the order in which the server sent them, until the
// connection or ctx ends. It is to be called once. The loop may call the client's
// methods. After the end of the connection their errors say why it ended.
func (c *Client) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			ev, err := c.events.next(ctx)
			if err != nil || !yield(ev) {
				return
			}
		}
	}
}

// notified queues a notification. It is called by the reader of the connection.
func (c *Client) notified(method string, params []byte) {
	var ev Event
	switch method {
	case schema.NotifyStarted:
		ev.Started = decodeEvent[schema.StartedEvent](params)
	case schema.NotifyProgress:
		ev.Progress = decodeEvent[schema.ProgressEvent](params)
	case schema.NotifyOutput:
		ev.Output = decodeEvent[schema.OutputEvent](params)
	case schema.NotifyRetrying:
		ev.Retrying = decodeEvent[schema.RetryingEvent](params)
	case schema.NotifyUpdated:
		ev.Updated = decodeEvent[schema.UpdatedEvent](params)
	case schema.NotifyFinished:
		ev.Finished = decodeEvent[schema.FinishedEvent](params)
	case schema.NotifyReplayed:
		ev.Replayed = decodeEvent[schema.ReplayedEvent](params)
	case schema.NotifyShuttingDown:
		ev.ShuttingDown = decodeEvent[schema.ShuttingDownEvent](params)
	}
	if ev.Output != nil {
		c.events.add(ev, queuedEventBytes)
	} else if ev != (Event{}) {
		c.events.add(ev, queuedEventBytes+len(params))
	}
}

func decodeEvent[E any](raw []byte) *E {
	ev := new(E)
	if json.Unmarshal(raw, ev) != nil {
		return nil
	}
	return ev
}

func decodeResult(raw []byte, v any) error { return json.Unmarshal(raw, v) }

// eventQueue holds events until they are asked for.
type eventQueue struct {
	mu       sync.Mutex
	queue    []queuedEvent
	compact  int                 // the length at which outdated progress is dropped next
	output   int                 // bytes of output
	bytes    int                 // of all else
	seq      uint64              // the highest that was sent
	room     *sync.Cond          // the queue is shorter than before
	lossless map[uuid.UUID]int   // how many submits of a task ask for all of its output
	gaps     map[streamKey]int64 // the offset from which a stream is dropped
	ended    bool
	wake     chan struct{} // has room for one
}

type queuedEvent struct {
	Event
	bytes int
}

type streamKey struct {
	id     uuid.UUID
	stream schema.Stream
}

func (q *eventQueue) init() {
	q.wake, q.gaps = make(chan struct{}, 1), map[streamKey]int64{}
	q.room, q.lossless = sync.NewCond(&q.mu), map[uuid.UUID]int{}
}

// add queues an event that costs so many bytes, without those of output.
func (q *eventQueue) add(ev Event, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.seq
	q.seq = max(q.seq, ev.seq())
	if o := ev.Output; o != nil {
		key := streamKey{o.ID, o.Stream}
		full := func() bool {
			return q.output+len(o.Data) > maxQueuedOutput || q.bytes+bytes > maxQueuedEvents
		}
		for q.lossless[o.ID] > 0 && len(q.queue) > 0 && full() && !q.ended {
			q.room.Wait()
		}
		if full() {
			if _, already := q.gaps[key]; !already {
				q.gaps[key] = o.Offset - o.Gap
			}
			return
		}
		q.output += len(o.Data)
		if from, dropped := q.gaps[key]; dropped {
			o.Gap = o.Offset - from
			delete(q.gaps, key)
		}
	}
	if ev.Finished != nil {
		delete(q.lossless, ev.Finished.ID)
		q.reportGapsLocked(ev.Finished, before)
	}
	if len(q.queue) >= max(q.compact, compactEvents) {
		q.queue = withoutOldProgress(q.queue)
		q.compact = 2 * len(q.queue)
		q.bytes = 0
		for i := range q.queue {
			q.bytes += q.queue[i].bytes
		}
	}
	q.appendLocked(ev, bytes, before)
	q.signal()
}

// appendLocked queues an event, or counts it in a Lost where there is no room. Before
// is the highest seq that was sent before the event.
func (q *eventQueue) appendLocked(ev Event, bytes int, before uint64) {
	if q.bytes+bytes <= maxQueuedEvents {
		q.bytes += bytes
		q.queue = append(q.queue, queuedEvent{ev, bytes})
		return
	}
	if n := len(q.queue); n == 0 || q.queue[n-1].Lost == nil {
		q.queue = append(q.queue, queuedEvent{Event: Event{Lost: &LostEvents{After: before}}})
	}
	lost := q.queue[len(q.queue)-1].Lost
	lost.Count++
	lost.Through = q.seq
}

// seq is the number of the event, or 0.
func (e Event) seq() uint64 {
	switch {
	case e.Started != nil:
		return e.Started.Seq
	case e.Progress != nil:
		return e.Progress.Seq
	case e.Output != nil:
		return e.Output.Seq
	case e.Retrying != nil:
		return e.Retrying.Seq
	case e.Updated != nil:
		return e.Updated.Seq
	case e.Finished != nil:
		return e.Finished.Seq
	}
	return 0
}

// reportGapsLocked adds a piece without data for each stream of a finished task whose
// last pieces were dropped: no later piece has the gap.
func (q *eventQueue) reportGapsLocked(ev *schema.FinishedEvent, before uint64) {
	var totals [len(schema.StreamNames)]int64
	if b := ev.OutputBytes; b != nil {
		totals = [...]int64{schema.Stdout: b.Stdout, schema.Stderr: b.Stderr, schema.Log: b.Log}
	}
	for stream, total := range totals {
		key := streamKey{ev.ID, schema.Stream(stream)}
		if from, dropped := q.gaps[key]; dropped {
			delete(q.gaps, key)
			seq := ev.Seq - uint64(len(totals)-stream) // the server reserves these numbers for the last pieces
			q.appendLocked(Event{Output: &schema.OutputEvent{
				ID: ev.ID, Seq: seq, Stream: key.stream, Offset: total, Encoding: schema.EncodingUTF8, Gap: total - from,
			}}, queuedEventBytes, before)
		}
	}
}

// withoutOldProgress drops progress that a newer one of its task has replaced.
func withoutOldProgress(events []queuedEvent) []queuedEvent {
	newest := map[uuid.UUID]*schema.ProgressEvent{}
	for _, ev := range events {
		if ev.Progress != nil {
			newest[ev.Progress.ID] = ev.Progress
		}
	}
	return slices.DeleteFunc(events, func(ev queuedEvent) bool {
		return ev.Progress != nil && newest[ev.Progress.ID] != ev.Progress
	})
}

// keepAllOutput sets whether output of a task may be dropped. A call with true holds
// until one with false, or until the end of the task.
func (q *eventQueue) keepAllOutput(id uuid.UUID, all bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if all {
		q.lossless[id]++
	} else if q.lossless[id]--; q.lossless[id] <= 0 {
		delete(q.lossless, id)
		q.room.Broadcast()
	}
}

func (q *eventQueue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.room.Broadcast()
	q.signal()
}

func (q *eventQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) next(ctx context.Context) (Event, error) {
	for {
		q.mu.Lock()
		if len(q.queue) > 0 {
			ev := q.queue[0].Event
			q.bytes -= q.queue[0].bytes
			q.queue[0] = queuedEvent{}
			q.queue = q.queue[1:]
			if ev.Output != nil {
				q.output -= len(ev.Output.Data)
			}
			q.room.Broadcast()
			q.mu.Unlock()
			return ev, nil
		}
		ended := q.ended
		q.mu.Unlock()
		if ended {
			return Event{}, io.EOF
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}
