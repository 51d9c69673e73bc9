package nats

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// This file reads a namespace for a copy.

// source is the content of a namespace that no process shares. It is all in memory, as in each process of the
// namespace.
type source struct {
	transfer.Source
	store *Store
}

// CopyFrom reads a namespace that no process uses, and writes nothing to it. Tasks of processes that were
// silent for their leases are settled in what is read, as the next server would settle them. It fails with a
// *LiveError if a process uses the namespace. It needs memory for all tasks, and the permissions of RoleViewer.
func CopyFrom(ctx context.Context, a Address, c Credentials) (transfer.From, error) {
	s, err := readAll(ctx, a, c, nil)
	if err != nil {
		return nil, err
	}
	from := &source{store: s}
	if err = s.settleDead(ctx); err == nil {
		from.Source, err = s.machine.tasks.Contents()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return from, nil
}

// settleDead settles the tasks of dead processes in the copy. It fails if a process is alive.
func (s *Store) settleDead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := s.journal.(*streamJournal).stream.Info(ctx)
	if err != nil {
		return streamError(s.options.Address, s.options.Credentials, err)
	}
	now := schema.TimeOf(info.TimeStamp)
	all := slices.SortedFunc(maps.Values(s.machine.peers), func(a, b *peer) int { return compareIDs(a.id, b.id) })
	for _, p := range all {
		lease := time.Duration(p.about.Lease)
		if silent := time.Duration(now-p.latest) * time.Microsecond; silent < lease {
			return &LiveError{
				Namespace: s.options.Address.Namespace, Name: cmp.Or(p.about.Name, p.id.String()), Host: cmp.Or(p.about.Host, "?"), PID: p.about.PID,
				Silent: silent.Truncate(time.Second), Left: (lease - silent).Truncate(time.Second) + time.Second,
			}
		}
	}
	s.machine.tasks.Advance(now)
	for _, p := range all {
		s.machine.remove(p)
	}
	s.machine.tasks.Advance(now)
	return nil
}

// LiveError says that a process uses a namespace, or has used it less than its lease ago.
type LiveError struct {
	Namespace  string
	Name, Host string
	PID        int
	Silent     time.Duration // since its latest message
	Left       time.Duration // until it counts as dead, if it writes nothing
}

func (e *LiveError) Error() string {
	return fmt.Sprintf("the namespace %s is used by %s, process %d at %s, which wrote %v ago; end it (jobline executors drain NAME --end, or jobline shutdown), or try again in %v if it is dead",
		e.Namespace, e.Name, e.PID, e.Host, e.Silent, e.Left)
}

// Unchanged implements transfer.From.
func (f *source) Unchanged(ctx context.Context) error {
	now, err := f.store.snapshotStore.extent(ctx)
	switch {
	case err != nil:
		return streamError(f.store.options.Address, f.store.options.Credentials, err)
	case now.last != f.store.applied.Load():
		return fmt.Errorf("the namespace %s was changed while it was copied: a server has started; end it, and copy again", f.store.options.Address.Namespace)
	}
	return nil
}

// Close implements transfer.From.
func (f *source) Close() error {
	f.store.stop()
	return nil
}
