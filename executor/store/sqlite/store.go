package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Store implements executor.Store. Make one with Open.
type Store struct {
	options Options
	path    string // with no symbolic link in it
	log     *slog.Logger
	opened  os.FileInfo
	lock    *disk.Lock
	feed    kit.Feed
	types   *file.Types
	readers readers

	company   *time.Timer // calls alone
	telling   *time.Timer // calls tellProgress
	committer committer   // used only by its goroutine
	over      chan struct{}
	closing   sync.Once
	closeErr  error

	mu        sync.Mutex // protects the fields below, and the visible state of every record
	closed    bool
	live      map[uuid.UUID]*record // that are not final, except those in the backlog of claims
	running   map[*record]struct{}  // those that are visible as running
	claims    queue
	planned   kit.Planned // the tasks with conditions
	nodes     kit.Nodes   // the tasks that others come after
	schedules kit.Schedules
	dedupes   kit.Dedupes
	trees     kit.Trees
	// descents are the tasks from which cancels are on their way down, and how many of each.
	descents map[uuid.UUID]int
	permits  permits
	counts   executor.Counts
	entries  []entry // the log: what is not committed yet, in order
	pressing bool    // some of it must not wait for companyDelay
	inFlight bool    // the committer is at work on entries that were taken from it
	wake     chan struct{}
	reserved uint64 // no event may have a greater number before the file says so
	ahead    int    // the number of ends, and of starts that nobody waits for, not recorded yet
	held     int64  // bytes of those ends
	fault    error  // why nothing can be written
	tried    time.Time
	expiry   schema.Time   // when the oldest end is no longer kept; 0 is never
	updates  uint64        // of tasks that wait, since the store was opened
	open     *file.Open    // the tasks that are not final, as the file has them
	breaks   []int64       // the tasks before which the clock was set back
	dirty    []*record     // with output that is not in the file, the oldest first; some may be final
	sweeping chan struct{} // closed when the search for expired tasks is over; nil if nobody waits
}

// record is a task that is not final, as the store holds it. The embedded Record is
// its visible state, which changes when a commit has succeeded.
type record struct {
	executor.Submission
	ord           int64
	entry         kit.Entry[*record]
	planned       *plan.Task // nil of a task without conditions
	seq           uint64     // of its start; 0 is before that
	lease         *lease     // of the attempt that was claimed
	cancelRequest cancelRequest
	// cancelling is set when the end of a queued task is in the log.
	cancelling bool
	// updating is the latest change of the task that is in the log, or nil.
	updating *updating
	// replaced is set when that end is because of a newer task of its dedupe key.
	replaced bool
	final    *schema.Task // without its input
	shown    kit.Shown
	out      output
}

// Info implements executor.Store.
func (s *Store) Info() executor.StoreInfo {
	o := &s.options
	info := executor.StoreInfo{Name: "sqlite", Durable: true, File: s.path, Limits: executor.StoreLimits{
		QueuedTasks: o.MaxQueued, OutputBytes: o.MaxOutput,
		KeepTasks: max(o.Keep, 0), KeepFor: o.KeepFor, KeepBytes: o.KeepBytes, KeepIDs: max(o.KeepIDs, 0),
	}, Resources: o.Resources}
	s.mu.Lock()
	defer s.mu.Unlock()
	info.Paused = s.planned.Paused()
	if s.fault != nil {
		info.Fault = s.fault.Error()
	}
	return info
}

// Close writes the entries left in the log, and closes the store. An error means
// that some results could not be written. Their tasks are then as after a crash.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.planned.Close()
		s.claims.WakeAll()
		s.notify()
		s.mu.Unlock()
		<-s.over
		s.company.Stop()
		s.telling.Stop()
		s.feed.Close()
		failed := s.closeErr != nil
		if failed {
			s.closeErr = errors.Join(s.closeErr, s.readers.abandon())
		}
		s.closeErr = errors.Join(s.closeErr, s.readers.close(), s.committer.close(failed), s.lock.Release())
	})
	return s.closeErr
}

// notify lets the committer look; it needs the lock.
func (s *Store) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// snapshot is the task as it is seen now, with its input; it needs the lock.
func (s *Store) snapshot(r *record) schema.Task {
	if r.final != nil {
		t := *r.final
		t.Input = r.Input
		return t
	}
	t := r.Task
	t.OutputBytes = r.out.bytes() // also while it waits for its next attempt
	if t.State == schema.Running && t.Progress == nil {
		t.Progress = s.trees.Progress(t.ID)
	}
	return t
}

// Get implements executor.Store.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	if err := s.sweepExpired(ctx); err != nil {
		return executor.Record{}, err
	}
	s.mu.Lock()
	if r, ok := s.live[id]; ok {
		found := r.Record
		found.Task = s.seen(r)
		found.Children = s.trees.Counts(id)
		s.mu.Unlock()
		return found, nil
	}
	s.mu.Unlock()
	var r executor.Record
	err := s.readers.with(ctx, s, func(c *file.Conn) (err error) {
		r, _, err = s.storedWith(c, id)
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Children = s.trees.Counts(id)
	return r, err
}

// Counts implements executor.Store.
func (s *Store) Counts(ctx context.Context) (executor.Counts, error) {
	if err := s.sweepExpired(ctx); err != nil {
		return executor.Counts{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts, nil
}

// Watch implements executor.Store.
func (s *Store) Watch(context.Context) (executor.Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return s.feed.Watch(), nil
}

// clock is the time now; a record's times never go backwards.
func clock(after ...schema.Time) schema.Time {
	now := schema.TimeOf(time.Now())
	for _, t := range after {
		now = max(now, t)
	}
	return now
}
