package executor

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file makes the code of a task wait, where it writes, for the readers of
// its output that must not miss any of it.

const (
	// losslessWindow is how many bytes the code may be ahead of the slowest
	// reader, where the store keeps more than twice as much of a stream.
	losslessWindow = 512 << 10
	// writeCost is what a write counts beyond its bytes: it may make an event of
	// its own.
	writeCost = 1 << 10
	// stopPatience is how long, in sum, a task that was told to stop still waits
	// for readers.
	stopPatience = 500 * time.Millisecond
)

// outputReaders are the readers of the output of all tasks.
type outputReaders struct {
	window, piece int64
	some          atomic.Int64 // the tasks that have one

	mu    sync.Mutex
	tasks map[uuid.UUID]*outputFlow
}

// outputFlow is the output of one task on its way to its readers.
type outputFlow struct {
	writing sync.Mutex // is held by whoever writes, while it waits and writes

	// The mutex of outputReaders protects what follows.
	readers []*OutputReader
	total   streamOffsets // what was written while there was a reader
	changed chan struct{} // is closed when a reader has gone on
}

type streamOffsets [len(schema.StreamNames)]int64

// init fits the window to what the store keeps of a stream, so that no byte is
// written over that a reader has yet to read.
func (rs *outputReaders) init(kept int64) {
	rs.window, rs.piece = losslessWindow, MaxOutputPiece
	if kept > 0 {
		rs.window, rs.piece = min(rs.window, kept/2), max(min(rs.piece, kept/4), 1)
	}
	rs.tasks = map[uuid.UUID]*outputFlow{}
}

// OutputReader is a reader of the output of a task that must not miss any of
// it: the task's code waits, where it writes, while the reader is too far behind,
// and the task ends only when the reader has all. The task no longer waits for it
// after Leave, after the grace of a task that was told to stop, and where it has
// waited for half a second since it was told to. Its methods may be called from
// many goroutines.
type OutputReader struct {
	of      *outputReaders
	flow    *outputFlow
	id      uuid.UUID
	watcher Watcher

	// The mutex of outputReaders protects what follows.
	sent streamOffsets
	owed int64 // for the writes since it had everything
	left bool
}

// ReadOutput makes a reader that has none of the output yet. It is to be called
// before the task is submitted, or else Join must follow. The watcher, which is
// to be told of the output, keeps all events of it until the reader leaves.
func (e *Executor) ReadOutput(w Watcher, id uuid.UUID) *OutputReader {
	rs := &e.readers
	w.KeepOutput(id, true)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	f := rs.tasks[id]
	if f == nil {
		f = &outputFlow{changed: make(chan struct{})}
		rs.tasks[id] = f
		rs.some.Add(1)
	}
	r := &OutputReader{of: rs, flow: f, id: id, watcher: w}
	f.readers = append(f.readers, r)
	return r
}

// Join lets the reader begin with what the task writes from now on. It is for a
// task that may be running already; the watcher follows it by then.
func (e *Executor) Join(ctx context.Context, r *OutputReader) error {
	for i := range r.sent {
		total, err := e.outputTotal(ctx, r.id, schema.Stream(i))
		if err != nil {
			return err
		}
		r.Sent(schema.Stream(i), total)
	}
	return nil
}

// outputTotal is how much a task has written to a stream.
func (e *Executor) outputTotal(ctx context.Context, id uuid.UUID, stream schema.Stream) (int64, error) {
	piece, err := e.store.Output(ctx, id, stream, OutputRange{})
	return piece.Total, err
}

// Sent says that the reader has a stream up to an offset.
func (r *OutputReader) Sent(stream schema.Stream, upTo int64) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.sent[stream] = max(r.sent[stream], upTo)
	if r.behind(r.flow) == 0 {
		r.owed = 0
	}
	r.flow.wake()
}

// Waited reports whether the task still waits for the reader.
func (r *OutputReader) Waited() bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	return !r.left
}

// Leave lets the task go on without the reader. It may be called more than once.
func (r *OutputReader) Leave() {
	r.of.release(r.flow, r.id, func(o *OutputReader) bool { return o == r })
}

// release lets a task go on without some of its readers.
func (rs *outputReaders) release(f *outputFlow, id uuid.UUID, leaves func(*OutputReader) bool) {
	var gone []*OutputReader
	rs.mu.Lock()
	f.readers = slices.DeleteFunc(f.readers, func(r *OutputReader) bool {
		if r.left = leaves(r); r.left {
			gone = append(gone, r)
		}
		return r.left
	})
	if len(f.readers) == 0 && rs.tasks[id] == f {
		delete(rs.tasks, id)
		rs.some.Add(-1)
	}
	f.wake()
	rs.mu.Unlock()
	for _, r := range gone {
		r.watcher.KeepOutput(id, false)
	}
}

// of is the flow of a task that has a reader, or nil.
func (rs *outputReaders) of(id uuid.UUID) *outputFlow {
	if rs.some.Load() == 0 {
		return nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.tasks[id]
}

// wake needs the lock.
func (f *outputFlow) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// behind is how many bytes the reader has yet to send. It needs the lock.
func (r *OutputReader) behind(f *outputFlow) (n int64) {
	for i, total := range f.total {
		n += max(total-r.sent[i], 0)
	}
	return n
}

// wrote notes how long a stream is now.
func (rs *outputReaders) wrote(f *outputFlow, stream schema.Stream, total int64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	f.total[stream] = total
	for _, r := range f.readers {
		if r.behind(f) > 0 {
			r.owed += writeCost
		}
	}
}

// room reports whether no reader is further behind than it may be: by so many
// bytes, or not at all. Where one is, changed is closed when that may be over.
func (rs *outputReaders) room(f *outputFlow, window int64) (ok bool, changed <-chan struct{}) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range f.readers {
		if behind := r.behind(f); behind > 0 && behind+r.owed >= window {
			return false, f.changed
		}
	}
	return true, nil
}

// write writes to a stream of the task, and waits for its readers before.
func (r *run) write(stream schema.Stream, p []byte) error {
	rs := &r.executor.readers
	f := rs.of(r.record.ID)
	if f == nil {
		return r.lease.Write(stream, p)
	}
	f.writing.Lock()
	defer f.writing.Unlock()
	for len(p) > 0 {
		n := min(int64(len(p)), rs.piece)
		r.awaitReaders(f, rs.window)
		if err := r.lease.Write(stream, p[:n]); err != nil {
			return err
		}
		if total, err := r.executor.outputTotal(r, r.record.ID, stream); err == nil { // or there is nothing to wait for
			rs.wrote(f, stream, total)
		}
		p = p[n:]
	}
	return nil
}

// drain waits until the readers have all that the task's code, which has ended,
// has written: what they are sent comes before the end of the task.
func (r *run) drain() {
	if f := r.executor.readers.of(r.record.ID); f != nil {
		f.writing.Lock()
		defer f.writing.Unlock()
		r.awaitReaders(f, 0)
	}
}

// awaitReaders waits until no reader is further behind than by so many bytes. It
// lets the task go on without its readers when the grace is over, and where it
// has waited for stopPatience since it was told to stop. It needs writing.
func (r *run) awaitReaders(f *outputFlow, window int64) {
	rs := &r.executor.readers
	everyone := func(*OutputReader) bool { return true }
	told := r.Done()
	var over <-chan time.Time
	for {
		ok, changed := rs.room(f, window)
		if ok {
			return
		}
		select {
		case <-changed:
		case <-told:
			told = nil
			timer, since := time.NewTimer(stopPatience-r.waited), time.Now()
			defer func() {
				timer.Stop()
				r.waited += time.Since(since)
			}()
			over = timer.C
		case <-over:
			rs.release(f, r.record.ID, everyone)
		case <-r.overdue():
			rs.release(f, r.record.ID, everyone)
		}
	}
}
