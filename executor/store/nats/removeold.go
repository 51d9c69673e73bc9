package nats

import (
	"context"
	"time"
)

// This file removes what nobody needs: old snapshots, what is left of some, and the log before them.

// leftoverAge is how long nothing may come of a snapshot that is not whole before it is removed.
const leftoverAge = 5 * time.Minute

// removeOld removes the snapshots but those that are needed, and from the log what is before the oldest of these and
// was applied by all. So whoever reads one of them finds the log behind it. The entry of that snapshot stays: by it a process
// sees that the log is the one of the snapshot.
func (s *Store) removeOld(ctx context.Context) error {
	f, err := s.survey(ctx)
	if err != nil {
		return err
	}
	needed, err := s.countNeeded(ctx, &f)
	if err != nil {
		return err
	}
	for _, subject := range s.removableSubjects(&f, needed) {
		if err := s.snapshotStore.remove(ctx, subject); err != nil {
			return err
		}
	}
	if needed == 0 {
		return nil
	}
	upTo := s.purgePoint(f.whole[needed-1].Entry, &f.log)
	if upTo <= f.log.first {
		return nil
	}
	return s.snapshotStore.purge(ctx, upTo)
}

// countNeeded is how many of the newest snapshots are needed: at least two that were read back whole, and up to one that is stored
// for so long that no power failure loses it. It is 0 where there are none such yet, and then all are needed. Where the log is
// nearly full, two are enough. It leaves those that are whole in f.
func (s *Store) countNeeded(ctx context.Context, f *inventory) (int, error) {
	pressed := f.log.nearlyFull(0)
	var read []storedSnapshot
	needed := 0
	for i, k := range f.whole {
		if needed > 0 {
			read = append(read, f.whole[i:]...)
			break
		}
		whole, err := s.isReadable(ctx, k)
		if err != nil {
			return 0, err
		}
		if !whole {
			f.damaged = append(f.damaged, k)
			continue
		}
		read = append(read, k)
		if len(read) > 1 && (pressed || s.isSynced(k, &f.log)) {
			needed = len(read)
		}
	}
	f.whole = read
	return needed, nil
}

// removableSubjects are the subjects of what can be removed, where so many of the whole snapshots are needed. What is not whole may
// become that, unless there is a newer snapshot, or nothing has come of it for long.
func (s *Store) removableSubjects(f *inventory, needed int) (subjects []string) {
	var newest uint64
	if len(f.whole) > 0 {
		newest = f.whole[0].Entry
	}
	s.keeping.mu.Lock()
	for _, l := range f.leftovers {
		if entryOf(l.subject) < newest || time.Since(s.keeping.leftovers[l]) > leftoverAge {
			subjects = append(subjects, l.subject)
		}
	}
	s.keeping.mu.Unlock()
	if needed == 0 {
		return subjects
	}
	for _, k := range f.damaged {
		if k.Entry < newest {
			subjects = append(subjects, k.subject)
		}
	}
	for _, k := range f.whole[needed:] {
		subjects = append(subjects, k.subject)
	}
	return subjects
}
