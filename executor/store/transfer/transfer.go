// Package transfer copies what one store has into another one, whatever they keep it in. A store that
// can be read has a Source, and one that can be filled has a Target.
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

// Task is a task with all that a store has of it. It is final, or it waits: nothing runs while a store
// is copied.
type Task struct {
	executor.Record
	Order uint64 // rises with each task: the order of lists, and of the queue among equal priorities
	Seq   uint64 // the event number of its end; 0 of one that waits
	// Output is what is kept of each stream: its last bytes. OutputBytes counts all that were written.
	Output [len(schema.StreamNames)][]byte
}

// Group is a group that has settings.
type Group struct {
	Name     string
	Settings plan.Settings
	Starts   []schema.Time // of its latest tasks, where it has a rate
}

// Limits are those of a store that keeps them itself. What is zero is not known.
type Limits struct {
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	KeepIDs   int
	MaxQueued int
	MaxOutput int // how many bytes of each stream of a task are kept; it is never zero
	Resources map[string]int64
}

// About is what a store has beside tasks.
type About struct {
	At        schema.Time // of the moment that is copied
	Order     uint64      // the latest order number
	Seq       uint64      // the latest event number
	Gone      uint64      // the event number of the latest end that is no longer kept
	Paused    bool
	Groups    []Group // by name
	Schedules []executor.ScheduleText
	Limits    Limits
}

// Source is what a store has at one moment. Its methods may be called more than once, by one goroutine. An
// error of a callback ends them. A task may be kept, and is not to be changed.
type Source interface {
	// About answers what there is beside tasks.
	About() *About
	// Forgotten calls f with the ids of tasks that are no longer kept, the oldest first.
	Forgotten(ctx context.Context, f func(id uuid.UUID) error) error
	// Finals calls f with the final tasks, in the order of their ends.
	Finals(ctx context.Context, f func(*Task) error) error
	// Waiting calls f with the other tasks, in their order.
	Waiting(ctx context.Context, f func(*Task) error) error
}

// From is a Source that others may change, or that they are kept from changing until Close.
type From interface {
	Source
	// Unchanged answers an error if somebody has changed the store since the moment that is copied.
	Unchanged(ctx context.Context) error
	Close() error
}

// Target is a store that is filled. Until Commit nobody can take it for one.
type Target interface {
	// Fill stores all that a source has. It calls each method that reads tasks or ids once.
	Fill(ctx context.Context, from Source) error
	// Filled answers what is stored, read anew.
	Filled(ctx context.Context) (Source, error)
	// Commit makes it a store.
	Commit(ctx context.Context) error
	// Close gives up what was not committed.
	Close() error
}

// Copy fills a store with what another one has, compares the two, and only then commits it. It closes neither of
// them.
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

// DiffersError says that a copy is not what it was made of.
type DiffersError struct{ From, To Sum }

func (e *DiffersError) Error() string {
	return fmt.Sprintf("the copy differs from what it was made of, and is given up: that has %v (digest %x), and the copy %v (digest %x)", e.From, e.From.Digest[:4], e.To, e.To.Digest[:4])
}
