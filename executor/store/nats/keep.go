package nats

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// This file decides when a snapshot is made, and by which process, so that the log can be shortened.

const (
	// snapshotBytes is how many bytes the log grows, at least, after the latest snapshot before the next one is
	// made. It is more if a snapshot is larger, so that snapshots write no more than the log, and less if the
	// log has a bound, so that the log does not fill with entries that no process needs. A namespace may have
	// another value.
	snapshotBytes = 64 << 20
	// syncTime is how long a snapshot is stored before the entries that it includes are purged. NATS servers
	// that do not sync each write do so after two minutes, unless they are configured otherwise.
	syncTime = 5 * time.Minute
	// maintainPause is the longest time between two looks at the log, and maxMaintainPause that after repeated
	// failures.
	maintainPause, maxMaintainPause = time.Minute, 16 * time.Minute
)

const notShorter = "the log of the store cannot be shortened at the moment"

// keeping is what a process knows of the snapshots.
type keeping struct {
	syncTime time.Duration // the constant syncTime, but in tests
	mu       sync.Mutex    // protects what follows
	// readable says of snapshots, by subject, whether they could be read back; false means damaged.
	readable map[string]bool
	// leftovers are the incomplete snapshots, with the time since when they have not grown.
	leftovers map[leftover]time.Time
}

// maintainLog makes snapshots and shortens the log when that is due, until ctx ends.
func (s *Store) maintainLog(ctx context.Context) {
	pause := time.NewTicker(maintainPause)
	defer pause.Stop()
	failures, again, told := 0, time.Time{}, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-s.grown:
		}
		rank := s.snapshotRank()
		if rank < 0 || s.machine.anyDiffers() || time.Now().Before(again) {
			continue
		}
		asking, done := s.denied.cancelOnRefusal(ctx)
		err := orRefusal(asking, s.maintainOnce(asking, rank))
		done()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures, told = 0, ""
			s.setWarning("")
			continue
		}
		if failures++; failures > 1 { // each failed try may write a whole snapshot
			again = time.Now().Add(min(maintainPause<<min(failures-2, 10), maxMaintainPause))
		}
		if err.Error() != told {
			told = err.Error()
			s.log.Warn(notShorter, "error", err)
			s.setWarning(notShorter + ": " + told)
		}
	}
}

// snapshotRank is how many executors make snapshots before this one. The first executor that runs tasks makes
// them, and each further one only if those before it do not. If no executor runs tasks, all executors count. It
// is negative for a process that makes none. If two processes both think that they are the first, both make
// one, which does no harm.
func (s *Store) snapshotRank() int {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all, run []uuid.UUID
	for id, p := range m.peers {
		if p.about.Role == RoleExecutor {
			all = append(all, id)
			if len(p.joined) > 0 {
				run = append(run, id)
			}
		}
	}
	if run == nil {
		run = all
	}
	slices.SortFunc(run, compareIDs)
	return slices.Index(run, self)
}

// inventory is what the servers have of the log and of snapshots.
type inventory struct {
	whole     []storedSnapshot // complete, and not known to be damaged; the newest first
	damaged   []storedSnapshot
	leftovers []leftover
	log       extent
}

// survey asks the servers for an inventory, and updates keeping by it.
func (s *Store) survey(ctx context.Context) (f inventory, err error) {
	whole, leftovers, err := s.snapshotStore.list(ctx)
	if err != nil {
		return inventory{}, err
	}
	if f.log, err = s.snapshotStore.extent(ctx); err != nil {
		return inventory{}, err
	}
	s.bound.Store(f.log.bound)
	f.leftovers = leftovers
	k := &s.keeping
	k.mu.Lock()
	defer k.mu.Unlock()
	readable, left := map[string]bool{}, map[leftover]time.Time{}
	for _, one := range whole {
		read, known := k.readable[one.subject]
		if known {
			readable[one.subject] = read
		}
		if known && !read {
			f.damaged = append(f.damaged, one)
		} else {
			f.whole = append(f.whole, one)
		}
	}
	for _, one := range leftovers {
		if left[one] = time.Now(); !k.leftovers[one].IsZero() {
			left[one] = k.leftovers[one]
		}
	}
	k.readable, k.leftovers = readable, left
	return f, nil
}

// maintainOnce makes a snapshot if the log has grown, and then removes what no process needs, even if the
// snapshot failed. It may be ended at any point: an incomplete snapshot is never read, and what was not removed
// is removed the next time.
func (s *Store) maintainOnce(ctx context.Context, rank int) error {
	f, err := s.survey(ctx)
	if err != nil {
		return err
	}
	if s.wantsSnapshot(&f, rank) {
		err = s.makeSnapshot(ctx)
	}
	if f.log.bytes <= 2*s.threshold(&f)*int64(rank+1) && rank > 0 && !f.log.nearlyFull(rank) { // a process before this one removes it
		return err
	}
	if e := s.removeOld(ctx); err == nil {
		err = e
	}
	return err
}

// threshold is how many bytes of log after the newest snapshot make the next one due.
func (s *Store) threshold(f *inventory) int64 {
	most := s.snapshotBytes
	if len(f.whole) > 0 {
		most = max(most, f.whole[0].Bytes)
	}
	if f.log.bound > 0 {
		most = min(most, f.log.bound/4)
	}
	return most
}

// wantsSnapshot reports whether the process with this rank is to make a snapshot. Unless the log is nearly
// full, the newest snapshot must be synced before the next one is made: so of the two newest at least the older
// one is.
func (s *Store) wantsSnapshot(f *inventory, rank int) bool {
	var newest storedSnapshot
	if len(f.whole) > 0 {
		newest = f.whole[0]
	}
	behind, due := f.log.behind(newest.Entry), s.threshold(f)
	switch {
	case f.log.last < f.log.first:
		return false
	case f.log.nearlyFull(rank):
		return behind > due || len(f.whole) < 2 || f.whole[1].Entry <= f.log.first
	case len(f.whole) > 0 && !s.isSynced(newest, &f.log):
		return false
	}
	return behind > due*int64(rank+1)
}

// isSynced reports whether a snapshot was stored so long ago that no power failure can lose it.
func (s *Store) isSynced(k storedSnapshot, now *extent) bool {
	return !k.stored.Add(s.keeping.syncTime).After(now.at)
}

// behind estimates how many bytes of the log come after an entry.
func (x *extent) behind(entry uint64) int64 {
	since := max(entry, x.first)
	if x.last <= since {
		return 0
	}
	return int64(float64(x.bytes) / float64(x.last+1-x.first) * float64(x.last-since))
}

// nearlyFull reports whether the log is so full that it must be shortened at once. The bar is higher for a
// higher rank, so that the processes act one after another.
func (x *extent) nearlyFull(rank int) bool {
	return x.bound > 0 && x.bytes > x.bound/4*3+x.bound/32*int64(min(rank, 7))
}

// noteGrowth counts an entry that was applied, and wakes maintainLog when the log has grown by much. The
// goroutine that applies the log calls it.
func (s *Store) noteGrowth(e entry) {
	due := s.snapshotBytes
	if bound := s.bound.Load(); bound > 0 {
		due = min(due, bound/4)
	}
	if s.growth += int64(len(e.piece)); s.growth > due/4 {
		s.growth = 0
		wake(s.grown)
	}
}
