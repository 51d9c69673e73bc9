package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file reads a namespace without joining the processes that share it.

// observedPage is how many tasks Tasks reads at a time.
const observedPage = 1000

// Observed is the content of a namespace at one moment, in memory. Make one with Observe, and Close it. It is
// not safe for concurrent use.
type Observed struct{ store *Store }

// Observe reads all of a namespace, even while processes use it, and writes nothing. It needs memory for all
// tasks, and the permissions of RoleViewer.
func Observe(ctx context.Context, a Address, c Credentials) (*Observed, error) {
	s, err := readAll(ctx, a, c, nil)
	if err != nil {
		return nil, err
	}
	return &Observed{s}, nil
}

// observer gets what a store notices that reads the log to compare copies. Either function may be nil.
type observer struct {
	mismatch func(text string) // a process had another digest than the log makes
	digest   func(entryDigest) // what the log makes, after each entry with a Beat
}

// newObserver is a store that reads only. o is the field observer.
func newObserver(a Address, c Credentials, o *observer) *Store {
	s := newStore(Options{Address: a, Credentials: c, Role: RoleViewer, Logger: slog.New(slog.DiscardHandler)})
	s.observer = o
	return s
}

// readAll makes a store that has applied the log up to its end, and applies no more.
func readAll(ctx context.Context, a Address, c Credentials, o *observer) (s *Store, err error) {
	for range maxOpenTries { // the log may be shortened while it is read
		s = newObserver(a, c, o)
		if err = s.connect(ctx); err == nil {
			err = s.readToEnd(ctx)
		} else {
			_ = s.machine.tasks.Close() // its timers
		}
		if !errors.Is(err, errLogGap) {
			break
		}
	}
	return s, err
}

// readToEnd applies the log up to the end that it had at the start, and then stops the follower. After an error
// the store is closed.
func (s *Store) readToEnd(ctx context.Context) error {
	_, err := s.catchUp(ctx)
	s.end()
	s.running.Wait()
	if err == nil {
		err = s.checkViewerRules()
	}
	if err != nil {
		s.stop()
	}
	return err
}

// Tasks calls each for every task that the filter selects, the oldest first, and ends with the first error of
// each. A task has its input, where it runs, and its attempts if there was more than one. As in the export of a
// store's file, a task that is not final has no progress, no outputBytes and no waitingFor.
func (o *Observed) Tasks(ctx context.Context, filter executor.Filter, each func(*schema.Task) error) error {
	m := o.store.machine
	for page := (executor.PageRequest{Oldest: true, Limit: observedPage}); ; {
		found, err := m.tasks.List(ctx, filter, page)
		if err != nil {
			return err
		}
		for i := range found.Tasks {
			r, err := m.tasks.Get(ctx, found.Tasks[i].ID)
			if err != nil {
				return err
			}
			if t := &r.Task; !t.State.Final() {
				t.Progress, t.OutputBytes, t.WaitingFor = nil, nil, nil
			}
			if r.History != nil {
				r.ShowAttempts()
			}
			if err := each(&r.Task); err != nil {
				return err
			}
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return context.Cause(ctx)
		}
	}
}

// Output is what is kept of a stream of a task, or its last tail bytes if tail is not negative. The error for
// an unknown id wraps executor.ErrNotFound.
func (o *Observed) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, tail int64) (executor.OutputPiece, error) {
	tasks := o.store.machine.tasks
	return tasks.Output(ctx, id, stream, executor.OutputRange{Tail: tail, Limit: int64(tasks.Options().MaxOutput)})
}

// Groups are all groups with their settings, and whether everything is paused.
func (o *Observed) Groups(ctx context.Context) (plan.Overview, error) {
	return o.store.machine.tasks.Groups(ctx)
}

// Schedules are all schedules, sorted by name.
func (o *Observed) Schedules(ctx context.Context) ([]executor.ScheduleText, error) {
	return o.store.machine.tasks.Schedules(ctx)
}

// Close ends the connection, and frees the memory. It answers no error.
func (o *Observed) Close() error {
	o.store.stop()
	return nil
}

// CheckNamespace reads each snapshot of a namespace, and applies the log after the newest one, as a server does
// when it starts. It calls report for each thing that cannot be read, and for each process whose copy differed.
// An error means that the namespace could not be checked. It writes nothing.
func CheckNamespace(ctx context.Context, a Address, c Credentials, report func(text string)) error {
	s := newObserver(a, c, &observer{mismatch: report})
	err := s.connect(ctx)
	if err == nil {
		if err = s.checkSnapshots(ctx, report); err != nil {
			s.journal.close()
			return err
		}
		if err = s.readToEnd(ctx); err == nil {
			s.stop()
		}
	}
	if errors.Is(err, errLogGap) { // the log was shortened meanwhile, and there are newer snapshots
		var all *Store
		if all, err = readAll(ctx, a, c, nil); err == nil {
			all.stop()
		}
	}
	var broken *brokenLog
	var lost *lostBeginning
	if errors.As(err, &broken) || errors.As(err, &lost) {
		report(err.Error())
		return nil
	}
	return err
}

// checkSnapshots reads all snapshots, and reports those that are damaged. A snapshot that was removed meanwhile
// is skipped.
func (s *Store) checkSnapshots(ctx context.Context, report func(text string)) error {
	whole, _, err := s.snapshotStore.list(ctx)
	if err != nil {
		return streamError(s.options.Address, s.options.Credentials, err)
	}
	for _, k := range whole {
		m, _, bad := s.readSnapshot(ctx, k, func() {})
		if bad == nil {
			_ = m.tasks.Close()
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		now, _, err := s.snapshotStore.list(ctx)
		if err != nil {
			return streamError(s.options.Address, s.options.Credentials, err)
		}
		if slices.ContainsFunc(now, func(o storedSnapshot) bool { return o.subject == k.subject }) {
			report(fmt.Sprintf("the snapshot of entry %d: %v", k.Entry, bad))
		}
	}
	return nil
}
