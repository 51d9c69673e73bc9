package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// Namespace is the store behind an outbox.
type Namespace interface {
	executor.Store
	executor.Directory
	executor.Drainer
	// Reached reports whether a change is likely to be recorded at once. It does not block.
	Reached() bool
	// Settle waits until what this process has written before can be read.
	Settle(ctx context.Context) error
	// Attach calls first, and from then on publishes all events to the watchers of a feed. No event comes between
	// the two.
	Attach(feed *kit.Feed, first func(get func(uuid.UUID) (executor.Record, error)))
	// Failed gets why the store can do nothing any more.
	Failed() <-chan error
}

const (
	// directPatience is how long a submit waits for the namespace before it goes into the outbox.
	directPatience = 2 * time.Second
	// sendPatience is how long a batch may be under way before it is asked again whether the namespace has it.
	sendPatience = 10 * time.Second
	// lookPause is how often it is looked whether the namespace can be reached, while something waits.
	lookPause = 200 * time.Millisecond
	// openPause and mostOpenPause are how long it waits before it tries to open the namespace again.
	openPause, mostOpenPause = 500 * time.Millisecond, 10 * time.Second
	// cancelPatience is how long a cancel waits to learn whether the namespace has the task.
	cancelPatience = 5 * time.Second
	// batchEntries and batchBytes bound what is sent together.
	batchEntries, batchBytes = 256, 1 << 20
	// endedTasks is how many tasks that have ended in the outbox can still be asked for.
	endedTasks = 1000
)

// Options say what an outbox is in front of.
type Options struct {
	// Open opens the namespace. It is tried again until it succeeds.
	Open func(context.Context) (Namespace, error)
	// Info is what is known of the namespace before that.
	Info executor.StoreInfo
	// Entries are those of the file, in order.
	Entries []Entry
	Logger  *slog.Logger // nil for none
}

// Store implements executor.Store and executor.Outbox. Make one with New, and let it Run.
type Store struct {
	options   Options
	log       *slog.Logger
	feed      *kit.Feed
	namespace atomic.Pointer[Namespace] // nil before it was opened
	reached   chan struct{}             // closed when it was
	tried     chan error                // gets what became of the first try to open it
	wake      chan struct{}             // gets a value when something is to be sent
	attend    chan struct{}             // gets a value when there is another reason to look after the file
	dated     chan struct{}             // gets a value when there is another task that expires
	failed    chan error
	dismissed chan struct{}

	unsent string // the latest error of sending that was logged; the goroutine that sends uses it

	writing sync.Mutex // held while the file is written; taken before mu
	file    File
	last    int64 // the number of the latest entry
	// owed is what is so in memory, and could not be written yet. Each write has it in front.
	owed Change
	// untold are entries that were refused, which is told when it is written.
	untold []*kept

	mu        sync.Mutex // protects what follows
	entries   []*kept    // in the order of their numbers
	byID      map[uuid.UUID]*kept
	damaged   []Entry
	bytes     int64
	refused   int
	ended     ended
	settled   chan struct{} // closed when a batch was settled
	unreached error         // why the namespace is not open
	fault     error         // why the file cannot be written, or nil
	stop      context.CancelCauseFunc
	over      chan struct{} // closed when Run has ended
	closed    bool
}

// New makes an outbox over a file, which it closes.
func New(file File, o Options) *Store {
	s := &Store{
		options: o, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), feed: new(kit.Feed), file: file,
		reached: make(chan struct{}), tried: make(chan error, 1), wake: make(chan struct{}, 1), attend: make(chan struct{}, 1), dated: make(chan struct{}, 1), failed: make(chan error, 1), dismissed: make(chan struct{}),
		byID: map[uuid.UUID]*kept{}, settled: make(chan struct{}), unreached: errors.New("it was not tried yet"),
	}
	for _, e := range o.Entries {
		if e.Damaged {
			s.takeDamaged(e)
			continue
		}
		s.put(&kept{Entry: e})
		s.last = max(s.last, e.Number)
	}
	return s
}

// put adds an entry behind all others. It needs mu, but in New.
func (s *Store) put(k *kept) {
	s.entries = append(s.entries, k)
	s.byID[k.Record.ID] = k
	s.bytes += SizeOf(&k.Record)
	if k.Refused != "" {
		s.refused++
	}
	if !k.expiresAt().IsZero() {
		notify(s.dated)
	}
}

// remove takes entries out. It needs mu.
func (s *Store) remove(gone map[int64]bool) {
	s.entries = slices.DeleteFunc(s.entries, func(k *kept) bool {
		if !gone[k.Number] {
			return false
		}
		delete(s.byID, k.Record.ID)
		s.bytes -= SizeOf(&k.Record)
		if k.Refused != "" {
			s.refused--
		}
		return true
	})
}

// behind is the namespace, or why there is none yet.
func (s *Store) behind() (Namespace, error) {
	if in := s.namespace.Load(); in != nil {
		return *in, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return nil, fmt.Errorf("%w: the namespace was not reached since this server has started: %w", executor.ErrStoreUnavailable, s.unreached)
}

// canReach is the namespace where that can be reached now, or nil.
func (s *Store) canReach() Namespace {
	if in := s.namespace.Load(); in != nil && (*in).Reached() {
		return *in
	}
	return nil
}

// Tried gets what became of the first try to open the namespace.
func (s *Store) Tried() <-chan error { return s.tried }

// Failed gets why the namespace can do nothing any more.
func (s *Store) Failed() <-chan error { return s.failed }

// Info implements executor.Store.
func (s *Store) Info() executor.StoreInfo {
	if in := s.namespace.Load(); in != nil {
		info := (*in).Info()
		if info.Fault == "" && !(*in).Reached() {
			info.Fault = "there is no connection to the namespace"
		}
		return s.withFault(info)
	}
	info := s.options.Info
	_, err := s.behind()
	info.Unread, info.Fault = true, err.Error()
	return s.withFault(info)
}

// Close implements executor.Store. It ends Run.
func (s *Store) Close() error {
	s.mu.Lock()
	stop, over, closed := s.stop, s.over, s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	if stop != nil {
		stop(executor.ErrClosed)
		<-over
	}
	if waiting := s.State().Waiting; waiting > 0 {
		s.log.Info("submits stay in the outbox, and are sent by the next server that has it", "tasks", waiting, "outbox", s.file.Path())
	}
	var err error
	if in := s.namespace.Load(); in != nil {
		err = (*in).Close()
	}
	s.feed.Close()
	s.writing.Lock()
	defer s.writing.Unlock()
	if !s.owed.isEmpty() {
		_ = s.write(Change{}) // where that fails, the next process asks the namespace by the ids
	}
	return errors.Join(err, s.file.Close())
}
