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

// This file lets lossless readers slow a task down: the task's code blocks in a
// write while such a reader is too far behind.

const (
	// losslessWindow is how many bytes the code may be ahead of the slowest
	// reader. It is smaller if the store keeps less than twice as much of a stream.
	losslessWindow = 512 << 10
	// writeCost is the number of bytes that each write counts in addition to its
	// own, because each write may cause an event.
	writeCost = 1 << 10
	// stopPatience is the total time for which a task that was told to stop still
	// waits for readers.
	stopPatience = 500 * time.Millisecond
)

// outputReaders are the readers of the output of all tasks.
type outputReaders struct {
	window, piece int64
	some          atomic.Int64 // the number of tasks that have a reader

	mu    sync.Mutex
	tasks map[uuid.UUID]*outputFlow
}

// outputFlow is the output of one task on its way to its readers.
type outputFlow struct {
	writing sync.Mutex // held during a write and the wait before it

	// The mutex of outputReaders protects what follows.
	readers []*OutputReader
	total   streamOffsets // what was written while there was a reader
	changed chan struct{} // closed when a reader advances or leaves
}

type streamOffsets [len(schema.StreamNames)]int64

// init sets the window. The window is at most half of what the store keeps of a
// stream, so that no byte is overwritten before every reader has read it.
func (rs *outputReaders) init(kept int64) {
	rs.window, rs.piece = losslessWindow, MaxOutputPiece
	if kept > 0 {
		rs.window, rs.piece = min(rs.window, kept/2), max(min(rs.piece, kept/4), 1)
	}
	rs.tasks = map[uuid.UUID]*outputFlow{}
}

// OutputReader is a lossless reader of the output of one task. The task's code
// blocks in a write while the reader is too far behind, and the task ends only
// when the reader has all output. The task stops waiting for the reader after
// Leave. A task that was told to stop also stops waiting when its grace is over,
// or when it has waited for half a second since it was told. The methods of
// OutputReader may be called from many goroutines.
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

// ReadOutput makes a reader that has none of the output yet. Call it before the
// task is submitted; otherwise call Join next. The watcher w must receive the
// task's output events. It drops none of them until the reader leaves.
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
// task that may already be running. The watcher must already follow the task.
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

// Sent records that the reader has received a stream up to an offset.
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

// wake wakes those that wait for a reader. The caller must hold the lock.
func (f *outputFlow) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// behind is how many bytes the reader has yet to send. The caller must hold the lock.
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

// room reports whether every reader is within window bytes of the code. If window
// is 0, no reader may be behind at all. If a reader is too far behind, changed is
// closed when it is time to check again.
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

// write waits for the readers of the task, and then writes to the stream.
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

// drain is called when the task's code has ended. It waits until the readers have
// all output, because the output must reach them before the end of the task.
func (r *run) drain() {
	if f := r.executor.readers.of(r.record.ID); f != nil {
		f.writing.Lock()
		defer f.writing.Unlock()
		r.awaitReaders(f, 0)
	}
}

// awaitReaders waits until every reader is within window bytes of the code. It
// drops the readers when the grace is over, or when the task has waited for
// stopPatience since it was told to stop. The caller must hold writing.
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
