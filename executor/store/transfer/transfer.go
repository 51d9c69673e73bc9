// Package transfer copies the content of one store into another one of any kind. A store that can be read has a
// Source, and a store that can be filled has a Target.
package transfer

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// Task is a task with everything that a store has of it. It is final or queued: no task runs while its store is
// copied.
type Task struct {
	executor.Record
	Order uint64 // rises with each task: the order of lists, and of the queue among equal priorities
	Seq   uint64 // the event number of its end; 0 if it is queued
	// Output is the kept output of each stream: its last bytes. OutputBytes counts all bytes that were written.
	Output [len(schema.StreamNames)][]byte
}

// Group is a group that has settings.
type Group struct {
	Name     string
	Settings plan.Settings
	Starts   []schema.Time // when its latest tasks started, if it has a rate
}

// Limits are the limits that a store keeps in itself. Zero means that a limit is not known.
type Limits struct {
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	KeepIDs   int
	MaxQueued int
	MaxOutput int // bytes that are kept of each stream of a task; never zero
	Resources map[string]int64
}

// About is what a store has beside tasks.
type About struct {
	At        schema.Time // the time of the content
	Order     uint64      // the latest order number
	Seq       uint64      // the latest event number
	Gone      uint64      // the event number of the end of the task that was forgotten last
	Paused    bool
	Groups    []Group // by name
	Schedules []executor.ScheduleText
	Limits    Limits
}

// Source is the content of a store at one moment. One goroutine at a time uses it, and may call the methods
// more than once. An error of a callback ends the method, which returns it. A callback may keep a *Task, and
// must not change it.
type Source interface {
	About() *About
	// Forgotten calls f for each remembered id of a task that is no longer kept, the oldest first.
	Forgotten(ctx context.Context, f func(id uuid.UUID) error) error
	// Finals calls f for each final task, in the order of their ends.
	Finals(ctx context.Context, f func(*Task) error) error
	// Waiting calls f for each queued task, in the order of Order.
	Waiting(ctx context.Context, f func(*Task) error) error
}

// From is a Source of a store, which other processes may change, unless the Source locks it until Close.
type From interface {
	Source
	// Unchanged answers an error if the store was changed after the moment of the content.
	Unchanged(ctx context.Context) error
	Close() error
}

// Target is a store that is being filled. Until Commit no process can open it as a store.
type Target interface {
	// Fill stores the content of a source. It calls each method that reads tasks or ids once.
	Fill(ctx context.Context, from Source) error
	// Filled reads back what Fill has stored.
	Filled(ctx context.Context) (Source, error)
	// Commit makes the target a store.
	Commit(ctx context.Context) error
	// Close drops what was not committed.
	Close() error
}

// Copy fills a store with the content of another one, reads it back, compares the two, and only then commits
// it. It closes neither of them. If the two differ, the error is a *DiffersError.
func Copy(ctx context.Context, from From, to Target) (Sum, error) {
	read := &meter{Source: from}
	if err := to.Fill(ctx, read); err != nil {
		return Sum{}, err
	}
	was, err := read.sum()
	if err != nil {
		return Sum{}, err
	}
	filled, err := to.Filled(ctx)
	if err != nil {
		return Sum{}, fmt.Errorf("what was copied cannot be read: %w", err)
	}
	is, err := SumOf(ctx, filled)
	if err != nil {
		return Sum{}, fmt.Errorf("what was copied cannot be read: %w", err)
	}
	if was != is {
		return Sum{}, &DiffersError{was, is}
	}
	if err := from.Unchanged(ctx); err != nil {
		return Sum{}, err
	}
	return is, to.Commit(ctx)
}

// DiffersError says that a copy, when read back, was not equal to its source.
type DiffersError struct{ From, To Sum }

func (e *DiffersError) Error() string {
	return fmt.Sprintf("the copy differs from its source, and is dropped: the source has %v (digest %x), and the copy %v (digest %x)", e.From, e.From.Digest[:4], e.To, e.To.Digest[:4])
}
