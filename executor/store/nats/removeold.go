package nats

import (
	"context"
	"time"
)

// This file removes what no process needs any more: old snapshots, leftovers of incomplete ones, and the log
// before the oldest snapshot that is kept.

// leftoverAge is for how long an incomplete snapshot may not grow before it is removed.
const leftoverAge = 5 * time.Minute

// removeOld removes the snapshots that are not needed, and purges the log before the oldest snapshot that is,
// as far as all processes have applied it. So a process that reads one of the snapshots finds the log after it.
// The entry of the oldest snapshot stays in the log: a process checks by it that log and snapshot belong
// together.
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

// countNeeded is how many of the newest snapshots are needed: at least two that could be read back, and up to
// one that is synced. If the log is nearly full, two are enough. It is 0 if there are not enough yet; then all
// are needed. It leaves in f.whole those that are not damaged.
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

// removableSubjects are the subjects of what can be removed, if so many of the whole snapshots are needed. An
// incomplete snapshot may still be completed, unless there is a newer one, or it has not grown for leftoverAge.
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
